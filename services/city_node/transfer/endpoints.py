"""Transfers over HTTP, for the clerk at the new home."""

from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Response

from services.city_node.customer.looks import look
from services.city_node.service_request.answers import answered
from services.city_node.service_request.repository import read
from services.city_node.service_request.schemas import CancelIn
from services.city_node.service_request.service import RequestNotFound
from services.city_node.transfer import access, visited
from services.city_node.transfer.kind import KIND
from services.city_node.transfer.reading import WITH_CASE
from services.city_node.transfer.schemas import TransferIn, TransferOut
from shared.access import OnceDependency, Principal, require
from shared.capability import Context
from shared.kernel.edge import NodeDatabase, Now, Transaction
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix="/transfers")

Asker = Annotated[Principal, Depends(require(access.ASK))]
Reader = Annotated[Principal, Depends(require("service-request:read"))]


@router.post(
    "",
    status_code=201,
    summary="Ask the home city to hand a customer over",
    response_model=TransferOut,
)
async def ask(
    body: TransferIn,
    principal: Asker,
    session: Transaction,
    context: Context,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Ask for a customer who stands at the counter and agrees that the whole record moves here."""
    request_id = await visited.ask(context, session, principal, body, now=now)
    return await answered(
        session, principal, once, request_id, kind=KIND, listing=WITH_CASE, made_at=router.prefix
    )


@router.get("/{request_id}", summary="A transfer with its trail", response_model=TransferOut)
async def read_one(
    request_id: UUID,
    database: NodeDatabase,
    principal: Reader,
    context: Context,
    now: Now,
    fields: Annotated[
        str | None,
        Query(description="Fields to return, separated by commas.", examples=["state,record"]),
    ] = None,
) -> Response:
    """Return this end's record: where the transfer is, whom it is about, and how much of the record has come."""
    found = await read(
        await database.pool(),
        request_id,
        unit_path=principal.unit_path,
        kind=KIND.code,
        listing=WITH_CASE,
        fields=fields,
    )
    if found is None:
        raise RequestNotFound(id=request_id)
    customer = orjson.loads(found.json).get("customer_id")
    if customer is not None:
        await look(context, principal, UUID(customer), ["transfer"], now=now)
    return Response(
        found.json, media_type="application/json", headers={"ETag": entity_tag(found.version)}
    )


@router.post(
    "/{request_id}/cancel",
    summary="Give up before this city is prepared",
    response_model=TransferOut,
)
async def cancel(
    request_id: UUID,
    body: CancelIn,
    principal: Asker,
    session: Transaction,
    context: Context,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Let the customer stay with the home city; what came of the record is forgotten."""
    await visited.cancel(context, session, principal, request_id, body.note, now=now)
    return await answered(session, principal, once, request_id, kind=KIND, listing=WITH_CASE)
