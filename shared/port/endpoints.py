"""Ports over HTTP: how they are, what was asked of them, and what people decide about refused calls."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from shared import audit
from shared.access import Principal, require
from shared.kernel.edge import NodeDatabase, NodeSettings, Now, Page, Transaction
from shared.port import repository
from shared.port.mending import Mending
from shared.port.models import CallState
from shared.port.problems import CallNotFound
from shared.port.schemas import CallDiscardProposal, CallOut, CallPage, PortOut
from shared.port.status import status

router = APIRouter()

WORD = r"^[a-z][a-z.-]{0,80}$"

Reader = Annotated[Principal, Depends(require("port:read"))]
Mender = Annotated[Principal, Depends(require("port:mend"))]


async def mending_of(principal: Mender, session: Transaction, now: Now) -> Mending:
    """Return the handed-over calls as the caller may work on them."""
    return Mending(session, audit.Actor.of(principal), now)


HandedOver = Annotated[Mending, Depends(mending_of)]


@router.get("/ports", summary="How the node's ports are")
async def list_ports(
    session: Transaction, settings: NodeSettings, now: Now, _: Reader
) -> list[PortOut]:
    """Show each port: off, up or down, what waits and since when, and what was handed over to people."""
    return await status(session, settings, now=now)


@router.get("/port-calls", summary="Calls of ports", response_model=CallPage)
async def list_calls(
    database: NodeDatabase,
    _: Reader,
    page: Page,
    *,
    port: Annotated[
        str | None, Query(pattern=WORD, description="Name of the port.", examples=["network"])
    ] = None,
    state: Annotated[CallState | None, Query(description="What became of it so far.")] = None,
    effect: Annotated[str | None, Query(pattern=WORD, description="What declares it.")] = None,
    cause_id: Annotated[
        UUID | None, Query(description="What it was made for: a request's id, say.")
    ] = None,
) -> Response:
    """List what was asked of ports, in the order in which it was; what was sent is shown to nobody."""
    filters = {"port": port, "state": state, "effect": effect, "cause_id": cause_id}
    body = await repository.LISTING.page(await database.pool(), page, filters)
    return Response(body, media_type="application/json")


@router.get("/port-calls/{call_id}", summary="One call of a port", response_model=CallOut)
async def read_call(call_id: UUID, database: NodeDatabase, _: Reader) -> Response:
    """Return how far a call is, or how it ended."""
    found = await repository.LISTING.one(await database.pool(), {"id": call_id})
    if found is None:
        raise CallNotFound(call=call_id)
    return Response(found, media_type="application/json")


@router.post("/port-calls/{call_id}/retry", summary="Try a refused call again")
async def retry(call_id: UUID, handed_over: HandedOver) -> CallOut:
    """Send it again under its key, once what it was refused for has been mended at the port."""
    return CallOut.model_validate(await handed_over.retry(call_id))


@router.post("/port-calls/{call_id}/discard", summary="Propose to give a call up")
async def propose_discard(
    call_id: UUID, proposal: CallDiscardProposal, handed_over: HandedOver
) -> CallOut:
    """Propose it with a reason; nothing happens until a second person approves."""
    return CallOut.model_validate(await handed_over.propose_discard(call_id, proposal.reason))


@router.post("/port-calls/{call_id}/discard/approval", summary="Approve that a call is given up")
async def approve_discard(call_id: UUID, handed_over: HandedOver) -> CallOut:
    """Give the call up as somebody else proposed; what waits behind it goes on."""
    return CallOut.model_validate(await handed_over.approve_discard(call_id))
