"""The composition of a province node: its cities' figures, and the way between them."""

from typing import Any

from shared import (
    analysis,
    audit,
    clearing,
    event,
    glossary,
    number_segment,
    organisation,
    policy,
    reporting,
    staff,
    statistics,
    statistics_report,
    work,
)
from shared.kernel.settings import Settings
from shared.kernel.tier import Tier
from shared.node.app import Node, create_node

CAPABILITIES = (
    organisation.capability,
    staff.capability,
    audit.capability,
    statistics.capability,
    analysis.capability,
    reporting.capability,
    statistics_report.capability,
    policy.capability,
    event.capability,
    clearing.capability,
    clearing.transit_capability,
    work.capability,
    glossary.capability,
    number_segment.capability,
)


def province_node(settings: Settings, **seams: Any) -> Node:
    """Put a province node together; ``seams`` are :func:`~shared.node.app.create_node`'s, for tests."""
    return create_node(Tier.PROVINCE, CAPABILITIES, settings, **seams)
