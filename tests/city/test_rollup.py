"""A city counts its customers as one would by hand, says so once, and says so again only when it has changed."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select, text

from services.city_node.rollup import repository
from services.city_node.rollup.service import Counted, PeriodNotBegun, roll_up
from shared.federation.envelope import unpack
from shared.federation.keyring import KeyRing
from shared.federation.models import OutboxMessage
from shared.federation.post import PostOffice
from shared.kernel.database import Database
from shared.organisation.models import OrganisationUnit
from shared.statistics.models import StatisticsSlice
from shared.statistics.period import Period
from shared.statistics.schemas import SliceMessage
from shared.statistics.standing import StatisticsLimit
from tests.city.random_customers import (
    Line,
    Person,
    count_bills,
    count_customers,
    random_people,
    settle_in,
)
from tests.conftest import NOON

CITY = "440300"
DATASETS = ("customer", "revenue")
"""What these tests count; ``test_reconciliation`` has every dataset."""
Cells = Mapping[tuple[str, ...], Mapping[str, int]]


@pytest.fixture
async def city(database: Database) -> Database:
    """A city's database with its organisation unit and nobody in it."""
    async with database.transaction() as session:
        path = ""
        for code, parent, kind in (
            ("000000", None, "hq"),
            ("440000", "000000", "province"),
            (CITY, "440000", "city"),
        ):
            path += f"{code}/"
            session.add(
                OrganisationUnit(
                    code=code,
                    parent_code=parent,
                    path=path,
                    kind=kind,
                    name_zh=code,
                    name_en=code,
                    created_at=NOON,
                    updated_at=NOON,
                )
            )
            await session.flush()  # the next refers to it
    return database


@pytest.fixture
def post(tmp_path: Path) -> PostOffice:
    return PostOffice(CITY, KeyRing.load_or_create(tmp_path))


async def inhabit(
    city: Database, *people: Person, seed: object = None, number: int = 0
) -> list[Person]:
    everybody = [*people, *random_people(seed, number)]
    async with city.transaction() as session:
        await settle_in(session, CITY, everybody)
    return everybody


async def count(city: Database, post: PostOffice, *periods: str, **how: Any) -> list[Counted]:
    given: dict[str, Any] = {"now": NOON, "datasets": DATASETS} | how
    return await roll_up(city, post, [Period.parse(each) for each in periods], **given)


async def stored(city: Database, dataset: str, period: str) -> Cells:
    """The current facts, by cell and measure."""
    pool = await city.pool()
    rows = await pool.fetch(
        """
        SELECT c.dims, m.code, f.value FROM statistics_slice s
        JOIN statistics_fact f ON f.slice_id = s.id
        JOIN statistics_measure m ON m.id = f.measure_id
        JOIN statistics_cell c ON c.id = f.cell_id
        WHERE s.superseded_at IS NULL AND s.dataset = $1 AND s.period = $2
        """,
        dataset,
        period,
    )
    cells: dict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
    for row in rows:
        dims = orjson.loads(row["dims"])
        key = tuple(dims[name] for name in ("level", "contract_term", "tenure_band", "sex"))
        cells[key][row["code"]] = row["value"]
    return cells


async def posted(city: Database) -> list[tuple[str, str, SliceMessage]]:
    async with city.transaction() as session:
        rows = await session.scalars(select(OutboxMessage).order_by(OutboxMessage.position))
        return [
            (row.lane, row.destination, SliceMessage.read(unpack(row.envelope).data))
            for row in rows
        ]


@pytest.mark.parametrize("period", ["2026-09", "2026-10", "2026-11", "2026-10-31", "2026-11-15"])
async def test_every_cell_is_what_a_count_by_hand_gives(
    city: Database, post: PostOffice, period: str
) -> None:
    people = await inhabit(city, seed=period, number=800)

    await count(city, post, period)

    by_hand = count_customers(people, Period.parse(period))
    assert len(by_hand) > 100
    assert await stored(city, "customer", period) == by_hand
    if len(period) == len("2026-11"):
        bills = count_bills(people, Period.parse(period))
        assert len(bills) > 100
        assert await stored(city, "revenue", period) == bills


def person(entry: date, left: date | None = None) -> Person:
    (made,) = random_people((entry, left), 1)
    return replace(made, kind="individual", entry=entry, left=left, lines=[])


