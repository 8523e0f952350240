"""Parked messages over HTTP: see them, try them again, give them up; and what others say of this node's own."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared import audit
from shared.access import Principal, require
from shared.capability import Action, Context
from shared.federation import inbox
from shared.federation.models import InboxState, Lane
from shared.federation.notices import NOTICES
from shared.federation.parking import Mended, Parking
from shared.federation.records import NoticeKind
from shared.kernel.edge import NodeDatabase, Now, Page, Transaction
from shared.node.audited import DISCARD_PROPOSED, DISCARDED, RETRIED

router = APIRouter(prefix="/operations")

DiscardReason = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]
Arrival = Annotated[
    int, Path(ge=1, lt=2**63, description="Number under which the message arrived here.")
]
NodeCode = Annotated[str, Query(pattern=r"^[0-9]{6}$", description="Division code of the node.")]
MessageType = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]

_PARKED: dict[str, Any] = {
    "arrival": 4711,
    "origin": "440300",
    "message_id": "019ac0de-7000-7000-8000-000000000001",
    "type": "guanxi.card-replacement.asked.v1",
    "destination": "110100",
    "partition_key": "019ac0de-7000-7000-8000-000000000002",
    "peer": "110000",
    "lane": "request",
    "reason": "MessageRefused: This node does not understand messages of that type; upgrade it, then retry.",
    "received_at": "2026-11-23T04:00:00Z",
    "discard_reason": None,
    "discard_proposed_by": None,
    "discard_proposed_at": None,
}


class ParkedOut(BaseModel):
    """A parked message."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_PARKED]})

    arrival: int
    origin: str
    message_id: UUID
    type: str
    destination: str
    partition_key: str
    peer: str = Field(description="The neighbour that it came from.")
    lane: Lane
    reason: str | None
    received_at: datetime
    discard_reason: str | None
    discard_proposed_by: str | None
    discard_proposed_at: datetime | None


class ParkedPage(BaseModel):
    """A page of parked messages; with `fields`, only those of each."""

    items: list[ParkedOut]
    next: str | None = Field(description="Cursor of the next page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class NoticeOut(BaseModel):
    """What another node says of a message that this one posted."""

    id: UUID
    message_id: UUID = Field(description="Id of this node's own message.")
    type: str = Field(description="Type of this node's own message.")
    kind: NoticeKind
    node: str = Field(description="Who says so.")
    reason: str
    at: datetime


class NoticePage(BaseModel):
    """A page of notices; with `fields`, only those of each."""

    items: list[NoticeOut]
    next: str | None = Field(description="Cursor of the next page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class MendedOut(BaseModel):
    """What a retry or discard came to."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "arrival": 4711,
                "state": "handled",
                "reason": None,
                "settled": 3,
                "parked": 0,
            }
        },
    )

    arrival: int
    state: InboxState = Field(description="What the message is now.")
    reason: str | None = Field(description="Why it is still parked, if it is.")
    settled: int = Field(
        description="How many of its origin and partition key were handled or forwarded."
    )
    parked: int = Field(description="How many of them are still parked.")


class DiscardProposal(BaseModel):
    """Why a message shall be given up."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"reason": "Sent twice by mistake; settled by telephone."}},
    )

    reason: DiscardReason


def parking_of(request: Request, session: Transaction, context: Context, now: Now) -> Parking:
    """Return the parked messages as the request may work on them."""
    return Parking(session, request.app.state.receiver, context.post, now)


Reader = Annotated[Principal, Depends(require("operations:read"))]
Mender = Annotated[Principal, Depends(require("operations:mend"))]
ParkedMessages = Annotated[Parking, Depends(parking_of)]


@router.get("/parked", summary="Parked messages", response_model=ParkedPage)
async def list_parked(
    database: NodeDatabase,
    _: Reader,
    page: Page,
    *,
    origin: NodeCode | None = None,
    type: MessageType | None = None,  # noqa: A002 - the name that the message has for it
    lane: Annotated[Lane | None, Query(description="The lane it came on.")] = None,
) -> Response:
    """List what was set aside because its handling failed for good, or that waits behind such, as it arrived."""
    filters = {"origin": origin, "type": type, "lane": lane}
    body = await inbox.PARKED.page(await database.pool(), page, filters)
    return Response(body, media_type="application/json")


@router.post("/parked/{arrival}/retry", summary="Handle a parked message again")
async def retry(arrival: Arrival, principal: Mender, parking: ParkedMessages) -> MendedOut:
    """Handle again, in order, what is parked of the message's origin and partition key, as far as it goes."""
    _record(parking, principal, RETRIED, arrival)
    return _shown(await parking.retry(arrival))


@router.post("/parked/{arrival}/discard", summary="Propose to give a parked message up")
async def propose_discard(
    arrival: Arrival, proposal: DiscardProposal, principal: Mender, parking: ParkedMessages
) -> ParkedOut:
    """Propose it with a reason; nothing happens until a second person approves."""
    _record(parking, principal, DISCARD_PROPOSED, arrival)
    row = await parking.propose_discard(arrival, proposal.reason, by=principal.username)
    return ParkedOut.model_validate(row)


@router.post("/parked/{arrival}/discard/approval", summary="Approve that a message is given up")
async def approve_discard(
    arrival: Arrival, principal: Mender, parking: ParkedMessages
) -> MendedOut:
    """Give the message up as somebody else proposed, tell its origin, and handle again what waited behind it."""
    _record(parking, principal, DISCARDED, arrival)
    return _shown(await parking.approve_discard(arrival, by=principal.username))


@router.get(
    "/notices", summary="What other nodes say of this node's messages", response_model=NoticePage
)
async def list_notices(
    database: NodeDatabase,
    _: Reader,
    page: Page,
    *,
    message_id: Annotated[UUID | None, Query(description="Id of this node's message.")] = None,
    kind: Annotated[NoticeKind | None, Query(description="What became of it.")] = None,
    node: NodeCode | None = None,
    type: MessageType | None = None,  # noqa: A002 - the name that the message has for it
) -> Response:
    """List which of this node's messages were parked or discarded elsewhere, where and why, by time."""
    filters = {"message_id": message_id, "kind": kind, "node": node, "type": type}
    body = await NOTICES.page(await database.pool(), page, filters)
    return Response(body, media_type="application/json")


def _record(parking: Parking, principal: Principal, action: Action, arrival: int) -> None:
    actor = audit.Actor.of(principal)
    audit.record(parking.session, actor, action, at=parking.now, subject=("message", arrival))


def _shown(mended: Mended) -> MendedOut:
    return MendedOut.model_validate(mended)
