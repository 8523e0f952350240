"""Segments over HTTP."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from services.city_node.customer.looks import look_at_list, naming
from services.city_node.customer.privacy import sight_among, visible_columns
from services.city_node.customer.schemas import Code
from services.city_node.query.service import queried
from services.city_node.query.statement import Numbered
from services.city_node.segment import repository
from services.city_node.segment.access import Reader, Writer
from services.city_node.segment.models import Mode, Segment
from services.city_node.segment.schemas import (
    ComparisonOut,
    CountOut,
    MemberPage,
    NewSegment,
    Part,
    Preview,
    SegmentChange,
    SegmentOut,
    SegmentPage,
    VersionPage,
)
from services.city_node.segment.service import Segments, shown
from shared.access import Principal
from shared.capability import Context, NodeContext
from shared.kernel.edge import ExpectedVersion, Now, Page, Transaction
from shared.kernel.ids import new_id
from shared.kernel.listing import PageRequest, Where
from shared.kernel.preconditions import entity_tag
from shared.work.service import requester_of

router = APIRouter(prefix="/segments")
JSON = "application/json"


def _segments(principal: Principal, session: Transaction, context: Context, now: Now) -> Segments:
    return Segments(session, requester_of(principal), principal.unit_path, context.cipher, now)


async def seen(principal: Reader, session: Transaction, context: Context, now: Now) -> Segments:
    """Return the segments as a reader sees them."""
    return _segments(principal, session, context, now)


async def kept(principal: Writer, session: Transaction, context: Context, now: Now) -> Segments:
    """Return the segments as somebody may change them."""
    return _segments(principal, session, context, now)


Seen = Annotated[Segments, Depends(seen)]
Kept = Annotated[Segments, Depends(kept)]


def _answer(response: Response, segment: Segment) -> SegmentOut:
    response.headers["etag"] = entity_tag(segment.version)
    return shown(segment)


@router.post("", status_code=201, summary="Make a segment")
async def create_segment(body: NewSegment, segments: Kept, response: Response) -> SegmentOut:
    """Keep a condition under a name. The segment is living: its members are those who meet the condition when asked."""
    segment = await segments.create(new_id(), body)
    response.headers["location"] = f"/segments/{segment.id}"
    return _answer(response, segment)


@router.get(
    "", summary="List segments", responses={200: {"model": SegmentPage}}, response_class=Response
)
async def list_segments(
    principal: Reader,
    context: Context,
    page: Page,
    mode: Mode | None = None,
    unit: Annotated[Code | None, Query(description="Of this unit and those below.")] = None,
) -> Response:
    """Return a page of the segments of the caller's unit and those below."""
    filters = {"scope": principal.unit_path, "mode": mode, "unit": unit}
    body = await repository.LISTING.page(await context.database.pool(), page, filters)
    return Response(body, media_type=JSON)


@router.post("/preview", summary="Count whom a condition would select")
async def preview(body: Preview, segments: Seen) -> CountOut:
    """Return how many customers of the caller's unit and those below meet a condition."""
    return CountOut(count=await segments.count(body.condition))


@router.get("/{segment_id}", summary="Read a segment")
async def read_segment(segment_id: UUID, segments: Seen, response: Response) -> SegmentOut:
    """Return a segment with its condition in both forms."""
    segment, _ = await segments.find(segment_id)
    return _answer(response, segment)


@router.patch("/{segment_id}", summary="Change a segment")
async def change_segment(
    segment_id: UUID,
    body: SegmentChange,
    segments: Kept,
    expected: ExpectedVersion,
    response: Response,
) -> SegmentOut:
    """Change its name, description, or, while it is living, its condition."""
    return _answer(response, await segments.change(segment_id, body, expected))


@router.delete("/{segment_id}", status_code=204, summary="Delete a segment")
async def delete_segment(segment_id: UUID, segments: Kept, expected: ExpectedVersion) -> None:
    """Take a segment out of sight; its history and lists are kept."""
    await segments.delete(segment_id, expected)