@pytest.mark.parametrize(
    ("entry", "left", "expected"),
    [
        (date(2026, 11, 1), None, {"customers": 1, "new_customers": 1}),
        (date(2026, 11, 30), None, {"customers": 1, "new_customers": 1}),
        (date(2026, 12, 1), None, {}),
        (date(2026, 10, 31), None, {"customers": 1}),
        (date(2026, 10, 31), date(2026, 10, 31), {"retained_customers": 1}),
        (date(2026, 10, 31), date(2026, 11, 1), {"retained_customers": 1, "lost_customers": 1}),
        (date(2026, 10, 31), date(2026, 11, 30), {"retained_customers": 1, "lost_customers": 1}),
        (date(2026, 10, 31), date(2026, 12, 1), {"customers": 1}),
        (
            date(2026, 11, 2),
            date(2026, 11, 3),
            {"retained_customers": 1, "lost_customers": 1, "new_customers": 1},
        ),
    ],
)
async def test_the_edges_of_a_period(
    city: Database, post: PostOffice, entry: date, left: date | None, expected: dict[str, int]
) -> None:
    await inhabit(city, person(entry, left))

    await count(city, post, "2026-11")

    cells = await stored(city, "customer", "2026-11")
    found = {code: value for cell in cells.values() for code, value in cell.items()}
    watched = ("customers", "new_customers", "lost_customers", "retained_customers")
    assert {code: found[code] for code in watched if code in found} == expected


@pytest.mark.parametrize(
    ("entry", "left", "band"),
    [
        (date(2025, 10, 31), None, "0-12"),  # 12 months and 30 days on 30 November
        (date(2025, 10, 30), None, "13-24"),
        (date(2024, 10, 31), None, "13-24"),
        (date(2024, 10, 30), None, "25-48"),
        (date(2022, 10, 30), None, "49-60"),
        (date(2021, 10, 31), None, "49-60"),
        (date(2021, 10, 30), None, "61+"),
        (date(2021, 10, 30), date(2022, 10, 1), "0-12"),
    ],
)
async def test_the_edges_of_tenure(
    city: Database, post: PostOffice, entry: date, left: date | None, band: str
) -> None:
    await inhabit(city, person(entry, left))

    await count(city, post, "2026-11")

    (key,) = await stored(city, "customer", "2026-11")
    assert key[2] == band


async def test_the_slice_is_posted_to_hq_as_it_is_kept(city: Database, post: PostOffice) -> None:
    await inhabit(city, seed="posted", number=50)

    counted = await count(city, post, "2026-11")

    messages = await posted(city)
    assert [(each.dataset, each.revision) for each in counted] == [("customer", 1), ("revenue", 1)]
    assert [(lane, to) for lane, to, _ in messages] == [("rollup", "000000")] * 2
    for said, (_, _, message) in zip(counted, messages, strict=True):
        slice_ = message.verified()
        assert (slice_.content.node, slice_.computed_at) == (CITY, NOON)
        assert (slice_.content.hash, slice_.content.row_count) == (said.hash, said.row_count)
        assert slice_.reason is None


async def test_the_first_word_on_a_closed_month_says_why(city: Database, post: PostOffice) -> None:
    async with city.transaction() as session:
        session.add(StatisticsLimit(month="2026-10", node=CITY, closing=1, revisions={}))

    await count(city, post, "2026-10", reason="billing system was corrected")

    assert [(message.revision, message.reason) for _, _, message in await posted(city)] == [
        (1, "billing system was corrected")
    ] * 2


async def test_counting_again_what_has_not_changed_says_nothing(
    city: Database, post: PostOffice
) -> None:
    await inhabit(city, seed="again", number=50)
    first = await count(city, post, "2026-11")

    again = await count(city, post, "2026-11", now=NOON + timedelta(days=1), reason="curiosity")

    assert [each.changed for each in first] == [True, True]
    assert [(each.revision, each.changed) for each in again] == [(1, False), (1, False)]
    assert len(await posted(city)) == 2


