"""Reading customers over HTTP: the answers are the bytes that PostgreSQL made."""

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request, Response

from services.city_node.customer import profile
from services.city_node.customer.access import DOCUMENT, DocumentReader, Reader
from services.city_node.customer.answers import JSON, documented, profile_response, reading_for
from services.city_node.customer.filters import customer_filters
from services.city_node.customer.looks import look, look_at_document, search
from services.city_node.customer.models import ChangeAction, ChangeSource
from services.city_node.customer.representations import (
    ChangePage,
    CustomerOut,
    CustomerPage,
    DocumentOut,
    SubscriptionList,
)
from shared.access import Principal, require
from shared.capability import Context, NodeContext
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
            "description": "Parts to add, separated by commas: subscriptions, contacts, bills, changes.",
            "schema": {"type": "string"},
            "example": "subscriptions,bills",
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
    how = reading_for(principal, asked.get("fields"), asked.get("include"))
    if how.with_document_number:
        await require(DOCUMENT)(request)
    pool = await context.database.pool()
    version, body = await profile.read(pool, how, customer_id, principal.unit_path)
    await look(context, principal, customer_id, how.shows, now=now_of(request))
    if how.with_document_number:
        return profile_response(
            version, await _with_document_number(context, principal, customer_id, body)
        )
    return profile_response(version, body, request.headers.get("if-none-match"))


async def _with_document_number(
    context: NodeContext, principal: Principal, customer_id: UUID, body: str
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
)
async def list_customers(
    principal: Reader,
    context: Context,
    page: Page,
    filters: Annotated[dict[str, Any], Depends(customer_filters)],
    now: Now,
) -> Response:
    """Return a page of the customers of the caller's unit and those below, of the in-network library unless asked.

    Sorts: `id`, `name` (pinyin), `monthly_charge_fen`, `entry_date`, `updated_at`; `-` before one for descending.
    """
    pool = await context.database.pool()
    body = await profile.customers.page(pool, page, {"scope": principal.unit_path, **filters})
    await search(context, principal, filters, body, now=now)
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
    body = await profile.changes.page(pool, latest_first, filters)
    await look(context, principal, customer_id, ["changes"], now=now)
    return Response(body, media_type=JSON)


@router.get(
    "/{customer_id}/subscriptions",
    summary="List the lines of a customer",
    responses=documented(SubscriptionList, 404, 422),
    response_class=Response,
)
async def list_subscriptions(
    customer_id: UUID, principal: Reader, context: Context, now: Now
) -> Response:
    """Return every line of a customer, ended ones too, with the SIM in use."""
    pool = await context.database.pool()
    body = await profile.read_part(pool, "subscriptions", customer_id, principal.unit_path)
    await look(context, principal, customer_id, ["subscriptions"], now=now)
    return Response(body, media_type=JSON)
