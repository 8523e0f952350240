"""The composition of a city node: everything that touches a customer."""

from typing import Any

from services.city_node import (
    agreement,
    card_replacement,
    competitor_use,
    completeness,
    credit,
    custom_attribute,
    customer,
    customer_import,
    departure,
    duplicate,
    erasure,
    evaluation,
    export,
    generator,
    group,
    interaction,
    legal_hold,
    level,
    merge,
    offer,
    personal_data,
    points,
    preference,
    product_holding,
    proposal,
    prospect,
    query,
    redemption,
    reward,
    rollup,
    segment,
    service_request,
    subject_request,
    tie,
    usage,
    verification,
    win_back,
)
from shared import audit, glossary, organisation, policy, staff, statistics, work
from shared.kernel.settings import Settings
from shared.kernel.tier import Tier
from shared.node.app import Node, create_node

CAPABILITIES = (
    customer.capability,  # first: its reads are the most frequent, and routes are tried in order
    organisation.capability,
    staff.capability,
    audit.capability,
    custom_attribute.capability,
    group.capability,
    usage.capability,
    interaction.capability,
    agreement.capability,
    product_holding.capability,
    competitor_use.capability,
    preference.capability,
    tie.capability,
    departure.capability,
    win_back.capability,
    legal_hold.capability,
    erasure.capability,
    subject_request.capability,
    personal_data.capability,
    customer_import.capability,
    merge.capability,
    proposal.capability,
    duplicate.capability,
    completeness.capability,
    verification.capability,
    evaluation.capability,
    level.capability,
    credit.capability,
    prospect.capability,
    generator.capability,
    service_request.capability,
    card_replacement.capability,
    points.capability,
    reward.capability,
    redemption.capability,
    offer.capability,
    query.capability,
    segment.capability,
    export.capability,
    rollup.capability,
    statistics.capability,
    policy.capability,
    work.capability,
    glossary.capability,
)


def city_node(settings: Settings, **seams: Any) -> Node:
    """Put a city node together; ``seams`` are :func:`~shared.node.app.create_node`'s, for tests."""
    return create_node(Tier.CITY, CAPABILITIES, settings, **seams)
