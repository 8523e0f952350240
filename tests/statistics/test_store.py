"""Whatever comes in whatever order: margins and aggregates are what facts give, and answers as without them."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.kernel.database import Database
from shared.kernel.tier import Tier
from shared.statistics import repository, standing
from shared.statistics.aggregate import LINGERS, note_all_changed, put_together
from shared.statistics.indicators import CATALOGUE
from shared.statistics.privacy import Terms
from shared.statistics.question import Words, read_question
from shared.statistics.retention import RolledOff, roll_off
from shared.statistics.service import answer
from shared.statistics.slices import Slice
from shared.statistics.verification import differences
from tests.conftest import NOON
from tests.examples import examples
from tests.statistics.registered_cities import CITIES, register
from tests.statistics.slices_by_hand import GOLD_MAN, GOLD_WOMAN, STANDARD_MAN, Key, slice_of

KEYS = (GOLD_MAN, GOLD_WOMAN, STANDARD_MAN)
MEASURES = ("customers", "new_customers", "highest_monthly_charge_fen")
PERIODS = ("2026-10", "2026-11", "2026-11-22")
EMPTY = "TRUNCATE statistics_slice, statistics_fact, statistics_margin, statistics_aggregate, statistics_aggregate_fact, statistics_change, statistics_former_standing, statistics_limit, statistics_enrolment, federation_registry"

WAITING = "pg_locks WHERE NOT granted AND relation = 'statistics_generation'::regclass"
"""Which backends are about to take what has changed."""

Said = dict[tuple[str, str], dict[int, Mapping[Key, Mapping[str, int]]]]
"""By city and period: cells by revision."""

CELLS = st.dictionaries(
    st.sampled_from(KEYS),
    st.dictionaries(st.sampled_from(MEASURES), st.integers(-5, 90), min_size=1),
)
STEPS = st.one_of(
    st.tuples(
        st.just("say"),
        st.lists(
            st.tuples(st.sampled_from(CITIES), st.sampled_from(PERIODS), st.integers(1, 4), CELLS),
            min_size=1,
            max_size=4,
        ),
    ),
    st.tuples(st.sampled_from(["put together", "put all together", "withdraw", "come back"])),
)


@pytest.fixture
async def store(database: Database) -> Database:
    async with database.transaction() as session:
        await register(session, NOON, *CITIES)
    return database


async def put(database: Database, now: datetime = NOON) -> int:
    return await put_together(database, Tier.HQ, now=now, connections=3)


async def told(database: Database, **words: Any) -> Any:
    words = {"indicators": MEASURES, "first": "2026-10", "last": "2026-11", **words}
    question = read_question(Words(**words), CATALOGUE, scope="000000", now=NOON)
    async with database.transaction() as session:
        found = await answer(session, question, Terms(CATALOGUE, None), here="000000")
    return found.entity_tag, orjson.loads(found.body or b"")


QUESTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"by": ["region"]},
    {"by": ["period", "level"]},
    {"by": ["level", "sex"]},
    {"by": ["region"], "filters": {"sex": ["male"]}, "region_level": "city"},
    {"indicators": ["customers", "highest_monthly_charge_fen"], "first": "2026-11-21", "last": "2026-11-22"},
)  # fmt: skip


async def all_told(database: Database) -> list[Any]:
    return [await told(database, **words) for words in QUESTIONS]


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
@given(steps=st.lists(STEPS, min_size=3, max_size=25))
async def test_any_order_of_slices_and_of_putting_together(
    store: Database, steps: list[Any]
) -> None:
    async with store.transaction() as session:
        await session.execute(text(EMPTY))
        await register(session, NOON, *CITIES)
    said: Said = {}
    now = NOON
    for step in steps:
        now += timedelta(minutes=25)
        match step:
            case "say", several:
                slices = [
                    slice_of(city, cells, period=period, revision=revision)
                    for city, period, revision, cells in several
                    if said.setdefault((city, period), {}).setdefault(revision, cells) == cells
                ]
                async with store.transaction() as session:
                    await repository.store_all(session, slices, received_at=now)
            case ("put together",):
                await put(store, now)
            case ("put all together",):
                async with store.transaction() as session:
                    await note_all_changed(session)
                await put(store, now)
            case ("withdraw",):
                await withdraw(store, now)
            case ("come back",):
                await come_back(store, now)
    assert await differences(store, Tier.HQ) == []
    before = await all_told(store)
    await put(store, now)
    assert await differences(store, Tier.HQ) == []
    assert await all_told(store) == before
    async with store.transaction() as session:
        await session.execute(text("TRUNCATE statistics_aggregate, statistics_aggregate_fact"))
    assert await all_told(store) == before


async def withdraw(database: Database, now: datetime) -> None:
    """Close the month with what Guangdong's cities said first, as somebody who refuses restatements would."""
    first = {period: {"customer": 1} for period in PERIODS}
    limits = dict.fromkeys(("440100", "440300"), (1, first))
    async with database.transaction() as session:
        await standing.keep_limits(session, "2026-11", limits, now=now)


