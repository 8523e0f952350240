"""Reading customers over HTTP: the answers are the bytes that PostgreSQL made."""

from dataclasses import replace
from datetime import date
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request, Response

from services.city_node.customer import profile
from services.city_node.customer.access import DocumentReader, Reader
from services.city_node.customer.answers import (
    JSON,
    documented,
    parts_offered,
    profile_response,
    reading_for,
)
from services.city_node.customer.as_of import moment_of, read_as_of
from services.city_node.customer.filters import customers_asked, listing_for
from services.city_node.customer.looks import look, look_at_document, naming, searched
from services.city_node.customer.models import ChangeAction, ChangeSource, SubscriptionStatus
from services.city_node.customer.privacy import DOCUMENT, opened, seen, sight_of, visible_columns
from services.city_node.customer.representations import (
    BillPage,
    ChangePage,
    ContactPage,
    CustomerOut,
    CustomerPage,
    DocumentOut,
    SubscriptionPage,
)
from shared.access import Principal, require
from shared.capability import Context, NodeContext
from shared.kernel.clock import business_day
from shared.kernel.edge import Now, Page, now_of

router = APIRouter(prefix="/customers")

PARAMETERS = {
    "parameters": [
        {
            "name": "fields",
            "in": "query",
            "description": "Fields to return, separated by commas; all without it.",
            "schema": {"type": "string"},
            "example": "id,name,level",
        },
        {
            "name": "include",
            "in": "query",
            "description": "Parts to add, separated by commas, or `all`.",
            "schema": {"type": "string"},
            "example": "subscriptions,bills,arrears",
        },
        {
            "name": "as_of",
            "in": "query",
            "description": "The profile as it was at this moment, as far as history tells; numbers masked, no ETag.",
            "schema": {"type": "string", "format": "date-time"},
            "example": "2026-05-01T00:00:00+08:00",
        },
        {
            "name": "If-None-Match",
            "in": "header",
            "description": "ETag that the caller has.",
            "schema": {"type": "string"},
            "example": '"3"',
        },
    ]
}
"""What reading a customer takes: read from the request by hand, because most requests have none of it and every
parameter that is declared costs each of them."""


# The first route, because routes are tried in turn and this one is asked for most.
@router.get(
    "/{customer_id}",
    summary="Read a customer",
    responses=documented(CustomerOut, 304, 400, 404, 422),
    response_class=Response,
    openapi_extra=PARAMETERS,
)
async def read_customer(request: Request, customer_id: UUID, principal: Reader) -> Response:
    """Return one customer, with the parts asked for. `document_number` is given only when `fields` names it."""
    context: NodeContext = request.app.state.context
    asked = request.query_params
    parts = parts_offered(request) if "include" in asked else profile.OWN_PARTS
    if "as_of" in asked:
        shows, past = await read_as_of(
            await context.database.pool(),
            customer_id,
            principal.unit_path,
            moment_of(asked["as_of"], now=now_of(request)),
            fields=asked.get("fields"),
            include=asked.get("include"),
            parts=parts,
            sight=sight_of(principal),
        )
        await look(context, principal, customer_id, shows, now=now_of(request))
        return Response(past, media_type=JSON)
    how = reading_for(principal, asked.get("fields"), asked.get("include"), parts)
    if how.with_document_number:
        await require(DOCUMENT)(request)
    pool = await context.database.pool()
    now = now_of(request)
    today = business_day(now) if how.at_day else None
    version, text = await profile.read(pool, how, customer_id, principal.unit_path, today=today)
    await look(context, principal, customer_id, how.shows, now=now)
    body = opened(text.encode(), context.cipher) if how.sealed else text
    if how.with_document_number:
        return profile_response(
            version, await _with_document_number(context, principal, customer_id, body)
        )
    had = request.headers.get("if-none-match") if how.versioned else None
    return profile_response(version, body, had)


async def _with_document_number(
    context: NodeContext, principal: Principal, customer_id: UUID, body: str | bytes
) -> bytes:
    _, stored = await profile.stored_document(
        await context.database.pool(), customer_id, principal.unit_path
    )
    number = None if stored is None else context.cipher.decrypt(stored)
    return orjson.dumps({**orjson.loads(body), profile.DOCUMENT_NUMBER: number})


@router.get(
    "",
    summary="List customers",
    responses=documented(CustomerPage, 400, 422),
    response_class=Response,
    openapi_extra=customers_asked.described,
)
async def list_customers(request: Request, principal: Reader) -> Response:
    """Return a page of the customers of the caller's unit and those below, of the in-network library unless asked.

    Sorts: `id`, `name` (pinyin), `monthly_charge_fen`, `entry_date`, `updated_at`; `-` before one for descending.
    """
    context: NodeContext = request.app.state.context
    asked = customers_asked.of(request)
    pool = await context.database.pool()
    columns = visible_columns(profile.customers.columns, sight_of(principal))
    filters = asked.filters(context.cipher)
    scoped = {"scope": principal.unit_path, **filters}
    listing, page = listing_for(filters), naming(asked, "id")
    record = searched(context, principal, filters, listing.asked(page.fields), now=now_of(request))
    body = await listing.page(pool, page, scoped, columns=columns, beside=record)
    return Response(body, media_type=JSON)


