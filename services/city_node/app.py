"""The composition of a city node: everything that touches a customer."""

from typing import Any

from services.city_node import (
    agreement,
    card_replacement,
    competitor_use,
    custom_attribute,
    customer,
    customer_import,
    generator,
    group,
    interaction,
    personal_data,
    preference,
    product_holding,
    rollup,
    service_request,
    tie,
    usage,
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
    personal_data.capability,
    customer_import.capability,
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
