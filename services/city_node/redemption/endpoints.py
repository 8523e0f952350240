"""Redemptions over HTTP."""

from dataclasses import replace
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Response

from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.service import Desk
from services.city_node.points.access import Reader
from services.city_node.redemption import service
from services.city_node.redemption.access import AtCounter, AtReversingDesk, AtSettlingDesk
from services.city_node.redemption.models import RedemptionState
from services.city_node.redemption.problems import RedemptionNotFound
from services.city_node.redemption.reading import redemptions
from services.city_node.redemption.schemas import (
    Cancellation,
    RedemptionCreate,
    RedemptionOut,
    RedemptionPage,
    Reversal,
)
from services.city_node.reward.schemas import RewardCode
from shared.access import HotOnceDependency, Principal
from shared.capability import Context
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, Page
from shared.kernel.preconditions import entity_tag

router = APIRouter()
_SETTLING = documented(RedemptionOut, 400, 404, 409, 412, 422, 428)


@router.post(
    "/customers/{customer_id}/points/redemptions",
    status_code=201,
    summary="Redeem points for a reward",
    responses=documented(RedemptionOut, 400, 404, 409, 422, status=201),
    response_class=Response,
)
async def redeem_points(
    customer_id: UUID, counter: AtCounter, once: HotOnceDependency, body: RedemptionCreate
) -> Response:
    """Take points, the first to expire first, and the reward from stock; once for each `Idempotency-Key`."""
    redemption_id = await service.redeem(counter, customer_id, body)
    shown = await _shown(counter.connection, counter.principal, redemption_id)
    return await once.answer(201, shown, location=f"/points-redemptions/{redemption_id}")


@router.get(
    "/points-redemptions",
    summary="List redemptions",
    responses=documented(RedemptionPage, 400, 422),
    response_class=Response,
)
async def list_redemptions(
    principal: Reader,
    context: Context,
    page: Page,
    customer: UUID | None = None,
    reward: RewardCode | None = None,
    state: RedemptionState | None = None,
) -> Response:
    """Return a page of the redemptions of customers of the caller's unit and those below, the latest first."""
    filters = {
        "scope": principal.unit_path,
        "customer": customer,
        "reward": reward,
        "state": state,
    }
    latest_first = replace(page, sort=page.sort or "-id")
    pool = await context.database.pool()
    return Response(await redemptions.page(pool, latest_first, filters), media_type=JSON)


@router.get(
    "/points-redemptions/{redemption_id}",
    summary="Read a redemption",
    responses=documented(RedemptionOut, 404, 422),
    response_class=Response,
)
async def read_redemption(redemption_id: UUID, principal: Reader, context: Context) -> Response:
    """Return one redemption."""
    pool = await context.database.pool()
    found = await redemptions.one(pool, {"scope": principal.unit_path, "id": redemption_id})
    return _tagged(found, redemption_id)


@router.post(
    "/points-redemptions/{redemption_id}/fulfil",
    summary="Note that a reward was handed over",
    responses=_SETTLING,
    response_class=Response,
)
async def fulfil_redemption(
    redemption_id: UUID, desk: AtSettlingDesk, expected: ExpectedVersion
) -> Response:
    """Note that the customer has the reward, against the redemption's ETag."""
    await service.fulfil(desk, redemption_id, expected)
    return await _after(desk, redemption_id)


@router.post(
    "/points-redemptions/{redemption_id}/cancel",
    summary="Cancel a redemption",
    responses=_SETTLING,
    response_class=Response,
)
async def cancel_redemption(
    redemption_id: UUID, desk: AtSettlingDesk, expected: ExpectedVersion, body: Cancellation
) -> Response:
    """Give points and stock back before the reward was handed over, against the redemption's ETag."""
    await service.cancel(desk, redemption_id, expected, body.reason)
    return await _after(desk, redemption_id)


@router.post(
    "/points-redemptions/{redemption_id}/reverse",
    summary="Reverse a redemption",
    responses=_SETTLING,
    response_class=Response,
)
async def reverse_redemption(
    redemption_id: UUID, desk: AtReversingDesk, expected: ExpectedVersion, body: Reversal
) -> Response:
    """Give the points back to the very lots after the reward was handed over, against the redemption's ETag."""
    await service.reverse(desk, redemption_id, expected, body)
    return await _after(desk, redemption_id)


async def _after(desk: Desk, redemption_id: UUID) -> Response:
    connection = await driver_connection(desk.session)
    return _tagged(await _shown(connection, desk.principal, redemption_id), redemption_id)


async def _shown(
    connection: asyncpg.Connection, principal: Principal, redemption_id: UUID
) -> bytes:
    filters = {"scope": principal.unit_path, "id": redemption_id}
    found = await redemptions.one(connection, filters)
    if found is None:
        raise RedemptionNotFound(redemption=redemption_id)
    return found


def _tagged(found: bytes | None, redemption_id: UUID) -> Response:
    if found is None:
        raise RedemptionNotFound(redemption=redemption_id)
    version = RedemptionOut.model_validate_json(found).version
    return Response(found, media_type=JSON, headers={"etag": entity_tag(version)})
