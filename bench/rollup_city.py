"""A city's whole nightly roll-up, against one bare pass of SQL that computes the same cells.

Counted are all datasets for a month that has just ended, and those by day for its last day; every round after bills,
charges and contacts have changed, so that slices differ, are kept, and posted to HQ. The bare pass is what an analyst
would write for that month: it takes levels as they are now, keeps nothing and tells nobody. Where a table has few or no
rows in a generated city, the bare pass is the roll-up's own statement. Where the roll-up makes sketches, the bare pass
counts distinct people and orders values exactly. Both come to the same control totals, which is checked.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from statistics import median

import asyncpg
import orjson

from bench import Benchmark, Result
from bench.big_city import generated, size
from bench.city import owner_url
from services.city_node.rollup import repository
from services.city_node.rollup.service import roll_up
from shared.capability import NodeContext
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period
from shared.statistics.reference import exact_sql

# ruff: noqa: S608 - put together from the texts of this module and of the catalogue
ROUNDS, ROUNDS_QUICK = 5, 3
NIGHT = datetime(2026, 10, 31, 17, 30, tzinfo=UTC)
MONTH, DAY = Period.parse("2026-10"), Period.parse("2026-10-31")
_FILL = (
    """INSERT INTO usage_month (subscription_id, customer_id, quantity, charge_fen, period, kind, band)
    SELECT subscription_id, customer_id, charge_fen * share, charge_fen / 10, period, kind, band FROM bill,
    (VALUES ('voice_local', 'day', 3), ('voice_local', 'evening', 4), ('voice_long_distance', 'day', 2), ('sms', 'all', 1),
            ('data', 'all', 300)) use (kind, band, share) WHERE period = DATE '2026-10-01'""",
    "INSERT INTO points_account (customer_id, opened_at) SELECT id, TIMESTAMPTZ '2026-10-05' FROM customer",
    """INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on)
    SELECT TIMESTAMPTZ '2026-10-05', 'accrual', 1, id, 100, DATE '2028-12-31' FROM points_account""",
    "INSERT INTO points_lot SELECT id, DATE '2028-12-31', 100 FROM points_account",
)
_CHANGE = (
    "UPDATE bill SET charge_fen = charge_fen + 1 WHERE period = DATE '2026-10-01' AND abs(hashtext(customer_id::text)) % 100 = $1",
    "UPDATE customer SET monthly_charge_fen = monthly_charge_fen + 1 WHERE abs(hashtext(id::text)) % 100 = $1",
    """INSERT INTO interaction (id, customer_id, at, channel, kind, subject)
    SELECT gen_random_uuid(), id, TIMESTAMPTZ '2026-10-30 20:00Z', 'hall', 'visit', '-' FROM customer
    WHERE abs(hashtext(id::text)) % 100 = $1""",
)
_TENURE = """greatest(0, date_part('year', last)::int * 12 + date_part('month', last)::int
    - (date_part('year', c.entry_date)::int * 12 + date_part('month', c.entry_date)::int)
    - (date_part('day', last) < date_part('day', c.entry_date))::int)"""
_BAND = f"""CASE WHEN {_TENURE} <= 12 THEN '0-12' WHEN {_TENURE} <= 24 THEN '13-24' WHEN {_TENURE} <= 48 THEN '25-48'
    WHEN {_TENURE} <= 60 THEN '49-60' ELSE '61+' END"""
_LAST = "CROSS JOIN LATERAL (SELECT CASE WHEN c.left_on < DATE '2026-11-01' THEN c.left_on ELSE DATE '2026-10-31' END AS last) l"
_BARE_ROWS: Mapping[str, str] = {
    "customer": f"""
        SELECT level, contract_term, {_BAND} AS tenure_band, sex, kind, entry_date, monthly_charge_fen,
               left_on IS NULL OR left_on >= DATE '2026-11-01' AS present,
               left_on >= DATE '2026-10-01' AND left_on < DATE '2026-11-01' AS lost,
               level IN ('diamond', 'gold', 'silver') AS is_key, {_TENURE} AS tenure_months, s.subscriptions
        FROM customer c {_LAST} LEFT JOIN (
            SELECT customer_id, count(*) AS subscriptions FROM subscription
            WHERE entry_date < DATE '2026-11-01' AND (ended_on IS NULL OR ended_on >= DATE '2026-11-01')
            GROUP BY customer_id) s ON s.customer_id = c.id
        WHERE entry_date < DATE '2026-11-01'""",
    "revenue": f"""
        SELECT level, contract_term, {_BAND} AS tenure_band, sex, b.*
        FROM (SELECT customer_id, count(*) AS bills, sum(charge_fen) AS charge_fen, max(charge_fen) AS highest_fen
              FROM bill WHERE period = DATE '2026-10-01' GROUP BY customer_id) b JOIN customer c ON c.id = b.customer_id {_LAST}""",
    "individual": """
        SELECT level, CASE WHEN birth_date IS NULL THEN 'unknown' WHEN age < 18 THEN '0-17' WHEN age < 26 THEN '18-25'
               WHEN age < 36 THEN '26-35' WHEN age < 46 THEN '36-45' WHEN age < 56 THEN '46-55' WHEN age < 66 THEN '56-65'
               ELSE '66+' END AS age_band, sex, CASE WHEN monthly_charge_fen < 10000 THEN '0-99'
               WHEN monthly_charge_fen < 30000 THEN '100-299' WHEN monthly_charge_fen < 70000 THEN '300-699'
               WHEN monthly_charge_fen < 170000 THEN '700-1699' ELSE '1700+' END AS spend_band, monthly_charge_fen,
               date_part('month', birth_date) = 10 AS has_birthday, manager_id IS NOT NULL AS is_managed
        FROM (SELECT *, date_part('year', age(DATE '2026-10-31', birth_date)) AS age FROM customer) c
        WHERE kind = 'individual' AND entry_date < DATE '2026-11-01' AND (left_on IS NULL OR left_on >= DATE '2026-11-01')""",
    "subscription": """
        SELECT coalesce(s.brand, 'unknown') AS brand, c.level, s.contract_term, s.status,
               s.ended_on IS NULL OR s.ended_on >= DATE '2026-11-01' AS present, s.entry_date >= DATE '2026-10-01' AS is_new,
               s.ended_on >= DATE '2026-10-01' AND s.ended_on < DATE '2026-11-01' AS has_ended
        FROM subscription s JOIN customer c ON c.id = s.customer_id
        WHERE s.entry_date < DATE '2026-11-01' AND (s.ended_on IS NULL OR s.ended_on >= DATE '2026-10-01')""",
    "usage": """
        SELECT u.band AS time_band, c.level, u.kind, u.quantity, u.charge_fen
        FROM usage_month u JOIN customer c ON c.id = u.customer_id WHERE u.period = DATE '2026-10-01'""",
    "payment": f"""
        SELECT level, {_BAND} AS tenure_band, 1 AS bills, charge_fen AS fen, (paid_on IS NOT NULL)::int AS paid,
               CASE WHEN paid_on IS NOT NULL THEN charge_fen END AS paid_fen,
               (paid_on < DATE '2026-12-01')::int AS on_time, (paid_on >= DATE '2026-12-01')::int AS late
        FROM bill b JOIN customer c ON c.id = b.customer_id {_LAST} WHERE period = DATE '2026-10-01' AND charge_fen > 0""",
    "points": """
        SELECT c.level, c.kind AS customer_kind, e.kind, e.points, true AS gained
        FROM points_entry e JOIN points_account a ON a.id = e.credit_id JOIN customer c ON c.id = a.customer_id
        WHERE e.at >= TIMESTAMPTZ '2026-09-30 16:00Z' AND e.at < TIMESTAMPTZ '2026-10-31 16:00Z'""",
    "liability": """
        SELECT c.level, c.kind AS customer_kind, l.points, l.expiring
        FROM (SELECT account_id, sum(remaining) AS points,
                     sum(remaining) FILTER (WHERE expires_on < DATE '2027-01-30') AS expiring
              FROM points_lot GROUP BY account_id) l
        JOIN points_account a ON a.id = l.account_id JOIN customer c ON c.id = a.customer_id""",
    "interaction": """
        SELECT i.channel, i.kind AS interaction_kind, c.level FROM interaction i JOIN customer c ON c.id = i.customer_id
        WHERE i.at >= TIMESTAMPTZ '2026-09-30 16:00Z' AND i.at < TIMESTAMPTZ '2026-10-31 16:00Z'""",
}  # fmt: skip


def _bare(dataset: str) -> tuple[str, Period]:
    """Return the bare statement of a dataset's month."""
    declared, measures = CATALOGUE.datasets[dataset], CATALOGUE.measures_of(dataset)
    if dataset not in _BARE_ROWS and not any(each.is_sketch for each in measures):
        return repository.statement(dataset), MONTH
    formulas = [f"{exact_sql(CATALOGUE, each)} AS {each.code}" for each in measures]
    keys, rows = ", ".join(declared.dimensions), _BARE_ROWS.get(dataset, declared.rows)
    counted = f"SELECT {keys}, {', '.join(formulas)} FROM ({rows}) f GROUP BY {keys}"
    return repository.bounded(f"WITH period AS (SELECT :first, :after) {counted}"), MONTH


