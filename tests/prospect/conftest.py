"""A city that searches for prospects."""

from typing import Any

import pytest

from services.city_node import prospect
from shared.capability import Role
from tests.city.drafts import Headers, SignIn, make_city
from tests.conftest import MakeNode, TestNode
from tests.evaluation.conftest import EVALUATING
from tests.prospect.acting import with_bills

SEARCHING = (*EVALUATING, prospect.capability)


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    return await make_city(make_node, SEARCHING)


@pytest.fixture
async def clerk(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.CLERK)


@pytest.fixture
async def manager(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.ACCOUNT_MANAGER)


@pytest.fixture
async def supervisor(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.SUPERVISOR)


@pytest.fixture
async def customer(city: TestNode, supervisor: Headers) -> dict[str, Any]:
    """Somebody near silver: 280 yuan a month, and it takes 300."""
    return await with_bills(city, supervisor, 28_000)
