"""Billing accounts over HTTP: what a line has paid and owes, and suspending it for arrears."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from services.city_node.billing_account import repository, service
from services.city_node.billing_account.schemas import (
    BillingAccountOut,
    BillingAccountPage,
    BillingEntryPage,
    BillingTotals,
)
from services.city_node.billing_account.service import Cause
from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.looks import look
from services.city_node.customer.models import ChangeSource
from services.city_node.customer.problems import SubscriptionNotFound
from services.city_node.customer.profile import require_in_scope
from services.city_node.service_request.lines import lock_subscription
from shared import audit
from shared.access import OnceDependency, Principal, require
from shared.capability import Context
from shared.kernel.database import driver_connection
from shared.kernel.edge import Now, Page, Transaction

router = APIRouter(prefix="/customers/{customer_id}")
totals_router = APIRouter(prefix="/billing-accounts")

_ACCOUNT = "/subscriptions/{subscription_id}/billing-account"
Reader = Annotated[Principal, Depends(require("billing-account:read"))]
Suspender = Annotated[Principal, Depends(require("billing-account:suspend"))]


@router.get(
    "/billing-accounts",
    summary="List the billing accounts of a customer's lines",
    responses=documented(BillingAccountPage, 400, 404, 422),
    response_class=Response,
)
async def list_accounts(
    customer_id: UUID, principal: Reader, context: Context, page: Page, now: Now
) -> Response:
    """Return what each of the customer's lines has paid in advance, and what it owes."""
    pool = await context.database.pool()
    await require_in_scope(pool, customer_id, principal.unit_path)
    filters = {"scope": principal.unit_path, "customer": customer_id}
    body = await repository.ACCOUNTS.page(pool, page, filters)
    await look(context, principal, customer_id, ["billing_accounts"], now=now)
    return Response(body, media_type=JSON)


@router.get(
    f"{_ACCOUNT}/entries",
    summary="List how a line's balance came and went",
    responses=documented(BillingEntryPage, 400, 404, 422),
    response_class=Response,
)
async def list_entries(
    customer_id: UUID,
    subscription_id: UUID,
    principal: Reader,
    context: Context,
    page: Page,
    now: Now,
) -> Response:
    """Return a page of payments, reversals and bills paid from the balance; the latest first."""
    pool = await context.database.pool()
    await require_in_scope(pool, customer_id, principal.unit_path)
    filters = {
        "scope": principal.unit_path,
        "customer": customer_id,
        "subscription": subscription_id,
    }
    latest_first = replace(page, sort=page.sort or "-id")
    body = await repository.ENTRIES.page(pool, latest_first, filters)
    await look(context, principal, customer_id, ["billing_accounts"], now=now)
    return Response(body, media_type=JSON)


@router.post(
    f"{_ACCOUNT}/suspend",
    summary="Suspend a line for arrears",
    responses=documented(BillingAccountOut, 400, 404, 409, 422),
    response_class=Response,
)
async def suspend(
    customer_id: UUID,
    subscription_id: UUID,
    principal: Suspender,
    session: Transaction,
    context: Context,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Suspend a line that owes something; the payment that leaves nothing owed resumes it."""
    connection = await driver_connection(session)
    await require_in_scope(connection, customer_id, principal.unit_path)
    line = await lock_subscription(session, subscription_id)
    if line is None or line.customer.id != customer_id:
        raise SubscriptionNotFound(customer=customer_id, subscription=subscription_id)
    cause = Cause(audit.Actor.of(principal), ChangeSource.REST, now)
    await service.suspend(context, session, line, cause)
    filters = {"scope": principal.unit_path, "subscription": subscription_id}
    shown = await repository.ACCOUNTS.one(connection, filters)
    return await once.answer(200, shown or b"{}")


@totals_router.get(
    "/totals", summary="What was credited, and what became of it", response_model=BillingTotals
)
async def read_totals(principal: Reader, context: Context) -> Response:
    """Return what was credited to the lines of the caller's units, taken back, used by bills, and is left."""
    body = await repository.totals(await context.database.pool(), principal.unit_path)
    return Response(body, media_type=JSON)
