"""HQ with figures of two cities, and its analyst."""

from collections.abc import Awaitable, Callable

import pytest

from shared.capability import Role
from tests.conftest import MakeNode, TestNode
from tests.statistics.registered_cities import CITIES, Headers, enter, keep
from tests.statistics.slices_by_hand import GOLD_MAN, STANDARD_MAN, slice_of
from tests.statistics_report.kept import CAPABILITIES

SignIn = Callable[..., Awaitable[Headers]]


@pytest.fixture
async def hq(make_node: MakeNode) -> TestNode:
    node = await make_node("000000", CAPABILITIES)
    await enter(node, *CITIES)
    await keep(
        node,
        slice_of("440300", {GOLD_MAN: {"customers": 3}}, period="2026-10"),
        slice_of("110100", {STANDARD_MAN: {"customers": 7}}, period="2026-10"),
        slice_of("110100", {STANDARD_MAN: {"customers": 8}}),
    )
    return node


@pytest.fixture
async def analyst(hq: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(hq, Role.HQ_ANALYST)