async def come_back(database: Database, now: datetime) -> None:
    """Reopen the month, so that the newest revisions are in force again."""
    async with database.transaction() as session:
        await standing.keep_limits(session, "2026-11", dict.fromkeys(("440100", "440300")), now=now)


async def test_many_lanes_at_once(store: Database) -> None:
    """New cells, a new partition and one province, all at the same time; and somebody who puts together meanwhile."""
    chance = random.Random(7)  # noqa: S311 - a draw that can be repeated

    async def lane(city: str) -> None:
        for revision in range(1, 6):
            async with store.transaction() as session:
                for period in PERIODS:
                    keys = chance.sample(KEYS, 3)
                    cells = {key: {"customers": chance.randint(1, 9)} for key in keys}
                    slice_ = slice_of(city, cells, period=period, revision=revision)
                    await repository.store(session, slice_, received_at=NOON)

    async def putting() -> None:
        for _ in range(8):
            await put(store)

    await asyncio.gather(*(lane(city) for city in CITIES), putting())
    before = await all_told(store)
    await put(store)

    assert await differences(store, Tier.HQ) == []
    assert await all_told(store) == before
    [row] = (await told(store, by=["region"], region_level="nation"))[1]["rows"]
    current = "SELECT sum((control_totals->>'customers')::int) FROM statistics_slice WHERE superseded_at IS NULL AND period = '2026-11'"
    assert row["values"]["customers"] == await (await store.pool()).fetchval(current)


def one(city: str, count: int, revision: int = 1, period: str = "2026-11") -> Slice:
    return slice_of(city, {GOLD_MAN: {"customers": count}}, revision=revision, period=period)


async def keep(database: Database, *slices: Slice, now: datetime = NOON) -> None:
    async with database.transaction() as session:
        for each in slices:
            await repository.store(session, each, received_at=now)


async def test_a_question_does_not_wait_for_what_is_put_together(store: Database) -> None:
    await keep(store, *(one(city, 1) for city in CITIES))
    assert await put(store) == 4
    tag, _ = await told(store, by=["region"], region_level="nation")

    await keep(store, one("440100", 10, revision=2))
    restated, found = await told(store, by=["region"], region_level="nation")
    assert found["rows"][0]["values"]["customers"] == 13
    assert restated != tag
    assert await put(store) == 2
    assert await told(store, by=["region"], region_level="nation") == (restated, found)
    assert await put(store) == 0


async def noted(database: Database) -> set[str]:
    pool = await database.pool()
    return {each for (each,) in await pool.fetch("SELECT period FROM statistics_change")}


async def test_what_is_put_together_twice_at_once_is_made_once(store: Database) -> None:
    await keep(store, *(one(city, 1, period=each) for city in CITIES for each in PERIODS))
    assert sum(await asyncio.gather(put(store), put(store), put(store))) == 4 * len(PERIODS)
    assert await noted(store) == set()
    assert await differences(store, Tier.HQ) == []


@contextlib.asynccontextmanager
async def held_at_the_last_step(database: Database) -> AsyncIterator[asyncio.Task[int]]:
    """Give what puts three lots together, each made and none committed, as long as this lasts."""
    await keep(database, *(one(city, 1, period=each) for city in CITIES for each in PERIODS))
    pool = await database.pool()
    async with database.transaction() as session:
        await session.execute(text("LOCK TABLE statistics_generation IN EXCLUSIVE MODE"))
        putting = asyncio.create_task(put(database))
        async with asyncio.timeout(30):
            while await pool.fetchval(f"SELECT count(*) FROM {WAITING}") < len(PERIODS):  # noqa: S608 - a constant
                assert not putting.done()
        yield putting


async def resumed(database: Database, left: int) -> None:
    """What was not put together still is noted, and is put together the next time; no answer changes."""
    before = await all_told(database)
    assert len(await noted(database)) == left
    assert await differences(database, Tier.HQ) == []
    assert await put(database) == 4 * left
    assert await noted(database) == set()
    assert await differences(database, Tier.HQ) == []
    assert await all_told(database) == before


async def test_a_lot_that_fails_is_undone_and_the_others_are_made(store: Database) -> None:
    async with held_at_the_last_step(store) as putting:
        pool = await store.pool()
        await pool.execute(f"SELECT pg_terminate_backend(min(pid)) FROM {WAITING}")  # noqa: S608 - a constant
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError)):
        await putting
    await resumed(store, 1)


async def test_an_interruption_undoes_what_is_under_way(store: Database) -> None:
    async with held_at_the_last_step(store) as putting:
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
    await resumed(store, len(PERIODS))


