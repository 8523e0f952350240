"""Shenzhen with two teams and its staff; and two cities with messages carried by hand."""

from collections.abc import AsyncIterator

import pytest

from shared.capability import Role
from shared.kernel.embedded_postgres import EmbeddedPostgres
from tests.city.drafts import Headers, SignIn, make_city
from tests.city.two_cities import (
    MSISDN,
    OTHER_DOCUMENT,
    OTHER_HALL,
    TwoCities,
    add_line,
    load_cards,
    two_cities,
)
from tests.conftest import MakeNode, TestNode


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    return await make_city(make_node)


@pytest.fixture
async def clerk(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.CLERK)


@pytest.fixture
async def supervisor(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.SUPERVISOR)


@pytest.fixture(scope="session")
async def pair(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TwoCities]:
    async with two_cities(postgres, template, tmp_path_factory.mktemp("cities")) as made:
        yield made


@pytest.fixture
async def cities(pair: TwoCities) -> TwoCities:
    """Home has one line and another customer's; the hall in the visited city has two cards, another hall one."""
    await pair.empty()
    await add_line(pair.home, MSISDN)
    await add_line(pair.home, "13900000000", document=OTHER_DOCUMENT, place=2)
    await load_cards(pair.visited, 2)
    await load_cards(pair.visited, 1, unit=OTHER_HALL, first=100)
    return pair