async def _bare_pass(connection: asyncpg.Connection) -> dict[str, list[asyncpg.Record]]:
    statements = [(each.code, *_bare(each.code)) for each in CATALOGUE.dataset_list]
    statements += [
        (f"{each.code} by day", repository.statement(each.code), DAY)
        for each in CATALOGUE.dataset_list
        if DAY.kind in each.periods
    ]
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(f"SET LOCAL work_mem = '{repository.MEMORY}'")
        return {
            name: await connection.fetch(statement, period.start, period.end)
            for name, statement, period in statements
        }


@contextlib.asynccontextmanager
async def _city(customers: int) -> AsyncIterator[tuple[NodeContext, asyncpg.Connection]]:
    async with generated(customers) as (context, _):
        connection = await asyncpg.connect(owner_url(context))
        try:
            for statement in _FILL:
                await connection.execute(statement)
            await connection.execute("VACUUM ANALYZE")
            yield context, connection
        finally:
            await connection.close()


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    customers, rounds = size(quick=quick), ROUNDS_QUICK if quick else ROUNDS
    whole, bare = [], []
    async with _city(customers) as (context, connection):
        for number in range(rounds):
            for statement in _CHANGE:
                await connection.execute(statement, number)
            for table in ("bill", "customer", "interaction"):
                await connection.execute(f"VACUUM ANALYZE {table}")
            begun = time.perf_counter()
            cells = await _bare_pass(connection)
            bare.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            await roll_up(
                context.database, context.post, [MONTH, DAY], now=NIGHT + timedelta(minutes=number)
            )
            whole.append(time.perf_counter() - begun)
        await _require_equal(connection, cells)
    rows = sum(len(each) for each in cells.values())
    return Result(
        1000 * median(whole),
        1000 * median(bare),
        {"cells": rows, "first": 1000 * whole[0], "ms per 1,000": 1e6 * median(whole) / customers},
    )


async def _require_equal(
    connection: asyncpg.Connection, cells: dict[str, list[asyncpg.Record]]
) -> None:
    """Make sure that both came to the same control totals."""
    for dataset in CATALOGUE.datasets:
        totals = await connection.fetchval(
            "SELECT control_totals FROM statistics_slice WHERE dataset = $1 AND period = $2 AND superseded_at IS NULL",
            dataset,
            str(MONTH),
        )
        counted = {
            each.code: int(sum(row[each.code] or 0 for row in cells[dataset]))
            for each in CATALOGUE.measures_of(dataset)
            if not each.is_sketch
        }
        expected = {
            code: int(total)
            for code, total in orjson.loads(totals).items()
            if not CATALOGUE.indicators[code].is_sketch
        }
        assert counted == expected, dataset


BENCHMARK = Benchmark(
    name="rollup-city",
    summary="a city's whole nightly roll-up, against one bare pass of SQL that computes the same cells",
    unit="ms",
    target=0.5,
    run=run,
    smaller_is_better=True,
)
