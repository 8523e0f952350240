"""Lanes over HTTP: how far each is, what was mended after restores, letting a stopped one go on, and the subtree."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from shared.access import Principal, require
from shared.federation import backlog, report
from shared.federation.models import Direction, Lane
from shared.federation.reconciliation import RECONCILIATIONS, resume
from shared.federation.records import Mended
from shared.kernel.edge import NodeDatabase, Now, Page, Transaction

router = APIRouter(prefix="/operations")

Reader = Annotated[Principal, Depends(require("operations:read"))]
Mender = Annotated[Principal, Depends(require("operations:mend"))]
NodeCode = Annotated[str, Query(pattern=r"^[0-9]{6}$", description="Division code of the node.")]

_LANE: dict[str, Any] = {
    "peer": "440000",
    "relation": "parent",
    "status": "active",
    "last_contact_at": "2026-11-23T04:00:00Z",
    "failures": 0,
    "retry_at": None,
    "last_error": None,
    "epoch": 1,
    "version": "0.1.0",
    "clock_offset_seconds": 0.0,
    "lane": "request",
    "sent": 12,
    "acknowledged": 12,
    "received": 9,
    "stopped_because": None,
    "waiting": 0,
    "oldest_seconds": None,
    "parked": 0,
}


class LaneStatus(BaseModel):
    """One lane of one link."""

    model_config = ConfigDict(json_schema_extra={"example": _LANE})

    peer: str
    relation: str
    status: str
    last_contact_at: datetime | None
    failures: int
    retry_at: datetime | None
    last_error: str | None
    epoch: int = Field(description="Grows by one when a restored backup was reconciled.")
    version: str | None = Field(description="The release that the peer runs.")
    clock_offset_seconds: float
    lane: Lane
    sent: int
    acknowledged: int
    received: int
    stopped_because: str | None = Field(description="Why the lane waits for an operator.")
    waiting: int
    oldest_seconds: float | None
    parked: int


class ReconciliationOut(BaseModel):
    """What was mended on a lane."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "position": 3,
                "at": "2026-11-23T04:00:00Z",
                "peer": "440300",
                "epoch": 2,
                "lane": "request",
                "direction": "in",
                "event": "given-back",
                "from_number": 4,
                "to_number": 9,
            }
        }
    )

    position: int
    at: datetime
    peer: str
    epoch: int
    lane: Lane
    direction: Direction
    event: Mended
    from_number: int
    to_number: int


class ReconciliationPage(BaseModel):
    """A page of them."""

    items: list[ReconciliationOut]
    next: str | None


class NodeStatus(BaseModel):
    """A node at or below this one, as it last told of itself."""

    code: str
    parent: str | None
    version: str
    at: datetime
    age_seconds: float = Field(description="How long ago that was.")
    needs_attention: bool
    waiting: int
    oldest_seconds: float
    parked: int
    stopped: int = Field(description="Lanes that wait for an operator.")
    failures: int = Field(description="Exchanges with its parent that failed in a row.")
    epoch: int
    links: list[dict[str, Any]]


class Subtree(BaseModel):
    """All nodes at and below this one."""

    items: list[NodeStatus]


@router.get("/links", summary="Links to the parent and the children, lane by lane")
async def links(session: Transaction, now: Now, _: Reader) -> list[LaneStatus]:
    """Show how far each lane is, what waits and since when, what is parked, and why a link is down."""
    return [LaneStatus(**row) for row in await backlog.status(session, now=now)]


@router.post("/links/{peer}/lanes/{lane}/resumption", summary="Let a stopped lane go on")
async def resume_lane(
    peer: Annotated[str, Path(pattern=r"^[0-9]{6}$", description="Division code of the peer.")],
    lane: Lane,
    session: Transaction,
    now: Now,
    _: Mender,
) -> list[LaneStatus]:
    """Let a lane go on from what its receiver has, once both ends have been told so; see the handbook first."""
    await resume(session, peer, lane)
    rows = await backlog.status(session, now=now)
    return [LaneStatus(**row) for row in rows if (row["peer"], row["lane"]) == (peer, lane)]


@router.get(
    "/reconciliations",
    summary="What was mended after databases were restored",
    response_model=ReconciliationPage,
)
async def list_reconciliations(
    database: NodeDatabase,
    _: Reader,
    page: Page,
    *,
    peer: NodeCode | None = None,
    lane: Lane | None = None,
    event: Mended | None = None,
) -> Response:
    """List what two neighbours had to make up for because one of them went back, as it happened."""
    filters = {"peer": peer, "lane": lane, "event": event}
    body = await RECONCILIATIONS.page(await database.pool(), page, filters)
    return Response(body, media_type="application/json")


@router.get("/subtree", summary="Every node at and below this one")
async def subtree(
    session: Transaction,
    now: Now,
    _: Reader,
    *,
    needs_attention: Annotated[
        bool | None,
        Query(description="Only those that somebody should look at, or only the others."),
    ] = None,
) -> Subtree:
    """Show how each node was when it last told of itself: its links, what waits, what is parked, its release."""
    heard = await report.subtree(session, now=now)
    return Subtree(
        items=[
            NodeStatus(
                **each.report.model_dump(),
                age_seconds=each.age_seconds,
                needs_attention=each.needs_attention,
            )
            for each in heard
            if needs_attention in {None, each.needs_attention}
        ]
    )
