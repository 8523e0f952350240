"""Figures from sketches: what people and values themselves give, within the stated error, however they are asked."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from shared.federation.delivery import MessageRefused
from shared.kernel.database import Database
from shared.kernel.listing import QueryInvalid
from shared.kernel.tier import Tier
from shared.statistics import reading, repository
from shared.statistics.aggregate import put_together
from shared.statistics.cost import VALUES_OF_A_SKETCH, Estimate
from shared.statistics.forms import Form
from shared.statistics.indicators import CATALOGUE
from shared.statistics.messages import handle_slice
from shared.statistics.parts import read_parts
from shared.statistics.period import Period
from shared.statistics.privacy import Rule, Terms
from shared.statistics.question import Words, read_question
from shared.statistics.retention import RolledOff, roll_off
from shared.statistics.service import Manner, answer
from shared.statistics.sketches import DISTINCT_ERROR, RANK_ERROR, write
from shared.statistics.slices import Content, Slice
from shared.statistics.verification import differences
from tests.conftest import NOON
from tests.sketched import distinct, distribution, persons, rank_missed
from tests.statistics.registered_cities import CITIES, register, table
from tests.statistics.slices_by_hand import delivery
from tests.statistics.test_messages import NO_CONTEXT

SEPTEMBER, OCTOBER = "2026-09", "2026-10"
CUSTOMERS, ACTIVE, DATA, CHARGE, P99 = (
    *("distinct_customers", "active_customers", "data_users"),
    *("median_monthly_charge_fen", "p99_monthly_charge_fen"),
)
PEOPLE: Mapping[tuple[str, str, str], Sequence[UUID]] = {
    (city, period, level): persons(number, first)
    for nth, city in enumerate(CITIES)
    for period, moved in ((SEPTEMBER, 0), (OCTOBER, 300))
    for level, number, at in (("gold", 200, 0), ("standard", 2_000, 400))
    for first in (nth * 1_500 + at + moved,)
}
"""Who was active, by city, period and level: some everywhere in both months, and some in two cities."""
CHARGES: Mapping[tuple[str, str, str], Sequence[int]] = {
    key: [(1 + nth % 97) * (1_000 if key[2] == "gold" else 10) + len(key[1]) for nth in range(700)]
    for key in PEOPLE
}


def sketched(
    city: str, period: str, dataset: str = "activity", *, revision: int = 1, without: int = 0
) -> Slice:
    """A city's slice of sketches; without so many of each level's people it is a correction."""
    measures = [each.code for each in CATALOGUE.measures_of(dataset)]
    cells = []
    for level in ("gold", "standard"):
        there = PEOPLE[city, period, level][without:]
        spread = distribution(CHARGES[city, period, level])
        images = {
            ACTIVE: distinct(there),
            DATA: distinct(there[::2]),
            CUSTOMERS: distinct(there),
            CHARGE: spread,
        }
        cells.append(((level,), [images.get(each) for each in measures]))
    content = Content.of(
        *(dataset, city, Period.parse(period)),
        dimensions=("level",),
        measures=measures,
        cells=cells,
    )
    return Slice(content, revision, None if revision == 1 else "late data", NOON)


@pytest.fixture
async def store(database: Database) -> Database:
    async with database.transaction() as session:
        await register(session, NOON, *CITIES)
        for dataset in ("activity", "people"):
            for city in CITIES:
                for period in (SEPTEMBER, OCTOBER):
                    slice_ = sketched(city, period, dataset)
                    await repository.store(session, slice_, received_at=NOON)
    return database


async def told(
    store: Database,
    *indicators: str,
    manner: Manner | None = None,
    rule: Rule | None = None,
    **words: Any,
) -> Any:
    words = {"indicators": indicators, "first": SEPTEMBER, "last": OCTOBER, **words}
    question = read_question(Words(**words), CATALOGUE, scope="000000", now=NOON)
    async with store.transaction() as session:
        found = await answer(
            session, question, Terms(CATALOGUE, rule), here="000000", manner=manner or Manner()
        )
    return (found.entity_tag, found.body) if manner else orjson.loads(found.body or b"")


async def put(store: Database) -> None:
    assert await put_together(store, Tier.HQ, now=NOON)


def united(*keys: tuple[str, str, str]) -> set[UUID]:
    return {person for key in keys for person in PEOPLE[key]}


def keys_of(
    cities: Iterable[str] = CITIES,
    periods: Iterable[str] = (SEPTEMBER, OCTOBER),
    levels: Iterable[str] = ("gold", "standard"),
) -> list[tuple[str, str, str]]:
    return [key for key in PEOPLE if key[0] in cities and key[1] in periods and key[2] in levels]


QUESTIONS: tuple[tuple[dict[str, Any], tuple[str, ...]], ...] = (
    ({}, ("period",)),
    ({"by": ["region"], "region_level": "nation"}, ("region",)),
    ({"by": ["region"]}, ("region",)),
    ({"by": ["region"], "region_level": "city"}, ("region",)),
    ({"by": ["region", "period", "level"]}, ("region", "period", "level")),
    ({"by": ["level"], "region": "440000"}, ("level",)),
    ({"by": ["period"], "filters": {"level": ["gold"]}}, ("period",)),
    ({"by": ["region"], "filters": {"level": ["gold"]}, "region": "440300"}, ("region",)),
)


def meant(words: dict[str, Any], by: tuple[str, ...], key: Any) -> list[tuple[str, str, str]]:
    """Whose people a row is of."""
    known = dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True))
    region = known.get("region", words.get("region", "000000")).rstrip("0")
    return keys_of(
        [city for city in CITIES if city.startswith(region)],
        [known["period"]] if "period" in known else (SEPTEMBER, OCTOBER),
        [known["level"]]
        if "level" in known
        else words.get("filters", {}).get("level", ("gold", "standard")),
    )


@pytest.mark.parametrize(("words", "by"), QUESTIONS)
async def test_people_are_counted_once_over_cities_months_and_levels(
    store: Database, words: dict[str, Any], by: tuple[str, ...]
) -> None:
    found = await told(store, ACTIVE, DATA, "data_user_share", **words)

    rows = table(found, ACTIVE, *by)
    assert rows
    for key, estimate in rows.items():
        exact = united(*meant(words, by, key))
        assert estimate == pytest.approx(len(exact), rel=DISTINCT_ERROR)
        assert isinstance(estimate, int)
        shares, users = table(found, "data_user_share", *by), table(found, DATA, *by)
        assert shares[key] == pytest.approx(100 * users[key] / estimate, abs=1e-6)
    for entry in found["provenance"]:
        assert entry["errors"][ACTIVE] == {"relative": DISTINCT_ERROR, "confidence": 0.95}
        assert set(entry["errors"]) == {ACTIVE, DATA}
    await put(store)
    assert await told(store, ACTIVE, DATA, "data_user_share", **words) == found


@pytest.mark.parametrize(("words", "by"), QUESTIONS)
async def test_quantiles_are_of_the_values_of_all_cities(
    store: Database, words: dict[str, Any], by: tuple[str, ...]
) -> None:
    found = await told(store, CHARGE, P99, **words)

    for code, percent in ((CHARGE, 50), (P99, 99)):
        rows = table(found, code, *by)
        assert rows
        for key, value in rows.items():
            # What is known of the range is its last month: the charge is a state at a period's end.
            keys = meant(words, by, key)
            last = max(period for _, period, _ in keys)
            ordered = sorted(x for each in keys if each[1] == last for x in CHARGES[each])
            assert rank_missed(ordered, value, percent) <= RANK_ERROR
    assert found["provenance"][0]["errors"][P99] == {"rank": RANK_ERROR, "confidence": 1.0}
    await put(store)
    assert await told(store, CHARGE, P99, **words) == found


async def test_the_tag_and_the_files_are_as_those_of_other_figures(store: Database) -> None:
    words: dict[str, Any] = {"compare": ["previous"], "period": OCTOBER}
    words |= {"first": None, "last": None, "by": ["region", "level", "period"]}
    for form in Form:
        before = await told(store, ACTIVE, CHARGE, manner=Manner(form), **words)
        await put_together(store, Tier.HQ, now=NOON)
        assert (await told(store, ACTIVE, CHARGE, manner=Manner(form), **words))[0] == before[0]
    _, csv = await told(store, ACTIVE, CHARGE, manner=Manner(Form.CSV), **words)
    head, first, *_ = csv.decode().splitlines()
    assert head.split(",")[4:6] == [ACTIVE, CHARGE]
    assert int(first.split(",")[4]) == pytest.approx(
        len(united(*keys_of([c for c in CITIES if c.startswith("11")], [OCTOBER], ["gold"]))),
        rel=DISTINCT_ERROR,
    )


async def test_growth_is_compared_and_what_others_are_together_is_not_guessed(
    store: Database,
) -> None:
    found = await told(
        store, ACTIVE, by=["region", "period"], compare=["previous"], region_level="city", top=1
    )

    october = [row for row in found["rows"] if row["period"] == OCTOBER]
    chosen, others = october[0]["values"], october[1]["values"]
    september = next(row for row in found["rows"] if row["period"] == SEPTEMBER)["values"]
    assert chosen[f"{ACTIVE}__change"] == chosen[ACTIVE] - september[ACTIVE]
    assert others[ACTIVE] is None
    with pytest.raises(QueryInvalid):
        await told(store, ACTIVE, share=[ACTIVE])


async def test_a_correction_counts_and_what_was_known_before_stays_known(store: Database) -> None:
    before = await told(store, ACTIVE, by=["region"], region_level="city")
    async with store.transaction() as session:
        corrected = sketched("440300", OCTOBER, revision=2, without=150)
        later = NOON + timedelta(hours=1)
        await repository.store(session, corrected, received_at=later)
        whole = await reading.load(session, "440300", OCTOBER, "activity", 2)
        assert whole == corrected
        assert await reading.damaged(session, OCTOBER) == []

    after = await told(store, ACTIVE, by=["region"], region_level="city")
    exact = united(*keys_of(["440300"], [SEPTEMBER])) | {
        person
        for level in ("gold", "standard")
        for person in PEOPLE["440300", OCTOBER, level][150:]
    }
    assert table(after, ACTIVE, "region")["440300"] == pytest.approx(len(exact), rel=DISTINCT_ERROR)
    assert after != before
    then = await told(
        store, ACTIVE, by=["region"], region_level="city", as_known_at=NOON + timedelta(minutes=1)
    )
    assert table(then, ACTIVE, "region") == table(before, ACTIVE, "region")


async def test_few_distinct_people_are_withheld_and_so_are_the_ends_of_distributions(
    store: Database,
) -> None:
    async with store.transaction() as session:
        for dataset in ("activity", "people"):
            few = sketched("440300", OCTOBER, dataset, revision=2, without=197)
            await repository.store(session, few, received_at=NOON)
    rule = Rule("000000", 10, "disclosure 1")
    by_city: dict[str, Any] = {"by": ["region", "level"], "region_level": "city", "first": OCTOBER}

    whole = await told(store, ACTIVE, CHARGE, P99, **by_city)
    rest = await told(store, ACTIVE, CHARGE, P99, rule=rule, **by_city)

    cells = ("region", "level")
    assert table(whole, ACTIVE, *cells)["440300", "gold"] == 3
    for indicator in (ACTIVE, CHARGE):
        kept = {
            key: value for key, value in table(rest, indicator, *cells).items() if value is not None
        }
        # Guangzhou's hide Shenzhen's, and the ordinary customers' the gold ones': Beijing and Shanghai stay.
        assert kept == {
            key: value
            for key, value in table(whole, indicator, *cells).items()
            if key[0] in {"110100", "310100"}
        }
    assert set(table(rest, P99, *cells).values()) == {None}
    assert set(table(whole, P99, *cells).values()) != {None}


async def test_an_aggregate_that_was_altered_is_named(store: Database) -> None:
    await put(store)
    assert await differences(store, Tier.HQ) == []
    async with store.transaction() as session:
        await session.execute(
            text(
                "UPDATE statistics_sketch SET image = (SELECT image FROM statistics_sketch WHERE family = 7 "
                "ORDER BY part_id LIMIT 1) WHERE part_id = (SELECT max(id) FROM statistics_aggregate WHERE "
                "dataset = 'activity')"
            )
        )
        await session.execute(
            text(
                "DELETE FROM statistics_sketch WHERE part_id = (SELECT min(id) FROM statistics_aggregate WHERE "
                "dataset = 'activity')"
            )
        )

    found = await differences(store, Tier.HQ)
    assert {each.what for each in found} == {"sketch"}
    assert {each.recomputed is None for each in found} == {False}
    assert len({(each.period, each.region) for each in found}) == 2


async def test_sketches_go_when_their_figures_are_rolled_off(store: Database) -> None:
    async with store.transaction() as session:
        corrected = sketched("440300", OCTOBER, revision=2, without=1)
        await repository.store(session, corrected, received_at=NOON)
    pool = await store.pool()
    many = await pool.fetchval("SELECT count(*) FROM statistics_sketch")

    done = await roll_off(store, day_months=120, history_months=1, now=NOON + timedelta(days=90))

    assert done == RolledOff(0, 1)
    assert await pool.fetchval("SELECT count(*) FROM statistics_sketch") == many - 4


async def test_a_sketch_that_is_damaged_is_refused_and_nothing_is_kept(database: Database) -> None:
    slice_ = sketched("440300", OCTOBER)
    image = slice_.content.cells[0].values[0]
    assert isinstance(image, bytes)
    spoilt = write(image[:100] + b"\x05" + image[101:])
    for bad in (spoilt, write(image).replace("hll.1", "hll.9"), "", 1.5):
        cells = slice_.content.rows()
        cells[0][1][0] = bad
        with pytest.raises(MessageRefused, match="malformed: cells/0/1/0"):
            await bring(database, slice_, cells=cells)
    other = slice_.content.rows()
    other[0][1][0] = write(distinct(persons(3)))
    with pytest.raises(MessageRefused, match="comes with the control totals"):
        await bring(database, slice_, cells=other)

    pool = await database.pool()
    for name in ("slice", "sketch", "cell"):
        assert await pool.fetchval(f"SELECT count(*) FROM statistics_{name}") == 0  # noqa: S608 - these
    await bring(database, slice_)
    assert await pool.fetchval("SELECT count(*) FROM statistics_sketch") == 4


async def bring(database: Database, slice_: Slice, **altered: Any) -> None:
    async with database.transaction() as session:
        await handle_slice(NO_CONTEXT, delivery(session, slice_, **altered))


async def test_a_question_about_sketches_costs_what_they_do(store: Database) -> None:
    question = read_question(
        Words([ACTIVE], period=OCTOBER, by=["region"], region_level="city"),
        CATALOGUE,
        scope="000000",
        now=NOON,
    )
    async with store.transaction() as session:
        found = Estimate.of(question, await read_parts(session, question, in_full=False))
    assert found.values == len(CITIES) * 2 * VALUES_OF_A_SKETCH
