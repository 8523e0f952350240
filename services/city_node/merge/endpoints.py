"""Merges over HTTP."""

from dataclasses import replace
from uuid import UUID

from fastapi import APIRouter, Response

from services.city_node.customer.access import Reader
from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.looks import look, look_at_list, naming
from services.city_node.customer.privacy import sight_of, visible_columns
from services.city_node.customer.representations import ChangePage
from services.city_node.merge import repository, service
from services.city_node.merge.access import AtMergingDesk
from services.city_node.merge.models import MergeState
from services.city_node.merge.problems import MergeNotFound
from services.city_node.merge.schemas import MergeCreate, MergeOut, MergePage
from shared.access import OnceDependency
from shared.capability import Context
from shared.kernel.database import driver_connection
from shared.kernel.edge import Now, Page

router = APIRouter(prefix="/customer-merges")
_PAIR = ("survivor_id", "merged_id")


@router.post(
    "",
    status_code=201,
    summary="Merge two profiles of one customer",
    responses=documented(MergeOut, 400, 404, 409, 412, 422, status=201),
    response_class=Response,
)
async def merge_customers(desk: AtMergingDesk, once: OnceDependency, body: MergeCreate) -> Response:
    """Move everything that one profile holds to the other, and end it; takes effect once for each `Idempotency-Key`.

    The old id then answers 410 `customer-merged` with the survivor's id.
    """
    merge_id = await service.merge(desk, body)
    answer = await _read(desk, merge_id)
    return await once.answer(201, answer, location=f"/customer-merges/{merge_id}")


@router.get(
    "", summary="List merges", responses=documented(MergePage, 400, 422), response_class=Response
)
async def list_merges(
    principal: Reader,
    context: Context,
    page: Page,
    now: Now,
    survivor: UUID | None = None,
    merged: UUID | None = None,
    state: MergeState | None = None,
) -> Response:
    """Return a page of the merges of customers of the caller's unit and those below, the latest first."""
    filters = {
        "scope": principal.unit_path,
        "survivor": survivor,
        "merged": merged,
        "state": state,
    }
    latest_first = replace(naming(page, *_PAIR), sort=page.sort or "-at")
    pool = await context.database.pool()
    body = await repository.merges.page(pool, latest_first, filters)
    await look_at_list(
        context, principal, "customer_merge", body, whose=_PAIR, filters=filters, now=now
    )
    return Response(body, media_type=JSON)


@router.get(
    "/{merge_id}",
    summary="Read a merge",
    responses=documented(MergeOut, 404, 422),
    response_class=Response,
)
async def read_merge(merge_id: UUID, principal: Reader, context: Context, now: Now) -> Response:
    """Return what a merge did, by table."""
    pool = await context.database.pool()
    found = await repository.merges.one(pool, {"scope": principal.unit_path, "id": merge_id})
    if found is None:
        raise MergeNotFound(merge=merge_id)
    await look_at_list(context, principal, "customer_merge", found, whose=_PAIR, now=now)
    return Response(found, media_type=JSON)


@router.get(
    "/{merge_id}/changes",
    summary="List the changes of the profile that was merged",
    responses=documented(ChangePage, 400, 404, 422),
    response_class=Response,
)
async def list_merged_changes(
    merge_id: UUID, principal: Reader, context: Context, page: Page, now: Now
) -> Response:
    """Return a page of the history of the profile that ended, the latest first."""
    pool = await context.database.pool()
    scope = {"scope": principal.unit_path}
    found = await repository.merges.one(pool, {**scope, "id": merge_id})
    if found is None:
        raise MergeNotFound(merge=merge_id)
    latest_first = replace(page, sort=page.sort or "-id")
    columns = visible_columns(repository.changes.columns, sight_of(principal))
    filters = {**scope, "merge": merge_id}
    body = await repository.changes.page(pool, latest_first, filters, columns=columns)
    merge = MergeOut.model_validate_json(found)
    for customer_id in (merge.merged_id, merge.survivor_id):
        await look(context, principal, customer_id, ["changes"], now=now)
    return Response(body, media_type=JSON)


@router.post(
    "/{merge_id}/undo",
    summary="Undo a merge",
    responses=documented(MergeOut, 404, 409, 422),
    response_class=Response,
)
async def undo_merge(merge_id: UUID, desk: AtMergingDesk) -> Response:
    """Put both profiles back as they were; refused, with a list, if what the merge set or moved was changed since."""
    await service.undo(desk, merge_id)
    return Response(await _read(desk, merge_id), media_type=JSON)


async def _read(desk: AtMergingDesk, merge_id: UUID) -> bytes:
    connection = await driver_connection(desk.session)
    found = await repository.merges.one(
        connection, {"scope": desk.principal.unit_path, "id": merge_id}
    )
    if found is None:
        raise MergeNotFound(merge=merge_id)
    return found
