"""Payments over HTTP, for the counter of the visited city; and at either end, to be read."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from services.city_node.payment import home as home_end
from services.city_node.payment import repository, reversal_visited, visited
from services.city_node.payment.kind import PAYMENT, REVERSAL
from services.city_node.payment.problems import (
    ReceiptMistyped,
    ReceiptOfOtherCity,
    ReceiptUnknown,
)
from services.city_node.payment.receipt import city_of, is_well_formed
from services.city_node.payment.schemas import (
    AllocationIn,
    PaymentIn,
    PaymentOut,
    PaymentPage,
    ReceiptOut,
    ReversalIn,
    ReversalOut,
    TillTotals,
)
from services.city_node.service_request import repository as requests
from services.city_node.service_request.answers import answered
from services.city_node.service_request.kind import Kind
from services.city_node.service_request.schemas import DivisionCode
from services.city_node.service_request.service import RequestNotFound
from shared.access import OnceDependency, Principal, require
from shared.capability import Context
from shared.kernel.clock import Moment
from shared.kernel.edge import NodeDatabase, Now, Page, Transaction
from shared.kernel.listing import Listing
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix="/payments")
reversal_router = APIRouter(prefix="/payment-reversals")
credit_router = APIRouter(prefix="/payment-credits")
receipt_router = APIRouter(prefix="/receipts")

Cashier = Annotated[Principal, Depends(require("payment:take"))]
Reverser = Annotated[Principal, Depends(require("payment:reverse"))]
Allocator = Annotated[Principal, Depends(require("payment:allocate"))]
Reader = Annotated[Principal, Depends(require("payment:read"))]
Fields = Annotated[
    str | None,
    Query(description="Fields to return, separated by commas.", examples=["state,trail"]),
]


@router.post("", status_code=201, summary="Take a payment", response_model=PaymentOut)
async def take(
    body: PaymentIn,
    principal: Cashier,
    session: Transaction,
    context: Context,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Take money for a number of another city into one's open shift; the home city's word comes later."""
    request_id = await visited.take(context, session, principal, body, now=now)
    return await answered(
        session,
        principal,
        once,
        request_id,
        kind=PAYMENT,
        listing=_listing(PAYMENT),
        made_at=router.prefix,
    )


@router.get("", summary="Payments of this node, at either end", response_model=PaymentPage)
async def list_payments(
    database: NodeDatabase,
    principal: Reader,
    page: Page,
    state: Annotated[
        str | None, Query(pattern=r"^[a-z_]{1,30}$", examples=["to_give_back"])
    ] = None,
    role: Annotated[
        Literal["visited", "home"] | None, Query(description="Which end this node is.")
    ] = None,
    home: DivisionCode | None = None,
    visited_at: Annotated[DivisionCode | None, Query(alias="visited")] = None,
    shift: Annotated[UUID | None, Query(description="Taken in that shift.")] = None,
    business_day: Annotated[date | None, Query(description="Cleared on that day.")] = None,
    was_reversed: Annotated[
        bool | None, Query(alias="reversed", description="Whether the home city took it back.")
    ] = None,
    allocated: Annotated[
        bool | None, Query(description="At the home city: `false` finds those whose line was lost.")
    ] = None,
    is_open: Annotated[
        bool | None, Query(alias="open", description="`true`: not ended yet; `false`: ended.")
    ] = None,
    deadline_before: Annotated[
        Moment | None,
        Query(description="With `open=true` and the present moment: what wants attention."),
    ] = None,
) -> Response:
    """Return a page of the payments that belong to the caller's units, the latest first."""
    more = {
        "state": state,
        "role": role,
        "home": home,
        "visited": visited_at,
        "shift": shift,
        "business_day": business_day,
        "reversed": was_reversed,
        "allocated": allocated,
        "open": is_open,
        "deadline_before": deadline_before,
    }
    filters = _owned(principal, PAYMENT, more)
    latest_first = replace(page, sort=page.sort or "-created_at")
    body = await repository.PAYMENTS.page(await database.pool(), latest_first, filters)
    return Response(body, media_type="application/json")


@router.get(
    "/totals", summary="What the tills took, and where it stands", response_model=TillTotals
)
async def read_totals(
    database: NodeDatabase,
    principal: Reader,
    taken_from: Annotated[Moment | None, Query(description="Taken then or later.")] = None,
    taken_before: Annotated[Moment | None, Query(description="Taken before.")] = None,
) -> Response:
    """Return what the tills of the caller's units took for other cities: cash is waiting, credited or to give back."""
    body = await repository.totals(
        await database.pool(), principal.unit_path, taken_from, taken_before
    )
    return Response(body, media_type="application/json")


