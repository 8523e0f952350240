"""What people do to points, over HTTP: adjust, transfer, freeze."""

from dataclasses import replace
from uuid import UUID

from fastapi import APIRouter, Response

from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.profile import absent
from services.city_node.customer.service import Desk
from services.city_node.points import adjustment, freezing, statement
from services.city_node.points.access import (
    AtAdjustingDesk,
    AtApprovingDesk,
    AtFreezingDesk,
    AtTransferDesk,
    Reader,
)
from services.city_node.points.models import AdjustmentState
from services.city_node.points.problems import AdjustmentNotFound
from services.city_node.points.schemas import (
    AdjustmentCreate,
    AdjustmentOut,
    AdjustmentPage,
    PointsOut,
    Reason,
    TransferCreate,
    TransferOut,
)
from services.city_node.points.transfer import transfer
from shared.access import OnceDependency
from shared.capability import Context
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, Page
from shared.kernel.preconditions import entity_tag

router = APIRouter()


@router.post(
    "/customers/{customer_id}/points/transfers",
    status_code=201,
    summary="Give points to another customer",
    responses=documented(TransferOut, 400, 404, 409, 422, status=201),
    response_class=Response,
)
async def transfer_points(
    customer_id: UUID, desk: AtTransferDesk, once: OnceDependency, body: TransferCreate
) -> Response:
    """Move points to another customer, the first to expire first; takes effect once for each `Idempotency-Key`."""
    done = await transfer(desk, customer_id, body)
    return await once.answer(201, done.model_dump_json().encode())


@router.post(
    "/customers/{customer_id}/points/adjustments",
    status_code=201,
    summary="Adjust a customer's points",
    responses=documented(AdjustmentOut, 400, 404, 409, 422, status=201),
    response_class=Response,
)
async def adjust_points(
    customer_id: UUID, desk: AtAdjustingDesk, once: OnceDependency, body: AdjustmentCreate
) -> Response:
    """Add or take away points, once for each `Idempotency-Key`. More than the policy's limit wait for somebody else."""
    adjustment_id = await adjustment.adjust(desk, customer_id, body)
    location = f"/points-adjustments/{adjustment_id}"
    return await once.answer(201, await _shown(desk, adjustment_id), location=location)


@router.get(
    "/points-adjustments",
    summary="List adjustments of points",
    responses=documented(AdjustmentPage, 400, 422),
    response_class=Response,
)
async def list_adjustments(
    principal: Reader,
    context: Context,
    page: Page,
    customer: UUID | None = None,
    state: AdjustmentState | None = None,
) -> Response:
    """Return a page of the adjustments of customers of the caller's unit and those below, the latest first."""
    pool = await context.database.pool()
    filters = {"scope": principal.unit_path, "customer": customer, "state": state}
    latest_first = replace(page, sort=page.sort or "-requested_at")
    return Response(await adjustment.adjustments.page(pool, latest_first, filters), media_type=JSON)


@router.get(
    "/points-adjustments/{adjustment_id}",
    summary="Read an adjustment of points",
    responses=documented(AdjustmentOut, 404, 422),
    response_class=Response,
)
async def read_adjustment(adjustment_id: UUID, principal: Reader, context: Context) -> Response:
    """Return one adjustment."""
    pool = await context.database.pool()
    found = await adjustment.adjustments.one(
        pool, {"scope": principal.unit_path, "id": adjustment_id}
    )
    return _tagged(found, adjustment_id)


@router.post(
    "/points-adjustments/{adjustment_id}/approve",
    summary="Approve an adjustment of points",
    responses=documented(AdjustmentOut, 400, 404, 409, 412, 422, 428),
    response_class=Response,
)
async def approve_adjustment(
    adjustment_id: UUID, desk: AtApprovingDesk, expected: ExpectedVersion
) -> Response:
    """Carry out what somebody else asked for, against the adjustment's ETag."""
    await adjustment.approve(desk, adjustment_id, expected)
    return _tagged(await _shown(desk, adjustment_id), adjustment_id)


@router.post(
    "/points-adjustments/{adjustment_id}/reject",
    summary="Reject an adjustment of points",
    responses=documented(AdjustmentOut, 400, 404, 409, 412, 422, 428),
    response_class=Response,
)
async def reject_adjustment(
    adjustment_id: UUID, desk: AtApprovingDesk, expected: ExpectedVersion, body: Reason
) -> Response:
    """Decide that it is not done, and say why, against the adjustment's ETag."""
    await adjustment.reject(desk, adjustment_id, expected, body.reason)
    return _tagged(await _shown(desk, adjustment_id), adjustment_id)


@router.post(
    "/customers/{customer_id}/points/freeze",
    summary="Freeze a customer's points",
    responses=documented(PointsOut, 404, 422),
    response_class=Response,
)
async def freeze_points(customer_id: UUID, desk: AtFreezingDesk, body: Reason) -> Response:
    """Let nothing be used until it is unfrozen; bills go on earning. Repeating it changes nothing."""
    await freezing.freeze(desk, customer_id, body.reason)
    return await _points(desk, customer_id)


@router.post(
    "/customers/{customer_id}/points/unfreeze",
    summary="Unfreeze a customer's points",
    responses=documented(PointsOut, 404, 422),
    response_class=Response,
)
async def unfreeze_points(customer_id: UUID, desk: AtFreezingDesk) -> Response:
    """Let the points be used again. Repeating it changes nothing."""
    await freezing.unfreeze(desk, customer_id)
    return await _points(desk, customer_id)


async def _points(desk: Desk, customer_id: UUID) -> Response:
    connection = await driver_connection(desk.session)
    path = desk.principal.unit_path
    found = await connection.fetchval(statement.READ, customer_id, path, desk.today)
    if found is None:
        raise await absent(connection, customer_id, path)
    return Response(found, media_type=JSON)


async def _shown(desk: Desk, adjustment_id: UUID) -> bytes:
    connection = await driver_connection(desk.session)
    filters = {"scope": desk.principal.unit_path, "id": adjustment_id}
    found = await adjustment.adjustments.one(connection, filters)
    if found is None:
        raise AdjustmentNotFound(adjustment=adjustment_id)
    return found


def _tagged(found: bytes | None, adjustment_id: UUID) -> Response:
    if found is None:
        raise AdjustmentNotFound(adjustment=adjustment_id)
    version = AdjustmentOut.model_validate_json(found).version
    return Response(found, media_type=JSON, headers={"etag": entity_tag(version)})