@pytest.mark.parametrize(("reason", "kept"), [(None, "recomputed"), ("late bills", "late bills")])
async def test_what_has_changed_is_restated_with_a_reason_and_nothing_else(
    city: Database, post: PostOffice, reason: str | None, kept: str
) -> None:
    people = await inhabit(city, seed="restated", number=50)
    await count(city, post, "2026-11")
    billed = next(line for each in people for line in each.lines if date(2026, 11, 1) in line.bills)
    async with city.transaction() as session:
        await session.execute(
            text(
                "UPDATE bill SET charge_fen = charge_fen + 1 WHERE subscription_id = :id AND period = '2026-11-01'"
            ),
            {"id": billed.id},
        )
    billed.bills[date(2026, 11, 1)] += 1

    again = await count(city, post, "2026-11", now=NOON + timedelta(days=1), reason=reason)

    assert [(each.dataset, each.revision, each.changed) for each in again] == [
        ("customer", 1, False),
        ("revenue", 2, True),
    ]
    assert await stored(city, "revenue", "2026-11") == count_bills(people, Period.parse("2026-11"))
    lane, _, message = (await posted(city))[-1]
    assert (lane, message.revision, message.reason) == ("rollup", 2, kept)


async def test_going_back_to_former_figures_is_a_restatement_too(
    city: Database, post: PostOffice
) -> None:
    await inhabit(city, person(date(2026, 11, 1)))

    revisions = []
    for charge in (5, 6, 5):
        async with city.transaction() as session:
            await session.execute(
                text("UPDATE customer SET monthly_charge_fen = :fen"), {"fen": charge}
            )
        revisions.append((await count(city, post, "2026-11"))[0])

    assert [each.revision for each in revisions] == [1, 2, 3]
    assert revisions[0].hash == revisions[2].hash


async def test_a_city_without_customers_says_zero(city: Database, post: PostOffice) -> None:
    counted = await count(city, post, "2026-11")

    assert [(each.row_count, each.changed) for each in counted] == [(0, True), (0, True)]
    for _, _, message in await posted(city):
        assert message.verified().content.cells == ()
        assert set(message.control_totals.values()) == {0}


async def test_a_day_has_no_revenue_slice(city: Database, post: PostOffice) -> None:
    assert [each.dataset for each in await count(city, post, "2026-11-23")] == ["customer"]


@pytest.mark.parametrize("period", ["2026-12", "2026-11-24", "2027-01-01"])
async def test_the_future_is_not_counted(city: Database, post: PostOffice, period: str) -> None:
    with pytest.raises(PeriodNotBegun, match=period):
        await count(city, post, "2026-11", period)

    assert await posted(city) == []


async def test_two_roll_ups_at_once_take_turns(city: Database, post: PostOffice) -> None:
    await inhabit(city, seed="at once", number=50)

    both = await asyncio.gather(count(city, post, "2026-11"), count(city, post, "2026-11"))

    changed = sorted(tuple(each.changed for each in counted) for counted in both)
    assert changed == [(False, False), (True, True)]
    assert len(await posted(city)) == 2


async def test_all_datasets_are_counted_as_of_one_moment(
    city: Database, post: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    newcomer = person(date(2026, 11, 2))
    newcomer.lines.append(Line(newcomer.id, date(2026, 11, 2), None, {date(2026, 11, 1): 700}))
    counting = repository.count

    async def count_then_move_in(session: Any, dataset: Any, *how: Any) -> Any:
        counted = await counting(session, dataset, *how)
        if dataset.code == "customer":
            await inhabit(city, newcomer)  # business goes on, in a transaction of its own
        return counted

    monkeypatch.setattr(repository, "count", count_then_move_in)
    before = await count(city, post, "2026-11")
    monkeypatch.undo()
    after = await count(city, post, "2026-11")

    assert [each.row_count for each in before] == [0, 0]
    assert [each.row_count for each in after] == [1, 1]


async def test_a_roll_up_that_fails_leaves_nothing(
    city: Database, post: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    await inhabit(city, seed="fails", number=20)

    async def fail(*_: Any, **__: Any) -> None:
        raise ConnectionError("the outbox is gone")

    monkeypatch.setattr(post, "post", fail)
    with pytest.raises(ConnectionError):
        await count(city, post, "2026-11")
    monkeypatch.undo()

    async with city.transaction() as session:
        assert (await session.scalars(select(StatisticsSlice))).all() == []
    assert [each.revision for each in await count(city, post, "2026-11")] == [1, 1]
