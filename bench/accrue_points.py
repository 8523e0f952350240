"""A city's bills earn their points, against one bare SQL statement that computes the same and writes the same rows.

The ceiling knows that nobody has an account yet, that nothing was ever judged and that nobody else is there: it is one
``INSERT`` after another in one statement, without portions, locks, corrections or what is due. Both end with the same
rows, which is checked.
"""

from statistics import median
from time import perf_counter

import asyncpg

from bench import Benchmark, Result
from bench.big_city import MONTHS, generated, size
from bench.city import CITY, NOW, owner_url
from services.city_node.points.accrual import accrue
from shared.capability import NodeContext

ROUNDS, ROUNDS_QUICK = 5, 3
_TABLES = "points_entry, points_accrual, points_due, points_lot, points_balance, points_account"
# The shipped policy in words: one point a yuan by level and tenure, to the end of the year 24 months on.
_BARE = """
    WITH judged AS (
        SELECT b.id, b.customer_id, b.charge_fen, c.level, r.rate,
               div(b.charge_fen::numeric * r.rate * 1000, 100000000)::bigint AS points,
               (date_trunc('year', b.period + interval '24 months') + interval '1 year')::date AS expires_on
        FROM bill b JOIN customer c ON c.id = b.customer_id
        CROSS JOIN LATERAL (SELECT
            CASE c.level WHEN 'diamond' THEN 2000 WHEN 'gold' THEN 1500 WHEN 'silver' THEN 1200 ELSE 1000 END
            + CASE WHEN c.entry_date <= b.period + interval '1 month' - interval '10 years' THEN 200
                   WHEN c.entry_date <= b.period + interval '1 month' - interval '5 years' THEN 100 ELSE 0 END AS rate) r
        WHERE b.charge_fen > 0),
    earning AS (SELECT * FROM judged WHERE points > 0),
    account AS (
        INSERT INTO points_account (customer_id, opened_at) SELECT DISTINCT customer_id, $1::timestamptz FROM earning
        RETURNING id AS account_id, customer_id),
    posting AS (SELECT e.*, a.account_id FROM earning e JOIN account a USING (customer_id)),
    entered AS (
        INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on, bill_id)
        SELECT $1, 'accrual', 1, account_id, points, expires_on, id FROM posting),
    lot AS (
        INSERT INTO points_lot (account_id, expires_on, remaining)
        SELECT account_id, expires_on, sum(points) FROM posting GROUP BY 1, 2),
    balance AS (
        INSERT INTO points_balance (account_id, balance) SELECT account_id, sum(points) FROM posting GROUP BY 1)
    INSERT INTO points_accrual (bill_id, account_id, points, waived, charge_fen, rate_permille, expires_on, basis_id, level)
    SELECT id, account_id, points, 0, charge_fen, rate, expires_on, 1, level FROM posting"""
_WRITTEN = """
    SELECT (SELECT count(*) FROM points_entry), (SELECT sum(points) FROM points_entry), (SELECT count(*) FROM points_lot),
           (SELECT sum(balance) FROM points_balance), (SELECT count(*) FROM points_accrual),
           (SELECT sum(rate_permille) FROM points_accrual)"""


async def measure(context: NodeContext, rounds: int) -> Result:
    """Compare alternating rounds of both, and then what 1 % of changed bills take."""
    program: list[float] = []
    bare: list[float] = []
    owner = await asyncpg.connect(owner_url(context))
    node = await asyncpg.connect(context.database.url)
    try:
        bills = await owner.fetchval("SELECT count(*) FROM bill")
        for _ in range(rounds):
            await _empty(owner)
            began = perf_counter()
            await node.execute(_BARE, NOW)
            bare.append(perf_counter() - began)
            expected = await owner.fetchrow(_WRITTEN)
            await _empty(owner)
            began = perf_counter()
            await accrue(context.database, node=CITY, now=NOW, whole_city=True)
            program.append(perf_counter() - began)
            assert await owner.fetchrow(_WRITTEN) == expected
        await owner.execute("VACUUM ANALYZE")
        began = perf_counter()
        await accrue(context.database, node=CITY, now=NOW, whole_city=True)
        unchanged = perf_counter() - began
        await owner.execute("UPDATE bill SET charge_fen = charge_fen + 500 WHERE id % 100 = 0")
        began = perf_counter()
        await accrue(context.database, node=CITY, now=NOW)
        changed = perf_counter() - began
    finally:
        await node.close()
        await owner.close()
    took = median(program)
    return Result(
        bills / took,
        bills / median(bare),
        {
            "bills": bills,
            "program s": took,
            "statement s": median(bare),
            "whole city again s": unchanged,
            "1 % changed s": changed,
            "times faster than full": took / changed,
        },
    )


async def _empty(owner: asyncpg.Connection) -> None:
    await owner.execute(f"TRUNCATE {_TABLES}, redemption, points_adjustment, points_transfer")
    await owner.execute("CHECKPOINT")


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    async with generated(size(quick=quick), months=MONTHS) as (context, _):
        return await measure(context, ROUNDS_QUICK if quick else ROUNDS)


BENCHMARK = Benchmark(
    name="accrue-points",
    summary="the points of every bill of a city, against one SQL statement that writes the same rows",
    unit="bills/s",
    target=0.5,
    run=run,
)
