"""HQ, Guangdong and two of its cities, at the beginning of December, in which November is reported."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from shared import audit, event, organisation, policy, reporting, staff, statistics
from tests.conftest import Nation

CAPABILITIES = (
    organisation.capability,
    staff.capability,
    audit.capability,
    policy.capability,
    event.capability,
    statistics.capability,
    reporting.capability,
)


@pytest.fixture
async def four(joined: Callable[..., Awaitable[Nation]]) -> Nation:
    nation = await joined(("000000", "440000", "440100", "440300"), CAPABILITIES)
    nation.clock.advance(timedelta(days=8))
    return nation
