"""Changes of the number segments over HTTP, at HQ."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from services.hq_node.number_segment import repository, service
from services.hq_node.number_segment.models import ChangeState
from services.hq_node.number_segment.schemas import ChangeIn, ChangeOut, ChangePage, RejectIn
from services.hq_node.number_segment.service import Person
from shared.access import OnceDependency, Principal, require
from shared.audit import Actor
from shared.capability import Context
from shared.kernel.edge import ExpectedVersion, NodeDatabase, Now, Page, Transaction
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix="/number-segment-changes")

Reader = Annotated[Principal, Depends(require("number-segment:read"))]
Maker = Annotated[Principal, Depends(require("number-segment:change"))]
Decider = Annotated[Principal, Depends(require("number-segment:decide"))]


def _person(principal: Principal) -> Person:
    return Person(principal.username, principal.id, Actor.of(principal))


@router.post("", status_code=201, summary="Change number segments", response_model=ChangeOut)
async def change(
    body: ChangeIn,
    principal: Maker,
    session: Transaction,
    context: Context,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Publish at once what conflicts with nothing; what does waits for another person (`state`, `conflicts`)."""
    segments = [(each.prefix, each.home) for each in body.segments]
    made = await service.change(context, session, _person(principal), segments, body.note, now=now)
    content = ChangeOut.of(made).model_dump_json().encode()
    location = f"{router.prefix}/{made.id}"
    return await once.answer(201, content, Location=location, ETag=entity_tag(made.version))


@router.get("", summary="Changes of number segments", response_model=ChangePage)
async def list_changes(
    database: NodeDatabase,
    _: Reader,
    page: Page,
    state: Annotated[ChangeState | None, Query(description="What became of it.")] = None,
) -> Response:
    """List changes, those that wait for a second look with what they conflict with."""
    body = await repository.CHANGES.page(await database.pool(), page, {"state": state})
    return Response(body, media_type="application/json")


@router.post("/{change_id}/publish", summary="Publish a change that conflicts")
async def publish(
    *,
    change_id: UUID,
    response: Response,
    principal: Decider,
    session: Transaction,
    context: Context,
    now: Now,
    version: ExpectedVersion,
) -> ChangeOut:
    """Let a change of somebody else's hold, against the conflicts that it names."""
    made = await service.publish(
        context, session, _person(principal), change_id, version=version, now=now
    )
    response.headers["ETag"] = entity_tag(made.version)
    return ChangeOut.of(made)


@router.post("/{change_id}/reject", summary="Reject a change that conflicts")
async def reject(
    *,
    change_id: UUID,
    body: RejectIn,
    response: Response,
    principal: Decider,
    session: Transaction,
    now: Now,
    version: ExpectedVersion,
) -> ChangeOut:
    """Drop a change; the table stays as it is."""
    made = await service.reject(
        session, _person(principal), change_id, body.reason, version=version, now=now
    )
    response.headers["ETag"] = entity_tag(made.version)
    return ChangeOut.of(made)


@router.post("/{change_id}/look-again", summary="Find anew what a change conflicts with")
async def look_again(
    *,
    change_id: UUID,
    response: Response,
    _: Decider,
    session: Transaction,
    version: ExpectedVersion,
) -> ChangeOut:
    """Compare a waiting change with the table as it is now."""
    made = await service.look_again(session, change_id, version=version)
    response.headers["ETag"] = entity_tag(made.version)
    return ChangeOut.of(made)