@router.get(
    "/{customer_id}/document",
    summary="See a document number in clear",
    responses=documented(DocumentOut, 404, 422),
)
async def read_document(
    customer_id: UUID, principal: DocumentReader, context: Context, now: Now
) -> DocumentOut:
    """Return the identity document's number in clear, and record who looked at whom, and when."""
    return await look_at_document(context, principal, customer_id, now=now)


@router.get(
    "/{customer_id}/changes",
    summary="List the changes of a customer",
    responses=documented(ChangePage, 400, 404, 422),
    response_class=Response,
)
async def list_changes(
    customer_id: UUID,
    principal: Reader,
    context: Context,
    page: Page,
    now: Now,
    action: ChangeAction | None = None,
    source: ChangeSource | None = None,
) -> Response:
    """Return a page of a customer's history, the latest first: who, when, from where, each field before and after."""
    pool = await context.database.pool()
    await profile.require_in_scope(pool, customer_id, principal.unit_path)
    filters = {
        "scope": principal.unit_path,
        "customer": customer_id,
        "action": action,
        "source": source,
    }
    latest_first = replace(page, sort=page.sort or "-id")
    columns = visible_columns(profile.changes.columns, sight_of(principal))
    body = await profile.changes.page(pool, latest_first, filters, columns=columns)
    await look(context, principal, customer_id, ["changes"], now=now)
    return Response(body, media_type=JSON)


@router.get(
    "/{customer_id}/subscriptions",
    summary="List the lines of a customer",
    responses=documented(SubscriptionPage, 400, 404, 422),
    response_class=Response,
)
async def list_subscriptions(
    customer_id: UUID,
    principal: Reader,
    context: Context,
    page: Page,
    now: Now,
    status: SubscriptionStatus | None = None,
) -> Response:
    """Return a page of a customer's lines, ended ones too, with the SIM in use."""
    pool = await context.database.pool()
    await profile.require_in_scope(pool, customer_id, principal.unit_path)
    filters = {"scope": principal.unit_path, "customer": customer_id, "status": status}
    body = await profile.subscriptions.page(pool, page, filters)
    await look(context, principal, customer_id, ["subscriptions"], now=now)
    return Response(body, media_type=JSON)


@router.get(
    "/{customer_id}/contacts",
    summary="List the contact media of a customer",
    responses=documented(ContactPage, 400, 404, 422),
    response_class=Response,
)
async def list_contacts(
    customer_id: UUID, principal: Reader, context: Context, page: Page, now: Now
) -> Response:
    """Return a page of the ways to reach a customer, masked for those who may not use them."""
    pool = await context.database.pool()
    await profile.require_in_scope(pool, customer_id, principal.unit_path)
    body = await profile.contacts.page(
        pool,
        page,
        {"scope": principal.unit_path, "customer": customer_id},
        columns=visible_columns(profile.contacts.columns, sight_of(principal)),
    )
    shown = seen("contacts", profile.contacts.columns["value"], sight_of(principal))
    await look(context, principal, customer_id, [shown], now=now)
    return Response(opened(body, context.cipher), media_type=JSON)


@router.get(
    "/{customer_id}/bills",
    summary="List the bills of a customer",
    responses=documented(BillPage, 400, 404, 422),
    response_class=Response,
)
async def list_bills(
    customer_id: UUID,
    principal: Reader,
    context: Context,
    page: Page,
    now: Now,
    subscription: UUID | None = None,
    unpaid: Annotated[
        bool | None, Query(description="Only those that are unpaid, or that are paid.")
    ] = None,
    period_from: Annotated[date | None, Query(description="This month or later.")] = None,
    period_before: Annotated[date | None, Query(description="Before this month.")] = None,
) -> Response:
    """Return a page of a customer's bills, the latest month first."""
    pool = await context.database.pool()
    await profile.require_in_scope(pool, customer_id, principal.unit_path)
    filters = {
        "scope": principal.unit_path,
        "customer": customer_id,
        "subscription": subscription,
        "unpaid": unpaid,
        "from": period_from,
        "before": period_before,
    }
    latest_first = replace(page, sort=page.sort or "-period")
    body = await profile.bills.page(pool, latest_first, filters)
    await look(context, principal, customer_id, ["bills"], now=now)
    return Response(body, media_type=JSON)