@router.get("/{request_id}", summary="A payment with its trail", response_model=PaymentOut)
async def read_payment(
    request_id: UUID, database: NodeDatabase, principal: Reader, fields: Fields = None
) -> Response:
    """Return this end's record: where the money is, since when, and what is awaited."""
    return await _answer(database, principal, PAYMENT, request_id, fields)


@router.post(
    "/{request_id}/give-back", summary="Give a refused payment back", response_model=PaymentOut
)
async def give_back(
    request_id: UUID,
    principal: Cashier,
    session: Transaction,
    context: Context,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Hand the money of a payment that the home city refused back, out of one's open shift."""
    await visited.give_back(context, session, principal, request_id, now=now)
    return await answered(
        session, principal, once, request_id, kind=PAYMENT, listing=_listing(PAYMENT)
    )


@router.post(
    "/{request_id}/reverse",
    status_code=201,
    summary="Reverse a payment",
    response_model=ReversalOut,
)
async def reverse(
    request_id: UUID,
    body: ReversalIn,
    principal: Reverser,
    session: Transaction,
    context: Context,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Ask the home city to take a credited payment back, whole, on the day on which another person took it."""
    reversal_id = await reversal_visited.ask(
        context, session, principal, request_id, body.reason, now=now
    )
    return await answered(
        session,
        principal,
        once,
        reversal_id,
        kind=REVERSAL,
        listing=_listing(REVERSAL),
        made_at=reversal_router.prefix,
    )


@credit_router.post(
    "/{request_id}/allocate",
    summary="Find the line of a payment that a restore has lost",
    response_model=PaymentOut,
)
async def allocate(
    request_id: UUID,
    body: AllocationIn,
    principal: Allocator,
    session: Transaction,
    context: Context,
    now: Now,
    once: OnceDependency,
) -> Response:
    """At the home city: credit a line with a payment that was credited before a restore to a line the backup lacks."""
    await home_end.allocate(context, session, principal, request_id, body.subscription_id, now=now)
    return await answered(
        session, principal, once, request_id, kind=PAYMENT, listing=_listing(PAYMENT)
    )


@reversal_router.get(
    "/{request_id}", summary="A reversal with its trail", response_model=ReversalOut
)
async def read_reversal(
    request_id: UUID, database: NodeDatabase, principal: Reader, fields: Fields = None
) -> Response:
    """Return this end's record of a reversal; `GET /service-requests?kind=payment-reversal` lists them."""
    return await _answer(database, principal, REVERSAL, request_id, fields)


@reversal_router.post(
    "/{request_id}/give-back", summary="Give a reversed payment back", response_model=ReversalOut
)
async def give_back_reversed(
    request_id: UUID,
    principal: Cashier,
    session: Transaction,
    context: Context,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Hand the money of a payment that the home city took back out, from one's open shift."""
    await reversal_visited.give_back(context, session, principal, request_id, now=now)
    return await answered(
        session, principal, once, request_id, kind=REVERSAL, listing=_listing(REVERSAL)
    )


@receipt_router.get("/{number}", summary="Verify a receipt", response_model=ReceiptOut)
async def read_receipt(
    number: Annotated[str, Path(pattern=r"^[0-9]{1,40}$", examples=["440300260302473829105647"])],
    context: Context,
    principal: Reader,
) -> Response:
    """Return what a receipt of this city is worth today."""
    if not is_well_formed(number):
        raise ReceiptMistyped(number=number)
    if city_of(number) != context.settings.code:
        raise ReceiptOfOtherCity(number=number, city=city_of(number))
    pool = await context.database.pool()
    body = await repository.receipt(pool, number, principal.unit_path)
    if body is None:
        raise ReceiptUnknown(number=number)
    return Response(body, media_type="application/json")


def _owned(principal: Principal, kind: Kind, more: Mapping[str, Any]) -> dict[str, Any]:
    return {"unit_path": principal.unit_path, "kind": kind.code, **more}


def _listing(kind: Kind) -> Listing:
    return repository.ONE_PAYMENT if kind is PAYMENT else repository.ONE_REVERSAL


async def _answer(
    database: NodeDatabase, principal: Principal, kind: Kind, request_id: UUID, fields: str | None
) -> Response:
    found = await requests.read(
        await database.pool(),
        request_id,
        unit_path=principal.unit_path,
        kind=kind.code,
        listing=_listing(kind),
        fields=fields,
    )
    if found is None:
        raise RequestNotFound(id=request_id)
    return Response(
        found.json, media_type="application/json", headers={"ETag": entity_tag(found.version)}
    )
