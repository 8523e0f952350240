"""Requests of every kind, over HTTP: lists and trails, for the clerk at either end."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from services.city_node.service_request import attention as attending
from services.city_node.service_request import repository
from services.city_node.service_request.schemas import (
    AttentionResolveIn,
    DivisionCode,
    ServiceRequestOut,
    ServiceRequestPage,
)
from services.city_node.service_request.service import RequestNotFound
from shared.access import Principal, require
from shared.capability import Context
from shared.kernel.clock import Moment
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, NodeDatabase, Now, Page, Transaction
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix="/service-requests")

WORD = r"^[a-z][a-z-]{0,60}$"

Reader = Annotated[Principal, Depends(require("service-request:read"))]
Attendant = Annotated[Principal, Depends(require("service-request:attend"))]


@router.get(
    "",
    summary="Requests of this node, at either end",
    response_model=ServiceRequestPage,
)
async def list_requests(
    database: NodeDatabase,
    principal: Reader,
    page: Page,
    kind: Annotated[
        str | None,
        Query(pattern=WORD, description="Kind of request.", examples=["card-replacement"]),
    ] = None,
    state: Annotated[
        str | None,
        Query(pattern=WORD, description="State of this end's record.", examples=["approved"]),
    ] = None,
    role: Annotated[
        Literal["visited", "home"] | None, Query(description="Which end this node is.")
    ] = None,
    home: Annotated[
        DivisionCode | None, Query(description="Division code of the home node.")
    ] = None,
    visited: Annotated[
        DivisionCode | None, Query(description="Division code of the visited node.")
    ] = None,
    awaiting: Annotated[
        Literal["visited", "home"] | None, Query(description="Whose move it is.")
    ] = None,
    is_open: Annotated[
        bool | None, Query(alias="open", description="`true`: not ended yet; `false`: ended.")
    ] = None,
    deadline_before: Annotated[
        Moment | None, Query(description="Deadline before that moment.")
    ] = None,
    attention: Annotated[
        bool | None, Query(description="`true`: a person is called; `false`: nobody is.")
    ] = None,
) -> Response:
    """List the requests that belong to the caller's units, oldest first unless sorted otherwise."""
    filters = {
        "unit_path": principal.unit_path,
        "kind": kind,
        "state": state,
        "role": role,
        "home": home,
        "visited": visited,
        "awaiting": awaiting,
        "open": is_open,
        "deadline_before": deadline_before,
        "attention": attention,
    }
    body = await repository.LISTING.page(await database.pool(), page, filters)
    return Response(body, media_type="application/json")


@router.get(
    "/{request_id}",
    summary="A request with its trail",
    response_model=ServiceRequestOut,
)
async def read_request(
    request_id: UUID,
    database: NodeDatabase,
    principal: Reader,
    fields: Annotated[
        str | None,
        Query(description="Fields to return, separated by commas.", examples=["state,trail"]),
    ] = None,
) -> Response:
    """Return this end's record: where the request is, since when, and what it awaits."""
    found = await repository.read(
        await database.pool(), request_id, unit_path=principal.unit_path, fields=fields
    )
    if found is None:
        raise RequestNotFound(id=request_id)
    return Response(
        found.json, media_type="application/json", headers={"ETag": entity_tag(found.version)}
    )


@router.post(
    "/{request_id}/attention/resolve",
    summary="Settle what a request called a person for",
    response_model=ServiceRequestOut,
)
async def resolve_attention(
    request_id: UUID,
    body: AttentionResolveIn,
    principal: Attendant,
    session: Transaction,
    context: Context,
    now: Now,
    version: ExpectedVersion,
) -> Response:
    """Note in the trail what was done; if the request is still there a day later, a person is called again."""
    await attending.resolve(
        context, session, principal, request_id, body.note, version=version, now=now
    )
    found = await repository.read(
        await driver_connection(session), request_id, unit_path=principal.unit_path
    )
    if found is None:
        raise RequestNotFound(id=request_id)
    return Response(
        found.json, media_type="application/json", headers={"ETag": entity_tag(found.version)}
    )
