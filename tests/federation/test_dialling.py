"""When a child calls its parent again."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest
import structlog
from sqlalchemy import select

from shared.federation.dialling import LONGEST_AWAY
from shared.federation.link import LinkDown, ParentAway
from shared.federation.models import Lane, Peer
from shared.kernel.backoff import LONGEST_BACKOFF, SHORTEST_BACKOFF
from tests.conftest import Nation
from tests.federation.conftest import numbers_at, post_numbers


async def test_a_clock_that_is_put_back_does_not_keep_the_link_down(line: Nation) -> None:
    city, province = line["440300"], line["440000"]
    await post_numbers(city, province.code, 1)
    line.clock.advance(timedelta(minutes=10))
    line.network.cut.add(province.code)
    pause = await city.node.dialling.attempt(lambda: city.node.dialler.push(Lane.REQUEST))
    assert pause is not None

    line.network.cut.clear()
    waiting = await city.node.dialling.attempt(lambda: city.node.dialler.push(Lane.REQUEST))
    assert waiting is not None
    assert 0 < waiting <= pause
    line.clock.advance(timedelta(minutes=-10))

    assert await city.node.dialling.attempt(lambda: city.node.dialler.push(Lane.REQUEST)) is None
    assert await numbers_at(province) == [1]


async def test_a_parent_that_was_away_for_hours_is_reached_within_seconds_of_its_return(
    line: Nation,
) -> None:
    city, province = line["440300"], line["440000"]
    await post_numbers(city, province.code, 1)
    line.network.cut.add(province.code)
    for _ in range(40):
        pause = await city.node.dialling.attempt(lambda: city.node.dialler.push(Lane.REQUEST))
        assert pause is not None
        assert pause <= LONGEST_AWAY
        line.clock.advance(timedelta(seconds=pause))

    line.network.cut.clear()
    assert await city.node.dialling.attempt(lambda: city.node.dialler.push(Lane.REQUEST)) is None
    assert await numbers_at(province) == [1]


async def test_a_parent_that_fails_requests_is_left_alone_for_longer_and_longer(
    line: Nation,
) -> None:
    city = line["440300"]

    async def fail() -> int:
        raise LinkDown("no answer in time")

    longest = 0.0
    for _ in range(40):
        pause = await city.node.dialling.attempt(fail)
        assert pause is not None
        longest = max(longest, pause)
        line.clock.advance(timedelta(seconds=pause))
    assert LONGEST_AWAY < longest <= LONGEST_BACKOFF


async def test_the_time_that_a_parent_was_away_is_not_held_against_it(line: Nation) -> None:
    city = line["440300"]

    async def find_nobody() -> int:
        raise ParentAway("connection refused")

    async def fail() -> int:
        raise LinkDown("no answer in time")

    for _ in range(40):
        pause = await city.node.dialling.attempt(find_nobody)
        line.clock.advance(timedelta(seconds=pause or 0))
    pause = await city.node.dialling.attempt(fail)
    assert pause is not None
    assert pause <= SHORTEST_BACKOFF


WRITING_WAITS = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def test_a_failure_that_another_lane_overtakes_is_told_all_the_same(
    line: Nation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One task reaches the parent while another is still writing down that it could not."""
    city, province = line["440300"], line["440000"]
    dialling, pool = city.node.dialling, await city.database.pool()
    under_way = asyncio.Event()

    async def reach() -> int:
        under_way.set()
        while not await pool.fetchval(WRITING_WAITS):
            pass
        return 0

    async def fail() -> int:
        raise LinkDown("no route")

    told = structlog.testing.CapturingLogger()
    monkeypatch.setattr("shared.federation.dialling.log", told)
    reaching = asyncio.create_task(dialling.attempt(reach))
    await under_way.wait()
    async with city.database.transaction() as session:
        await session.execute(select(Peer.code).where(Peer.code == province.code).with_for_update())
        failing = asyncio.create_task(dialling.attempt(fail))
        assert await reaching is None
    assert await failing is not None
    assert [call.args for call in told.calls] == [("the parent cannot be reached",)]


@pytest.mark.parametrize(
    ("error", "defects"),
    [(asyncpg.TooManyConnectionsError("too many clients"), 0), (ZeroDivisionError("a slip"), 1)],
)
async def test_a_database_that_is_away_is_no_defect(
    line: Nation, error: Exception, defects: int
) -> None:
    async def fail() -> int:
        raise error

    with structlog.testing.capture_logs() as logs:
        pause = await line["440300"].node.dialling.attempt(fail)
    assert pause == SHORTEST_BACKOFF
    assert sum(entry["log_level"] == "error" for entry in logs) == defects
