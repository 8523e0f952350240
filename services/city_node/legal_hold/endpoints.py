"""Legal holds over HTTP."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from services.city_node.customer.access import AtDesk
from services.city_node.customer.answers import JSON
from services.city_node.customer.looks import look_at_list, naming
from services.city_node.customer.profile import SOURCE
from services.city_node.legal_hold import service
from services.city_node.legal_hold.access import HOLD
from services.city_node.legal_hold.models import LegalHold
from services.city_node.legal_hold.schemas import HoldCreate, HoldOut, HoldPage, LiftPropose
from shared.access import Principal, require
from shared.capability import Context
from shared.kernel.edge import ExpectedVersion, Now, Page
from shared.kernel.listing import Listing, Sort
from shared.kernel.preconditions import entity_tag

router = APIRouter()

Holder = Annotated[Principal, Depends(require(HOLD))]

LISTING = Listing(
    source=f"legal_hold p JOIN {SOURCE.replace('customer c', 'customer c ON c.id = p.customer_id', 1)}",
    key=Sort("p.id", "uuid"),
    columns={name: f"p.{name}" for name in HoldOut.model_fields},
    sorts={"placed_at": Sort("p.placed_at", "timestamptz")},
    filters={
        "scope": "starts_with(u.path, {})",
        "customer": "p.customer_id = {}",
        "standing": "(p.lifted_at IS NULL) = {}",
    },
)


@router.get(
    "/legal-holds", summary="List legal holds", response_model=HoldPage, response_class=Response
)
async def list_holds(
    holder: Holder,
    context: Context,
    page: Page,
    now: Now,
    customer: UUID | None = None,
    standing: Annotated[
        bool | None, Query(description="`true`: not lifted; `false`: lifted.")
    ] = None,
) -> Response:
    """Return a page of the holds on customers of the caller's unit and those below, the latest first."""
    filters = {"scope": holder.unit_path, "customer": customer, "standing": standing}
    latest_first = replace(naming(page, "customer_id"), sort=page.sort or "-placed_at")
    body = await LISTING.page(await context.database.pool(), latest_first, filters)
    await look_at_list(context, holder, "legal_hold", body, filters=filters, now=now)
    return Response(body, media_type=JSON)


@router.post(
    "/customers/{customer_id}/legal-holds",
    status_code=201,
    summary="Hold a customer's records",
)
async def place_hold(
    customer_id: UUID, _: Holder, desk: AtDesk, body: HoldCreate, response: Response
) -> HoldOut:
    """Keep a customer's records from being erased, until two people have lifted the hold."""
    return _answer(response, await service.place(desk, customer_id, body.reason))


@router.post("/legal-holds/{hold_id}/lift", summary="Propose to lift a legal hold")
async def propose_lift(
    hold_id: UUID,
    _: Holder,
    desk: AtDesk,
    expected: ExpectedVersion,
    body: LiftPropose,
    response: Response,
) -> HoldOut:
    """Say why a hold is needed no longer; it stands until somebody else approves."""
    return _answer(response, await service.propose_lift(desk, hold_id, expected, body.reason))


@router.post("/legal-holds/{hold_id}/lift/approve", summary="Lift a legal hold")
async def approve_lift(
    hold_id: UUID, _: Holder, desk: AtDesk, expected: ExpectedVersion, response: Response
) -> HoldOut:
    """Lift a hold as somebody else proposed."""
    return _answer(response, await service.approve_lift(desk, hold_id, expected))


def _answer(response: Response, hold: LegalHold) -> HoldOut:
    response.headers["etag"] = entity_tag(hold.version)
    return HoldOut.model_validate(hold)
