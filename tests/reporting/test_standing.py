"""Which revision is in force: whatever the order in which slices, closes, reopenings and decisions arrive."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import Database
from shared.kernel.settings import HQ_CODE
from shared.reporting.statement import Said, Standing, standing_of
from shared.statistics import repository, standing
from shared.statistics.models import StatisticsSlice
from tests.examples import examples
from tests.statistics.slices_by_hand import GOLD_MAN, slice_of

CITY, PROVINCE, MONTH, DATASET = "440300", "440000", "2026-10", "customer"
BEGAN = datetime(2026, 11, 2, 4, tzinfo=UTC)


def act(number: int, revision: int | None) -> Said:
    """HQ closes the month with a revision, or, without one, reopens it."""
    return Said(
        kind="reopened" if revision is None else "closed",
        publisher=HQ_CODE,
        node=CITY,
        month=MONTH,
        number=number,
        revisions=None if revision is None else {MONTH: {DATASET: revision} if revision else {}},
        said_at=BEGAN + timedelta(days=number),
        said_by="hq",
    )


def decision(
    number: int, revision: int, *, approved: bool, publisher: str = PROVINCE, after: int = 0
) -> Said:
    return Said(
        kind="approved" if approved else "rejected",
        publisher=publisher,
        node=CITY,
        month=MONTH,
        number=number,
        period=MONTH,
        dataset=DATASET,
        revision=revision,
        said_at=BEGAN + timedelta(days=number, hours=1 + after),
        said_by="coordinator",
    )


def limit_of(said: Sequence[Said]) -> int | None:
    found: Standing = standing_of([(str(at), each) for at, each in enumerate(said)])
    return None if found.revisions is None else found.revisions.get(MONTH, {}).get(DATASET, 0)


def test_hq_overrules_a_province_and_the_first_word_of_one_node_counts() -> None:
    closed = act(1, 2)
    approved = decision(1, 3, approved=True)
    assert limit_of([closed, approved]) == 3
    assert limit_of([closed, approved, decision(1, 3, approved=False, after=1)]) == 3
    overruled = decision(1, 3, approved=False, publisher=HQ_CODE, after=5)
    assert limit_of([overruled, approved, closed]) == 2


def test_what_was_decided_in_one_closing_says_nothing_in_the_next() -> None:
    said = [act(1, 2), decision(1, 3, approved=True), act(2, None), act(3, 2)]
    assert limit_of(said) == 2
    assert limit_of(said[:3]) is None


@dataclass(frozen=True)
class History:
    """What happened, in the order in which it happened, and what is true after it.

    Attributes:
        revisions: how many the city has made.
        said: what HQ and the province said.
        in_force: the revision that should be in force; 0 for none.
    """

    revisions: int
    said: tuple[Said, ...]
    in_force: int


@st.composite
def histories(draw: st.DrawFn) -> History:
    """A plain model: one place, where everything is known at once and happens in one order."""
    revisions, in_force, number, is_closed = 0, 0, 0, False
    waiting: set[int] = set()
    said: list[Said] = []
    for step in draw(st.lists(st.sampled_from(("slice", "slice", "act", "decide")), max_size=10)):
        if step == "slice":
            revisions += 1
            if is_closed:
                waiting.add(revisions)
            else:
                in_force = revisions
        elif step == "act":
            number += 1
            said.append(act(number, None if is_closed else in_force))
            is_closed = not is_closed
            waiting.clear()
            if not is_closed:
                in_force = revisions
        elif waiting:
            chosen = draw(st.sampled_from(sorted(waiting)))
            approved = draw(st.booleans())
            waiting.discard(chosen)
            said.append(decision(number, chosen, approved=approved))
            if approved:
                in_force = max(in_force, chosen)
    return History(revisions, tuple(said), in_force)


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_in_which_statements_are_heard_does_not_matter(
    history: History, dice: Random
) -> None:
    heard = list(history.said)
    dice.shuffle(heard)
    most = limit_of(heard)
    assert most == limit_of(history.said)
    in_force = history.revisions if most is None else min(most, history.revisions)
    assert in_force == history.in_force


async def in_force(session: AsyncSession) -> list[int]:
    found = await session.scalars(
        select(StatisticsSlice.revision).where(StatisticsSlice.superseded_at.is_(None))
    )
    return list(found)


async def keep(session: AsyncSession, said: Sequence[Said], now: datetime) -> None:
    found = standing_of([(str(at), each) for at, each in enumerate(said)])
    limits = None if found.revisions is None else (found.number, found.revisions)
    await standing.keep_limits(session, MONTH, {CITY: limits}, now=now)


@settings(
    max_examples=examples(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories(), dice=st.randoms(use_true_random=False))
async def test_a_node_comes_to_the_same_in_whatever_order_news_arrive(
    database: Database, history: History, dice: Random
) -> None:
    news: list[int | Said] = [*range(1, history.revisions + 1), *history.said]
    dice.shuffle(news)
    heard: list[Said] = []
    async with database.transaction() as session:
        await session.execute(text("TRUNCATE statistics_slice, statistics_limit CASCADE"))
        for at, each in enumerate(news):
            now = BEGAN + timedelta(days=30, minutes=at)
            if isinstance(each, Said):
                heard.append(each)
                await keep(session, heard, now)
            else:
                slice_ = slice_of(
                    CITY, {GOLD_MAN: {"customers": each}}, revision=each, period=MONTH
                )
                await repository.store(session, slice_, received_at=now)
            assert len(await in_force(session)) <= 1
        assert await in_force(session) == ([history.in_force] if history.in_force else [])


async def test_a_slice_that_makes_way_and_comes_back_is_known_for_both_times(
    database: Database,
) -> None:
    async def known(session: AsyncSession, hours: float) -> list[int]:
        found = await repository.chosen_slices(
            session,
            {DATASET: ["customers"]},
            [MONTH],
            [CITY],
            as_known_at=BEGAN + timedelta(hours=hours),
        )
        return [each.revision for each in found]

    async with database.transaction() as session:
        for revision in (1, 2):
            slice_ = slice_of(CITY, {GOLD_MAN: {"customers": 1}}, revision=revision, period=MONTH)
            at = BEGAN + timedelta(hours=revision)
            await repository.store(session, slice_, received_at=at)
        await keep(session, [act(1, 1)], BEGAN + timedelta(hours=3))
        assert await in_force(session) == [1]
        await keep(session, [act(1, 1), act(2, None)], BEGAN + timedelta(hours=4))
        assert await in_force(session) == [2]

        times = (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5)
        told = [await known(session, each) for each in times]
    assert told == [[], [1], [1], [2], [2], [1], [1], [2], [2]]
