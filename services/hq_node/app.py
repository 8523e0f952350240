"""The composition of the HQ node: the nation's figures, and the way between provinces."""

from typing import Any

from services.hq_node import number_segment as number_segment_change
from services.hq_node import ownership
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
    ownership.capability,
    work.capability,
    glossary.capability,
    number_segment.capability,
    number_segment_change.capability,
)


def hq_node(settings: Settings, **seams: Any) -> Node:
    """Put the HQ node together; ``seams`` are :func:`~shared.node.app.create_node`'s, for tests."""
    return create_node(Tier.HQ, CAPABILITIES, settings, **seams)
