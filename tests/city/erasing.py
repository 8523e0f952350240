"""Erasing in tests."""

from typing import Any

from services.city_node.erasure.service import Order, erase_due
from shared import audit
from tests.conftest import TestNode


async def erase(city: TestNode, **given: Any) -> int:
    """Erase who is due by the setting's retention period; returns how many were."""
    return await erase_due(
        city.database,
        Order(audit.Actor("test")),
        city.context.cipher,
        days=city.context.settings.retention_days,
        now=city.clock.now(),
        **given,
    )
