"""Interactions as something that customers hold: history, noted and corrected and never removed."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query

from services.city_node.customer.models import Customer
from services.city_node.customer.problems import DatesContradict
from services.city_node.customer.schemas import Moment
from services.city_node.customer.service import Desk
from services.city_node.held.declaration import Held
from services.city_node.held.problems import HeldAlready
from services.city_node.interaction.models import Channel, Interaction, InteractionKind
from services.city_node.interaction.schemas import InteractionCreate, InteractionOut
from shared.kernel.clock import business_day
from shared.kernel.listing import Sort


async def _filters(
    kind: InteractionKind | None = None,
    channel: Channel | None = None,
    at_from: Annotated[Moment | None, Query(description="At this moment or later.")] = None,
    at_before: Annotated[Moment | None, Query(description="Before this moment.")] = None,
) -> dict[str, Any]:
    return {"kind": kind, "channel": channel, "at_from": at_from, "at_before": at_before}


async def _check(desk: Desk, _: Customer, row: Interaction) -> None:
    at: datetime | None = row.at  # what a body leaves out is filled in here
    row.at = at or desk.now
    row.staff = row.staff or desk.principal.username
    if row.at > desk.now:
        raise DatesContradict("at", business_day(row.at), "after", desk.today)


interactions = Held(
    name="interactions",
    title="interaction",
    model=Interaction,
    body=InteractionCreate,
    out=InteractionOut,
    sorts={"at": Sort("p.at", "timestamptz")},
    newest_first=True,
    removable=False,
    check=_check,
    refusals={"interaction_source_key": lambda: HeldAlready("interaction", "/source_key")},
    filters=_filters,
    conditions={
        "kind": "p.kind = {}",
        "channel": "p.channel = {}",
        "at_from": "p.at >= {}",
        "at_before": "p.at < {}",
    },
)