async def test_what_was_replaced_stays_for_questions_under_way(store: Database) -> None:
    async def count() -> int:
        pool = await store.pool()
        found: int = await pool.fetchval(
            "SELECT count(DISTINCT part_id) FROM statistics_aggregate_fact"
        )
        return found

    await keep(store, one("440100", 1))
    await put(store)
    await keep(store, one("440100", 2, revision=2))
    await put(store)
    assert await count() == 4
    await put(store, NOON + LINGERS + timedelta(seconds=1))
    assert await count() == 2


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        ("UPDATE statistics_fact SET value = value + 1 WHERE value = 2", {"cell", "margin"}),
        ("UPDATE statistics_margin SET total = total + 1 WHERE member_id = 0", {"margin"}),
        ("UPDATE statistics_margin SET least = least - 1", {"margin"}),
        ("DELETE FROM statistics_margin WHERE part_id IN (SELECT id FROM statistics_aggregate)", {"margin"}),
        ("UPDATE statistics_aggregate_fact SET greatest = 77", {"cell"}),
        ("UPDATE statistics_slice SET superseded_at = now() WHERE node = '440100'", {"slices"}),
        ("DELETE FROM statistics_aggregate WHERE region = '440000'", {"slices"}),
    ],
)  # fmt: skip
async def test_the_check_names_what_differs(store: Database, harm: str, what: set[str]) -> None:
    await keep(store, one("440100", 1), one("440300", 2), one("110100", 3))
    await put(store)
    assert await differences(store, Tier.HQ) == []

    async with store.transaction() as session:
        await session.execute(text(harm))
    found = await differences(store, Tier.HQ)

    assert {each.what for each in found} == what
    assert {each.dataset for each in found} == {"customer"}


@pytest.mark.parametrize("tier", [Tier.CITY, Tier.PROVINCE])
async def test_below_hq_there_is_less_to_put_together(store: Database, tier: Tier) -> None:
    await keep(store, one("440100", 1))
    made = await put_together(store, tier, now=NOON)

    assert made == (1 if tier is Tier.PROVINCE else 0)
    assert await differences(store, tier) == []


async def roll(database: Database, now: datetime = NOON) -> RolledOff:
    return await roll_off(database, day_months=12, history_months=6, now=now)


async def test_old_days_go_by_whole_months_and_months_stay(store: Database) -> None:
    await keep(
        store,
        *(
            one(city, 5, period=period)
            for city in CITIES
            for period in ("2025-10", "2025-10-31", "2025-11-01", "2026-11")
        ),
    )
    await put(store)
    whole = await told(store, first="2025-10", last="2025-10")
    young = await told(store, first="2025-11-01", last="2025-11-01")

    assert await roll(store) == RolledOff(0, 0)
    gone = await told(store, first="2025-10-31", last="2025-10-31")
    assert gone[1]["rows"] == []
    assert gone[1]["provenance"][0]["missing"] == list(CITIES)
    assert await roll(store, NOON + timedelta(days=1)) == RolledOff(1, 0)
    assert await roll(store, NOON + timedelta(days=1)) == RolledOff(0, 0)

    assert await told(store, first="2025-10-31", last="2025-10-31") == gone
    assert await told(store, first="2025-10", last="2025-10") == whole
    assert await told(store, first="2025-11-01", last="2025-11-01") == young
    assert await differences(store, Tier.HQ) == []
    pool = await store.pool()
    assert await pool.fetchval("SELECT to_regclass('statistics_fact_d2025_10')") is None
    assert await pool.fetchval("SELECT count(*) FROM statistics_slice") == 16


async def test_a_slice_of_days_that_were_dropped_goes_again(store: Database) -> None:
    await keep(store, one("440100", 5, period="2025-10-31"))
    await roll(store)
    await roll(store)
    await keep(store, one("440100", 6, revision=2, period="2025-10-31"))
    assert (await told(store, first="2025-10-31", last="2025-10-31"))[1]["rows"]
    await roll(store)
    assert await roll(store) == RolledOff(1, 0)
    assert await differences(store, Tier.HQ) == []


async def test_what_was_superseded_long_ago_is_no_longer_known(store: Database) -> None:
    long_ago = NOON - timedelta(days=300)
    await keep(store, one("440100", 1), now=long_ago)
    await keep(store, one("440100", 2, revision=2), now=long_ago + timedelta(days=30))
    await keep(store, one("440100", 3, revision=3), now=NOON - timedelta(days=10))
    await put(store)
    at = {"by": ["region"], "region_level": "nation", "first": "2026-11", "last": "2026-11"}

    async def known(at_: datetime) -> Any:
        rows = (await told(store, as_known_at=at_, **at))[1]["rows"]
        return rows[0]["values"]["customers"] if rows else None

    assert await known(long_ago + timedelta(days=1)) == 1
    assert await roll(store) == RolledOff(0, 1)
    assert await known(long_ago + timedelta(days=1)) is None
    assert await known(long_ago + timedelta(days=31)) == 2
    assert await known(NOON) == 3
    assert await differences(store, Tier.HQ) == []
    assert await roll(store) == RolledOff(0, 0)
