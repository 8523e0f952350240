"""A city that evaluates its customers."""

import pytest

from services.city_node import credit, evaluation, level, proposal
from shared import policy, work
from shared.capability import Role
from tests.city.drafts import CAPABILITIES, Headers, SignIn, make_city
from tests.conftest import MakeNode, TestNode

EVALUATING = (
    *CAPABILITIES,
    proposal.capability,
    evaluation.capability,
    level.capability,
    credit.capability,
    policy.capability,
    work.capability,
)


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    return await make_city(make_node, EVALUATING)


@pytest.fixture
async def clerk(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.CLERK)


@pytest.fixture
async def supervisor(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.SUPERVISOR)


@pytest.fixture
async def second(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.SUPERVISOR)