@router.post("/{segment_id}/lock", summary="Lock a segment")
async def lock_segment(
    segment_id: UUID, segments: Kept, expected: ExpectedVersion, response: Response
) -> SegmentOut:
    """Make a fixed list of those who meet the condition now."""
    return _answer(response, await segments.lock(segment_id, expected))


@router.post("/{segment_id}/refresh", summary="Make a locked segment's list anew")
async def refresh_segment(
    segment_id: UUID, segments: Kept, expected: ExpectedVersion, response: Response
) -> SegmentOut:
    """Make the list anew under a new version; the one before stays as it is."""
    return _answer(response, await segments.refresh(segment_id, expected))


@router.post("/{segment_id}/unlock", summary="Unlock a segment")
async def unlock_segment(
    segment_id: UUID, segments: Kept, expected: ExpectedVersion, response: Response
) -> SegmentOut:
    """Let the segment live again."""
    return _answer(response, await segments.unlock(segment_id, expected))


@router.get(
    "/{segment_id}/versions",
    summary="List the versions of a segment",
    responses={200: {"model": VersionPage}},
    response_class=Response,
)
async def list_versions(segment_id: UUID, segments: Seen, context: Context, page: Page) -> Response:
    """Return what was done to a segment, by whom and when; the latest first."""
    await segments.find(segment_id)
    latest_first = replace(page, sort=page.sort or "-version")
    pool = await context.database.pool()
    body = await repository.VERSIONS.page(pool, latest_first, {"segment": segment_id})
    return Response(body, media_type=JSON)


@router.get(
    "/{segment_id}/members",
    summary="List the members of a segment",
    responses={200: {"model": MemberPage}},
    response_class=Response,
)
async def list_members(
    segment_id: UUID,
    principal: Reader,
    segments: Seen,
    context: Context,
    page: Page,
    now: Now,
) -> Response:
    """Return a page of the members: of a living segment as of now, of a locked one as listed."""
    binder = Numbered()
    selection = await segments.members(segment_id)
    where = Where(selection.where(binder, context.cipher), binder.values)
    body = await _customers(segments, context, page, where)
    about = {"segment": str(segment_id)}
    await look_at_list(context, principal, "segment", body, whose=["id"], filters=about, now=now)
    return Response(body, media_type=JSON)


@router.get("/{segment_id}/count", summary="Count the members of a segment")
async def count_members(segment_id: UUID, segments: Seen) -> CountOut:
    """Return how many members the caller sees."""
    return CountOut(count=await segments.count_of(await segments.members(segment_id)))


@router.get("/{first}/comparison/{second}", summary="Compare two segments")
async def compare_segments(first: UUID, second: UUID, segments: Seen) -> ComparisonOut:
    """Return how many customers each has, how many both have, and how many each has alone."""
    return await segments.compare(first, second)


@router.get(
    "/{first}/comparison/{second}/{part}",
    summary="List what two segments share, or one has alone",
    responses={200: {"model": MemberPage}},
    response_class=Response,
)
async def list_part(
    first: UUID,
    second: UUID,
    part: Part,
    principal: Reader,
    segments: Seen,
    context: Context,
    page: Page,
    now: Now,
) -> Response:
    """Return a page of the customers in both, in either, or in one alone."""
    body = await _customers(segments, context, page, await segments.part(first, second, part))
    about = {"first": str(first), "second": str(second), "part": part}
    await look_at_list(context, principal, "segment", body, whose=["id"], filters=about, now=now)
    return Response(body, media_type=JSON)


async def _customers(
    segments: Segments, context: NodeContext, page: PageRequest, where: Where
) -> bytes:
    columns = visible_columns(queried.columns, sight_among(segments.requester.permissions))
    pool = await context.database.pool()
    return await queried.page(pool, naming(page, "id"), {}, where=where, columns=columns)
