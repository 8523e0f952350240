"""What has been settled long ago is forgotten; what is parked, or not acknowledged, never is."""

from datetime import timedelta

from sqlalchemy import func, select

from shared.federation.models import InboxMessage, Lane, OutboxMessage
from tests.conftest import Nation
from tests.federation.conftest import COUNTED, numbers_at, parked_at, post_numbers


async def test_only_settled_messages_past_their_time_are_forgotten(line: Nation) -> None:
    city, province = line["440300"], line["440000"]
    await post_numbers(city, "440000", 1, 2)
    await post_numbers(city, "440000", 3, key="bad", poison=True)
    await line.settle()
    line.clock.advance(timedelta(days=399))
    await province.node.background.run_job("tidy")
    assert await _counted(line, "440000") == 3
    await post_numbers(city, "440000", 4)
    await line.settle()
    line.clock.advance(timedelta(days=2))
    await province.node.background.run_job("tidy")
    assert await _counted(line, "440000") == 2
    assert [row.partition_key for row in await parked_at(province)] == ["bad"]
    assert await numbers_at(province) == [1, 2, 4]


async def test_what_was_sent_is_forgotten_after_its_receipt_only(line: Nation) -> None:
    city = line["440300"]
    await post_numbers(city, "440000", 1)
    await line.settle()
    line.network.cut.add("440000")
    await post_numbers(city, "440000", 2)
    line.clock.advance(timedelta(days=31))
    await city.node.background.run_job("tidy")
    async with city.database.transaction() as session:
        left = await session.scalar(
            select(func.count())
            .select_from(OutboxMessage)
            .where(OutboxMessage.lane == Lane.REQUEST, OutboxMessage.type == COUNTED)
        )
    assert left == 1
    line.network.cut.clear()
    await line.settle()
    assert await numbers_at(line["440000"]) == [1, 2]


async def _counted(line: Nation, code: str) -> int | None:
    async with line[code].database.transaction() as session:
        return await session.scalar(
            select(func.count()).select_from(InboxMessage).where(InboxMessage.type == COUNTED)
        )
