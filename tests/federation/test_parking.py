"""Parked messages: their origin hears of them, and operators mend them in order."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text

from shared.federation import inbox
from shared.federation.models import InboxMessage, InboxState, Lane
from shared.federation.notices import TYPES
from shared.federation.parking import Mended, Parking
from shared.federation.problems import (
    DiscardNotProposed,
    MessageNotArrived,
    MessageNotParked,
)
from shared.federation.receiver import BEHIND
from shared.federation.records import Notice, NoticeKind
from shared.kernel.second_person import SecondPersonNeeded
from tests.conftest import Nation, TestNode
from tests.federation.conftest import COUNTED, ECHOED, numbers_at, parked_at, post_numbers


async def notices_at(node: TestNode) -> list[Notice]:
    """What a node was told of its own messages."""
    async with node.database.transaction() as session:
        return list(await session.scalars(select(Notice).order_by(Notice.at, Notice.id)))


async def retry(node: TestNode, arrival: int) -> Mended:
    """Retry as an operator of the node does."""
    async with node.database.transaction() as session:
        return await parking(node, session).retry(arrival)


def parking(node: TestNode, session: Any) -> Parking:
    return Parking(session, node.app.state.receiver, node.context.post, node.clock.now())


async def break_counting(node: TestNode) -> None:
    """Let every message that counts fail for good, until :func:`mend_counting`."""
    async with node.database.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE test_effect RENAME TO test_effect_away"))


async def mend_counting(node: TestNode) -> None:
    async with node.database.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE test_effect_away RENAME TO test_effect"))


async def test_the_origin_hears_once_of_what_is_parked_for_good(line: Nation) -> None:
    city, hq = line["440300"], line["000000"]
    await post_numbers(city, "000000", 1, poison=True)
    await post_numbers(city, "000000", 2)
    await line.settle()
    first, behind = await parked_at(hq)
    for row in (first, behind):
        assert (await retry(hq, row.arrival)).state is InboxState.PARKED
    await line.settle()

    (notice,) = await notices_at(city)
    assert behind.reason == BEHIND
    assert (notice.message_id, notice.type, notice.kind, notice.node, notice.reason) == (
        first.message_id,
        COUNTED,
        NoticeKind.PARKED,
        "000000",
        "MessageRefused: Number 1 is poison.",
    )


async def test_nobody_is_told_of_a_message_that_waits_for_the_registry(line: Nation) -> None:
    city, hq = line["440300"], line["000000"]
    await post_numbers(city, "000000", 1)
    async with hq.database.engine.begin() as connection:
        await connection.execute(text("DELETE FROM federation_registry WHERE code = '440300'"))
    await line.settle()

    assert len(await parked_at(hq)) == 1
    assert await notices_at(city) == []


@pytest.mark.parametrize("kind", list(NoticeKind))
async def test_a_notice_that_is_parked_causes_no_notice(line: Nation, kind: NoticeKind) -> None:
    """Two nodes that do not understand each other's notices would otherwise go on for ever."""
    city, hq = line["440300"], line["000000"]
    async with city.database.transaction() as session:
        await city.context.post.post(
            session,
            TYPES[kind],
            "000000",
            {"not": "a notice"},
            lane=Lane.CONTROL,
            partition_key="k",
            now=city.clock.now(),
        )
    await line.settle()
    (parked,) = await parked_at(hq)
    async with hq.database.transaction() as session:
        await parking(hq, session).propose_discard(parked.arrival, "nonsense", by="li")
        await parking(hq, session).approve_discard(parked.arrival, by="wang")
    await line.settle()

    assert await notices_at(city) == []
    assert await notices_at(hq) == []


async def test_a_reason_that_no_database_can_keep_stops_no_lane(line: Nation) -> None:
    city, hq = line["440300"], line["000000"]
    await post_numbers(city, "000000", "a\x00b" * 1000, key="a", poison=True)  # type: ignore[arg-type]
    await post_numbers(city, "000000", 2, key="b")
    await line.settle()

    assert await numbers_at(hq) == [2]
    (notice,) = await notices_at(city)
    assert notice.reason.startswith("MessageRefused: Number a�b")
    assert len(notice.reason) == 1000


async def test_a_retry_handles_what_is_mended_and_those_behind_in_order(line: Nation) -> None:
    city, hq = line["440300"], line["000000"]
    await break_counting(hq)
    await post_numbers(city, "000000", 1, 2, 3, key="a")
    await post_numbers(city, "000000", 4, key="b")
    await line.settle()
    await mend_counting(hq)
    await post_numbers(city, "000000", 5, key="a")
    await line.settle()
    assert await numbers_at(hq) == []
    of_a = [row for row in await parked_at(hq) if row.partition_key == "a"]

    mended = await retry(hq, of_a[-1].arrival)
    again = await retry(hq, of_a[-1].arrival)
    await line.settle()

    assert (mended.state, mended.reason, mended.settled, mended.parked) == (
        InboxState.HANDLED,
        None,
        4,
        0,
    )
    assert (again.state, again.settled) == (InboxState.HANDLED, 0)
    assert await numbers_at(hq) == [1, 2, 3, 5]
    assert await numbers_at(city, ECHOED) == [1, 2, 3, 5]
    assert [row.partition_key for row in await parked_at(hq)] == ["b"]


