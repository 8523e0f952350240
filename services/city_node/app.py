"""The composition of a city node: everything that touches a customer."""

from typing import Any

from services.city_node import (
    agreement,
    card_replacement,
    competitor_use,
    completeness,
    custom_attribute,
    customer,
    customer_import,
    duplicate,
    generator,
    group,
    interaction,
    merge,
    preference,
    product_holding,
    proposal,
    rollup,
    service_request,
    tie,
    usage,
    verification,
)
from shared import glossary, organisation, staff, statistics
from shared.kernel.settings import Settings
from shared.kernel.tier import Tier
from shared.node.app import Node, create_node

CAPABILITIES = (
    customer.capability,  # first: its reads are the most frequent, and routes are tried in order
    organisation.capability,
    staff.capability,
    custom_attribute.capability,
    group.capability,
    usage.capability,
    interaction.capability,
    agreement.capability,
    product_holding.capability,
    competitor_use.capability,
    preference.capability,
    tie.capability,
    customer_import.capability,
    merge.capability,
    proposal.capability,
    duplicate.capability,
    completeness.capability,
    verification.capability,
    generator.capability,
    service_request.capability,
    card_replacement.capability,
    rollup.capability,
    statistics.capability,
    glossary.capability,
)


def city_node(settings: Settings, **seams: Any) -> Node:
    """Put a city node together; ``seams`` are :func:`~shared.node.app.create_node`'s, for tests."""
    return create_node(Tier.CITY, CAPABILITIES, settings, **seams)
