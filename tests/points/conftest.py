"""Shenzhen with points, and its staff."""

import pytest

from shared.capability import Role
from tests.city.drafts import Headers, SignIn, make_city
from tests.conftest import MakeNode, TestNode
from tests.points.city import WITH_POINTS


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    return await make_city(make_node, WITH_POINTS)


@pytest.fixture
async def clerk(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.CLERK)


@pytest.fixture
async def supervisor(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.SUPERVISOR)


@pytest.fixture
async def second(city: TestNode, sign_in: SignIn) -> Headers:
    """Another supervisor."""
    return await sign_in(city, Role.SUPERVISOR)
