"""Policies over HTTP: what is in force, and where."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from shared.federation.statement import Code
from shared.kernel.clock import business_day
from shared.kernel.edge import NodeSettings, Now, Speech, Transaction
from shared.kernel.listing import known_parameters
from shared.policy.access import Kind, Kinds, Reader
from shared.policy.schemas import InForceOut, KindOut, KindsOut, PlaceOut, PlacesOut, SchemaOut
from shared.policy.service import places, require_known, resolution

router = APIRouter(prefix="/policies")

On = Annotated[
    date | None, Query(description="The day to answer for, in Beijing; today without it.")
]


@router.get("", summary="List kinds of policy")
async def list_kinds(
    _: Reader,
    session: Transaction,
    kinds: Kinds,
    settings: NodeSettings,
    now: Now,
    language: Speech,
) -> KindsOut:
    """Return every kind of policy, and what of it is in force at this node today."""
    today, here = business_day(now), settings.code
    return KindsOut(
        items=[
            KindOut.of(await resolution(session, kind, on=today, node=here), language)
            for kind in kinds.values()
        ]
    )


@router.get("/{kind}", summary="What is in force", dependencies=[Depends(known_parameters)])
async def read_in_force(
    _: Reader,
    kind: Kind,
    session: Transaction,
    settings: NodeSettings,
    now: Now,
    language: Speech,
    on: On = None,
    at: Annotated[
        Code | None,
        Query(description="Division code of the node that goes by it; this node without it."),
    ] = None,
) -> InForceOut:
    """Return the policy that a node goes by on a day, with the versions that made it and those that are set aside."""
    day, node = on or business_day(now), at or settings.code
    await require_known(session, node, here=settings.code)
    found = await resolution(session, kind, on=day, node=node)
    return InForceOut.of(found, node, day, language)


@router.get("/{kind}/schema", summary="The form of a policy")
async def read_schema(_: Reader, kind: Kind, language: Speech) -> SchemaOut:
    """Return the form of a kind's documents as JSON Schema, with the default and the bounds that ship."""
    return SchemaOut.of(kind, language)


@router.get(
    "/{kind}/places",
    summary="What is in force where",
    dependencies=[Depends(known_parameters)],
)
async def read_places(
    _: Reader,
    kind: Kind,
    session: Transaction,
    settings: NodeSettings,
    now: Now,
    language: Speech,
    on: On = None,
) -> PlacesOut:
    """Return what this node and each below it goes by: since when, by whom, and what is set aside."""
    day = on or business_day(now)
    found = await places(session, kind, on=day, here=settings.code)
    return PlacesOut(on=day, items=[PlaceOut.of(place, language) for place in found])
