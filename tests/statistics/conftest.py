"""An HQ node that does nothing but statistics, and its analyst."""

from collections.abc import Awaitable, Callable

import pytest

from shared import organisation, staff, statistics
from shared.capability import Role
from tests.conftest import MakeNode, TestNode
from tests.statistics.registered_cities import CITIES, Headers, enter


@pytest.fixture
async def hq(make_node: MakeNode) -> TestNode:
    capabilities = (organisation.capability, staff.capability, statistics.capability)
    node = await make_node("000000", capabilities)
    await enter(node, *CITIES)
    return node


@pytest.fixture
async def analyst(hq: TestNode, sign_in: Callable[..., Awaitable[Headers]]) -> Headers:
    return await sign_in(hq, Role.HQ_ANALYST)
