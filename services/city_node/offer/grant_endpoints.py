"""Grants and their uses over HTTP."""

from dataclasses import replace
from uuid import UUID

import asyncpg
import orjson
from fastapi import APIRouter, Response

from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.looks import SEARCHED, look
from services.city_node.interaction.models import Channel
from services.city_node.offer import granting, using
from services.city_node.offer.access import AtApproving, AtGranting, Reader
from services.city_node.offer.counter import Counter
from services.city_node.offer.life import GrantState
from services.city_node.offer.models import ReversalReason
from services.city_node.offer.problems import GrantNotFound
from services.city_node.offer.reading import grants, uses
from services.city_node.offer.schemas import (
    Explained,
    GrantCreate,
    GrantOut,
    GrantPage,
    Reversal,
    UseCreate,
    UseOut,
    UsePage,
)
from shared import audit
from shared.access import OnceDependency
from shared.capability import Context
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, Now, Page
from shared.kernel.preconditions import entity_tag
from shared.policy.kinds.offer import OfferCode

router = APIRouter()
_DECIDING = documented(GrantOut, 400, 404, 409, 412, 422, 428)


@router.post(
    "/customers/{customer_id}/offer-grants",
    status_code=201,
    summary="Grant an offer",
    responses=documented(GrantOut, 400, 404, 409, 422, status=201),
    response_class=Response,
)
async def grant_offer(
    customer_id: UUID, body: GrantCreate, counter: AtGranting, once: OnceDependency
) -> Response:
    """Grant an offer, or propose to where it takes a second person; once for each `Idempotency-Key`."""
    made = await granting.grant(counter, customer_id, body.offer, body.uses)
    found = await _grant(counter, made)
    tag = entity_tag(GrantOut.model_validate_json(found).version)
    return await once.answer(201, found, etag=tag, location=f"/offer-grants/{made}")


@router.get(
    "/offer-grants",
    summary="List grants",
    responses=documented(GrantPage, 400, 422),
    response_class=Response,
)
async def list_grants(  # noqa: PLR0917 - FastAPI calls it by name
    principal: Reader,
    context: Context,
    now: Now,
    page: Page,
    customer: UUID | None = None,
    offer: OfferCode | None = None,
    state: GrantState | None = None,
) -> Response:
    """Return a page of the grants to customers of the caller's unit and those below, the latest first."""
    filters = {"customer": customer, "offer": offer, "state": state}
    latest_first = replace(page, sort=page.sort or "-id")
    pool = await context.database.pool()
    body = await grants.page(pool, latest_first, {"scope": principal.unit_path, **filters})
    items = orjson.loads(body)["items"]
    shown = sorted({item["customer_id"] for item in items if "customer_id" in item})
    asked = {name: str(value) for name, value in filters.items() if value is not None}
    await audit.record_now(
        context.database,
        audit.Actor.of(principal),
        SEARCHED,
        at=now,
        subject=("customer", "list"),
        fields=["offers"],
        detail={"filters": asked, "count": len(items), "ids": shown},
    )
    return Response(body, media_type=JSON)


@router.get(
    "/offer-grants/{grant_id}",
    summary="Read a grant",
    responses=documented(GrantOut, 404, 422),
    response_class=Response,
)
async def read_grant(grant_id: UUID, principal: Reader, context: Context, now: Now) -> Response:
    """Return one grant."""
    found = await _read(await context.database.pool(), grant_id, principal.unit_path)
    await look(context, principal, _out(found).customer_id, ["offers"], now=now)
    return _answer(found)


@router.post(
    "/offer-grants/{grant_id}/approve",
    summary="Approve a proposed grant",
    responses=_DECIDING,
    response_class=Response,
)
async def approve_grant(
    grant_id: UUID, counter: AtApproving, expected: ExpectedVersion
) -> Response:
    """Let it hold, as somebody else than who proposed it, against the grant's ETag."""
    await granting.approve(counter, grant_id, expected)
    return _answer(await _grant(counter, grant_id))


@router.post(
    "/offer-grants/{grant_id}/refuse",
    summary="Refuse a proposed grant",
    responses=_DECIDING,
    response_class=Response,
)
async def refuse_grant(
    grant_id: UUID, body: Explained, counter: AtApproving, expected: ExpectedVersion
) -> Response:
    """Decide that it does not come about, and say why; its uses are free again."""
    await granting.refuse(counter, grant_id, expected, body.reason)
    return _answer(await _grant(counter, grant_id))


@router.post(
    "/offer-grants/{grant_id}/cancel",
    summary="Cancel a grant",
    responses=_DECIDING,
    response_class=Response,
)
async def cancel_grant(
    grant_id: UUID, body: Explained, counter: AtGranting, expected: ExpectedVersion
) -> Response:
    """Take back what is not used of it, or the proposal."""
    await granting.cancel(counter, grant_id, expected, body.reason)
    return _answer(await _grant(counter, grant_id))


@router.get(
    "/offer-grants/{grant_id}/uses",
    summary="List the uses of a grant",
    responses=documented(UsePage, 400, 404, 422),
    response_class=Response,
)
async def list_uses(
    grant_id: UUID, principal: Reader, context: Context, now: Now, page: Page
) -> Response:
    """Return a page of the uses and reversals, the latest first."""
    pool = await context.database.pool()
    found = await _read(pool, grant_id, principal.unit_path)
    latest_first = replace(page, sort=page.sort or "-id")
    filters = {"scope": principal.unit_path, "grant": grant_id}
    body = await uses.page(pool, latest_first, filters)
    await look(context, principal, _out(found).customer_id, ["offers"], now=now)
    return Response(body, media_type=JSON)


@router.post(
    "/offer-grants/{grant_id}/uses",
    status_code=201,
    summary="Use a grant",
    responses=documented(UseOut, 400, 404, 409, 422, status=201),
    response_class=Response,
)
async def use_grant(
    grant_id: UUID, body: UseCreate, counter: AtGranting, once: OnceDependency
) -> Response:
    """Note one use, at the caller's unit and now; once for each `Idempotency-Key`."""
    made = await using.use(counter, grant_id, Channel(body.channel))
    return await once.answer(201, await _use(counter, made))


@router.post(
    "/offer-uses/{use_id}/reverse",
    status_code=201,
    summary="Give a use back",
    responses=documented(UseOut, 400, 404, 409, 422, status=201),
    response_class=Response,
)
async def reverse_use(
    use_id: UUID, body: Reversal, counter: AtGranting, once: OnceDependency
) -> Response:
    """Note that a use did not count; once for each use, and once for each `Idempotency-Key`."""
    made = await using.reverse(counter, use_id, ReversalReason(body.reason))
    return await once.answer(201, await _use(counter, made))


async def _read(connection: asyncpg.Connection | asyncpg.Pool, grant_id: UUID, scope: str) -> bytes:
    found = await grants.one(connection, {"scope": scope, "id": grant_id})
    if found is None:
        raise GrantNotFound(grant=grant_id)
    return found


async def _grant(counter: Counter, grant_id: UUID) -> bytes:
    return await _read(await driver_connection(counter.session), grant_id, counter.scope)


async def _use(counter: Counter, use_id: UUID) -> bytes:
    connection = await driver_connection(counter.session)
    found = await uses.one(connection, {"scope": counter.scope, "id": use_id})
    assert found is not None  # noqa: S101 - written in this transaction
    return found


def _out(found: bytes) -> GrantOut:
    return GrantOut.model_validate_json(found)


def _answer(found: bytes) -> Response:
    tag = entity_tag(_out(found).version)
    return Response(found, headers={"etag": tag}, media_type=JSON)
