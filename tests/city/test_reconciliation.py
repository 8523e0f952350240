"""Every figure of a city is what a plain count of its raw rows gives, after all that changes rows."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from services.city_node.rollup import repository
from services.city_node.rollup.service import roll_up, roll_up_due
from shared.federation.keyring import KeyRing
from shared.federation.post import PostOffice
from shared.kernel.database import Database
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period, PeriodKind
from tests.city.lively_city import live_on, liven, run_all
from tests.city.plain_count import count_plainly, measures_told
from tests.city.plain_rows import Cells, read_tables
from tests.city.test_rollup import CITY, city
from tests.conftest import NOON

__all__ = ["city"]
PERIODS = [Period.parse(each) for each in ("2026-10", "2026-11", "2026-11-22", "2026-10-31")]


@pytest.fixture
def post(tmp_path: Path) -> PostOffice:
    return PostOffice(CITY, KeyRing.load_or_create(tmp_path))


async def stored(database: Database) -> Mapping[tuple[str, str], Cells]:
    """The current slices: by dataset and period, their facts by cell and measure."""
    pool = await database.pool()
    slices = await pool.fetch(
        "SELECT dataset, period FROM statistics_slice WHERE superseded_at IS NULL"
    )
    found: dict[tuple[str, str], Cells] = {(row["dataset"], row["period"]): {} for row in slices}
    for row in await pool.fetch(
        """
        SELECT s.dataset, s.period, c.dims, m.code, f.value, f.image FROM statistics_slice s JOIN (
            SELECT slice_id, measure_id, cell_id, value, NULL AS image FROM statistics_fact
            UNION ALL SELECT part_id, measure_id, cell_id, NULL, image FROM statistics_sketch
        ) f ON f.slice_id = s.id JOIN statistics_measure m ON m.id = f.measure_id
        JOIN statistics_cell c ON c.id = f.cell_id WHERE s.superseded_at IS NULL
        """
    ):
        dims = orjson.loads(row["dims"])
        key = tuple(dims[code] for code in CATALOGUE.datasets[row["dataset"]].dimensions)
        cells = found[row["dataset"], row["period"]]
        cells.setdefault(key, {})[row["code"]] = (
            row["value"] if row["image"] is None else row["image"]
        )
    return found


async def reconcile(database: Database) -> set[str]:
    """Compare every current slice with a plain count; return the measures that had a value."""
    tables = await read_tables(await database.pool())
    told: set[str] = set()
    for (dataset, period), cells in (await stored(database)).items():
        assert cells == count_plainly(tables, dataset, Period.parse(period)), (dataset, period)
        told |= measures_told(cells)
    return told


_CHANGES = (
    # Late data and corrections; rows that go; what an erasure and a merge do to rows.
    "UPDATE bill SET paid_on = DATE '2026-11-20' WHERE id % 5 = 0",
    "DELETE FROM interaction WHERE subject = 'x' AND ascii(substr(id::text, 1, 1)) % 2 = 0",
    "DELETE FROM usage_month WHERE quantity % 7 = 0",
    "UPDATE usage_month SET quantity = quantity + 1 WHERE quantity % 5 = 0",
    "UPDATE offer_grant SET state = 'granted' WHERE state = 'proposed'",
    """UPDATE customer SET library = 'erased', birth_date = NULL, name = '—' WHERE left_on < DATE '2026-10-01'""",
    """DELETE FROM credit_result r USING customer c WHERE c.id = r.customer_id AND c.library = 'erased'""",
    """UPDATE customer SET library = 'retained', left_on = DATE '2026-10-31' WHERE left_on IS NULL AND customer_number LIKE '%3'""",
    *(
        f"""UPDATE {table} t SET customer_id = (SELECT c.id FROM customer c ORDER BY c.id LIMIT 1)
        FROM customer gone WHERE gone.id = t.customer_id AND gone.customer_number LIKE '%17'"""  # noqa: S608 - the names that follow
        for table in ("bill", "subscription", "interaction", "redemption", "verification_task")
    ),
)


async def test_every_measure_is_what_a_plain_count_gives_also_after_changes(
    city: Database, post: PostOffice
) -> None:
    async with city.transaction() as session:
        await liven(session, CITY, "reconciled", 250)

    await roll_up(city, post, PERIODS, now=NOON)
    told = await reconcile(city)
    assert told == {each.code for each in CATALOGUE.indicator_list if each.sql} - {
        "customers_returned",
        "returned_charge_fen",
    }

    async with city.transaction() as session:
        await live_on(session)
        await run_all(session, _CHANGES)
    counted = await roll_up(city, post, PERIODS, now=NOON + timedelta(hours=1))
    await reconcile(city)
    assert sum(each.changed for each in counted) > 40


async def test_a_night_counts_what_has_changed_alone_and_comes_to_the_same(
    city: Database, post: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    counting = repository.count

    async def count(session: Any, dataset: Any, measures: Any, period: Period) -> Any:
        counted.append(f"{dataset.code} {period}")
        return await counting(session, dataset, measures, period)

    monkeypatch.setattr(repository, "count", count)

    async def night(day: str) -> list[str]:
        counted.clear()
        at = datetime.fromisoformat(f"{day}T01:30+08:00").astimezone(UTC)
        await roll_up_due(city, post, now=at)
        return sorted(counted)

    async with city.transaction() as session:
        await liven(session, CITY, "nightly", 120)
    by_day = [each for each in CATALOGUE.dataset_list if PeriodKind.DAY in each.periods]
    months = {f"{each.code} 2026-11" for each in CATALOGUE.dataset_list}
    past = {f"{each.code} 2026-10" for each in CATALOGUE.dataset_list}

    def days(*of: str) -> set[str]:
        return {f"{each.code} 2026-11-{day}" for each in by_day for day in of}

    first = await night("2026-11-18")
    assert set(first) == months | days("17")
    again = await night("2026-11-18")
    assert set(again) == months
    missed = await night("2026-11-21")
    assert set(missed) == months | days("18", "19", "20")

    late = """INSERT INTO interaction (id, customer_id, at, channel, kind, subject)
        SELECT gen_random_uuid(), id, TIMESTAMPTZ '2026-11-17T15:59Z', 'hall', 'complaint', 'x' FROM customer LIMIT 3"""
    async with city.transaction() as session:
        await run_all(session, [late])
    assert set(await night("2026-11-21")) == months | {"interaction 2026-11-17"}

    december = {each.replace("-11", "-12") for each in months}
    states = {
        f"{each.code} 2026-11"
        for each in CATALOGUE.dataset_list
        if not each.late and not each.present_only
    }
    closing = set(await night("2026-12-01"))
    assert {each for each in closing if "2026-11-" not in each} == months | december
    assert {each for each in await night("2026-12-02") if "2026-12" not in each} == states
    assert {each for each in await night("2026-12-05") if "2026-12" not in each} == set()
    assert not past & closing

    async with city.transaction() as session:
        await live_on(session)
        await session.execute(text("UPDATE bill SET charge_fen = charge_fen + 1 WHERE id % 3 = 0"))
        await session.execute(text("DELETE FROM win_back_attempt WHERE channel = 'hall'"))
    changed = await night("2026-12-06")
    assert {"revenue 2026-11", "payment 2026-11", "usage 2026-11"} <= set(changed)
    assert "customer 2026-11" not in changed
    pool = await city.pool()
    reasons = await pool.fetch(
        "SELECT DISTINCT reason FROM statistics_slice WHERE dataset = 'revenue' AND period = '2026-11' AND revision > 1"
    )
    assert "late data" in {row["reason"] for row in reasons}

    before = await stored(city)
    late_ones = {each.code for each in CATALOGUE.dataset_list if each.late}
    for dataset, period in before:
        if dataset in late_ones:
            at = datetime(2026, 12, 5, 18, tzinfo=UTC)
            (found,) = await roll_up(city, post, [Period.parse(period)], datasets=[dataset], now=at)
            assert not found.changed, (dataset, period)