async def test_a_retry_goes_as_far_as_the_next_poison(line: Nation) -> None:
    city, hq = line["440300"], line["000000"]
    await break_counting(hq)
    await post_numbers(city, "000000", 1)
    await post_numbers(city, "000000", 2, poison=True)
    await post_numbers(city, "000000", 3)
    await line.settle()
    await mend_counting(hq)

    mended = await retry(hq, (await parked_at(hq))[0].arrival)
    await line.settle()

    assert (mended.state, mended.settled, mended.parked) == (InboxState.HANDLED, 1, 2)
    assert await numbers_at(hq) == [1]
    assert [notice.reason for notice in await notices_at(city)] == [
        "ProgrammingError: an error of node 000000, whose operators see more.",
        "MessageRefused: Number 2 is poison.",
    ], "what an error quotes stays at the node"


async def test_what_arrives_during_a_retry_is_not_left_behind_it(line: Nation) -> None:
    city, province = line["440300"], line["440000"]
    await break_counting(province)
    await post_numbers(city, "440000", 1)
    await line.settle()
    await mend_counting(province)
    (parked,) = await parked_at(province)
    await post_numbers(city, "440000", 2)
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    async with province.database.transaction() as session:
        await parking(province, session).retry(parked.arrival)
        pushed = asyncio.ensure_future(city.node.dialler.push(Lane.REQUEST))
        async with province.database.engine.connect() as watching:
            while not (await watching.scalar(waiting)) and not pushed.done():
                await watching.rollback()  # the view stands still within a transaction
    await pushed
    await line.settle()

    assert await numbers_at(province) == [1, 2]
    assert await parked_at(province) == []


async def test_two_people_discard_a_message_and_those_behind_it_flow(line: Nation) -> None:
    city, hq = line["440300"], line["000000"]
    await post_numbers(city, "000000", 1)
    await post_numbers(city, "000000", 2, poison=True)
    await post_numbers(city, "000000", 3, 4)
    await line.settle()
    poison = (await parked_at(hq))[0]
    async with hq.database.transaction() as session:
        desk = parking(hq, session)
        with pytest.raises(DiscardNotProposed):
            await desk.approve_discard(poison.arrival, by="wang")
        await desk.propose_discard(poison.arrival, "sent by mistake", by="li")
        with pytest.raises(SecondPersonNeeded, match="li proposed"):
            await desk.approve_discard(poison.arrival, by="li")
    await line.settle()
    assert await numbers_at(hq) == [1], "a proposal changes nothing"

    async with hq.database.transaction() as session:
        mended = await parking(hq, session).approve_discard(poison.arrival, by="wang")
    await line.settle()

    assert (mended.state, mended.settled, mended.parked) == (InboxState.DISCARDED, 2, 0)
    assert await numbers_at(hq) == [1, 3, 4]
    async with hq.database.transaction() as session:
        row = await inbox.arrived(session, poison.arrival)
        assert row is not None
        assert (row.state, row.discard_reason, row.discard_proposed_by, row.discarded_by) == (
            InboxState.DISCARDED,
            "sent by mistake",
            "li",
            "wang",
        )
        assert row.settled_at is not None
        assert row.reason == "MessageRefused: Number 2 is poison."
    assert [(n.kind, n.message_id, n.reason) for n in await notices_at(city)] == [
        (NoticeKind.PARKED, poison.message_id, "MessageRefused: Number 2 is poison."),
        (NoticeKind.DISCARDED, poison.message_id, "sent by mistake"),
    ]


async def test_what_is_discarded_or_handled_cannot_be_discarded(line: Nation) -> None:
    city, hq = line["440300"], line["000000"]
    await post_numbers(city, "000000", 1)
    await line.settle()
    async with hq.database.transaction() as session:
        handled = (
            await session.scalars(select(InboxMessage.arrival).where(InboxMessage.type == COUNTED))
        ).one()
        desk = parking(hq, session)
        with pytest.raises(MessageNotParked, match="is handled, not parked"):
            await desk.propose_discard(handled, "no need", by="li")
        with pytest.raises(MessageNotParked):
            await desk.approve_discard(handled, by="wang")
        with pytest.raises(MessageNotArrived):
            await desk.retry(10**9)
    assert await numbers_at(hq) == [1]
