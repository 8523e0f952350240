"""What a city's roll-up says besides: that figures counted before the end still hold, and why closed ones change."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from services.city_node import rollup
from services.city_node.rollup.service import roll_up
from shared.capability import Role
from shared.reporting.models import ReportingConfirmation
from shared.reporting.problems import RestatementUnexplained
from shared.statistics.models import StatisticsSlice
from shared.statistics.period import Period
from tests.conftest import Nation, TestNode
from tests.reporting.conftest import CAPABILITIES
from tests.reporting.saying import NOVEMBER, Headers, ask, close

SignIn = Callable[..., Awaitable[Headers]]
MONTH = Period.parse(NOVEMBER)
CITY, HQ = "440300", "000000"


@pytest.fixture
async def three(joined: Callable[..., Awaitable[Nation]]) -> Nation:
    return await joined((HQ, "440000", CITY), (*CAPABILITIES, rollup.capability))


async def count(node: TestNode, **how: Any) -> None:
    now = node.clock.now()
    await roll_up(node.database, node.context.post, [MONTH], datasets=["customer"], now=now, **how)


async def kept(node: TestNode) -> tuple[int, int]:
    """Return how many slices and how many confirmations a node has."""
    async with node.database.transaction() as session:
        slices = await session.scalar(select(func.count()).select_from(StatisticsSlice))
        confirmed = await session.scalar(select(func.count()).select_from(ReportingConfirmation))
        return slices or 0, confirmed or 0


async def test_figures_that_still_hold_after_the_end_are_confirmed_once(
    three: Nation, sign_in: SignIn
) -> None:
    async def state() -> str:
        analyst = await sign_in(three[HQ], Role.HQ_ANALYST)
        board = await ask(three[HQ], "board", analyst, period=NOVEMBER, dataset="customer")
        return str(board["slices"][0]["state"])

    await count(three[CITY])
    await three.settle()
    three.clock.advance(timedelta(days=7, hours=14))  # two o'clock in the morning of the first
    assert await state() == "awaited"

    for _ in range(2):
        await count(three[CITY])
        await three.settle()

    assert await state() == "on_time"
    for node in three.nodes.values():
        assert await kept(node) == (1, 1), node.code


async def test_counting_a_closed_month_by_hand_needs_a_reason(
    three: Nation, sign_in: SignIn
) -> None:
    three.clock.advance(timedelta(days=8))
    await count(three[CITY])
    await three.settle()
    people = [await sign_in(three[HQ], Role.HQ_ANALYST) for _ in range(2)]
    await close(three, people[0], people[1])

    with pytest.raises(RestatementUnexplained):
        await count(three[CITY])
    await count(three[CITY], reason="billing was corrected")
    supervisor = await sign_in(three[CITY], Role.SUPERVISOR)
    answer = await three[CITY].client.post(
        "/statistics/rollups", json={"period": NOVEMBER}, headers=supervisor
    )
    assert answer.json()["type"] == "urn:guanxi:problem:restatement-unexplained"
