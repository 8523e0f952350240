"""HQ with figures of three cities, and analysts' ways to them."""

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from shared import analysis, audit, organisation, policy, staff, statistics
from shared.analysis import analyst
from shared.capability import Role
from shared.statistics.period import Period
from shared.statistics.slices import Content, Slice
from tests.conftest import MakeNode, TestNode
from tests.statistics.registered_cities import CITIES, Headers, enter, keep
from tests.statistics.slices_by_hand import (
    COMPUTED,
    GOLD_MAN,
    GOLD_WOMAN,
    STANDARD_MAN,
    slice_of,
)

CAPABILITIES = (
    organisation.capability,
    staff.capability,
    audit.capability,
    policy.capability,
    statistics.capability,
    analysis.capability,
)
SignIn = Callable[..., Awaitable[Headers]]


def groups_of(node: str, cells: dict[tuple[str, str, str], int], *, revision: int = 1) -> Slice:
    """A slice of groups, by industry, size and level."""
    content = Content.of(
        "group",
        node,
        Period.parse("2026-11"),
        dimensions=("industry", "enterprise_size", "level"),
        measures=("groups",),
        cells=[(key, [value]) for key, value in cells.items()],
    )
    return Slice(content, revision, None if revision == 1 else "recomputed", COMPUTED)


async def keep_november(node: TestNode) -> None:
    """Figures of three cities, of several datasets, of months and days."""
    await keep(
        node,
        slice_of(
            "440300",
            {
                GOLD_MAN: {"customers": 2, "new_customers": 1, "monthly_charge_fen": 700},
                STANDARD_MAN: {"customers": 10, "monthly_charge_fen": 900},
            },
        ),
        slice_of("440100", {GOLD_MAN: {"customers": 3}, GOLD_WOMAN: {"customers": 4}}),
        slice_of("110100", {GOLD_WOMAN: {"customers": 5, "monthly_charge_fen": 40}}),
        slice_of("440300", {GOLD_MAN: {"customers": 1}}, period="2026-10"),
        slice_of("440300", {GOLD_MAN: {"customers": 6}}, period="2026-11-22"),
        slice_of("440300", {GOLD_MAN: {"highest_bill_fen": 800}}, dataset="revenue"),
        slice_of("440100", {}, dataset="revenue"),
        groups_of("440300", {("65", "large", "gold"): 3, ("unknown", "small", "silver"): 4}),
    )


@pytest.fixture
async def hq(make_node: MakeNode) -> TestNode:
    node = await make_node("000000", CAPABILITIES)
    await enter(node, *CITIES)
    await keep_november(node)
    return node


@pytest.fixture
async def reader(hq: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(hq, Role.HQ_ANALYST)


@pytest.fixture
async def owner(hq: TestNode) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the owner of HQ's tables."""
    connection = await asyncpg.connect(hq.database.url)
    yield connection
    await connection.close()


@pytest.fixture
async def access(hq: TestNode, owner: asyncpg.Connection) -> analyst.Access:
    """HQ's analysts, let in."""
    async with owner.transaction():
        return await analyst.grant(owner, hq.code, hq.database.url, None)


@pytest.fixture
async def sql(access: analyst.Access) -> AsyncIterator[asyncpg.Connection]:
    """A connection as HQ's analysts."""
    connection = await asyncpg.connect(access.url, password=access.password)
    yield connection
    await connection.close()
