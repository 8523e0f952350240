"""The worklist, success rates, and the return of a customer, over HTTP."""

from dataclasses import replace
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.city_node.customer.access import AtDesk, Reader
from services.city_node.customer.answers import JSON, after_change, documented
from services.city_node.customer.looks import look_at_list, naming
from services.city_node.customer.representations import CustomerOut
from services.city_node.customer.schemas import Code, Line
from services.city_node.win_back import repository, service
from services.city_node.win_back.schemas import RateDimension, RateList, RateOut, WorklistPage
from shared.capability import Context
from shared.kernel.clock import business_day
from shared.kernel.edge import ExpectedVersion, NodeDatabase, Now, Page

router = APIRouter()


@router.get(
    "/win-back/worklist",
    summary="List customers to win back",
    responses=documented(WorklistPage, 400, 422),
    response_class=Response,
)
async def list_worklist(
    principal: Reader,
    context: Context,
    now: Now,
    page: Page,
    unit: Annotated[
        Code | None, Query(description="Customers of this unit and those below it.")
    ] = None,
    manager: UUID | None = None,
    reason: Annotated[Line | None, Query(description="Code of the reason for leaving.")] = None,
    competitor: Annotated[Line | None, Query(description="Code of the competitor.")] = None,
    min_lost_monthly_charge_fen: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    left_from: date | None = None,
    left_before: date | None = None,
    due_by: Annotated[
        date | None, Query(description="To be tried again on this day or earlier.")
    ] = None,
    tried: Annotated[
        bool | None, Query(description="Whether anybody has tried since the customer left.")
    ] = None,
) -> Response:
    """Return a page of customers who left, the most valuable first; who asked not to be contacted is not in it.

    Sorts: `lost_monthly_charge_fen`, `left_on`, and with `due_by` `next_due`; `-` before one for descending.
    """
    filters = {
        "today": business_day(now),
        "scope": principal.unit_path,
        "unit": unit,
        "manager": manager,
        "reason": reason,
        "competitor": competitor,
        "min_lost_monthly_charge_fen": min_lost_monthly_charge_fen,
        "left_from": left_from,
        "left_before": left_before,
        "due_by": due_by,
        "tried": tried,
    }
    listing = repository.worklist if due_by is None else repository.due
    most_valuable_first = replace(
        naming(page, "customer_id"), sort=page.sort or "-lost_monthly_charge_fen"
    )
    body = await listing.page(await context.database.pool(), most_valuable_first, filters)
    await look_at_list(context, principal, "win_back_worklist", body, filters=filters, now=now)
    return Response(body, media_type=JSON)


@router.get("/win-back/rates", summary="Success of winning customers back")
async def read_rates(
    principal: Reader,
    database: NodeDatabase,
    by: RateDimension = RateDimension.REASON,
    left_from: Annotated[date | None, Query(description="Who left on this day or later.")] = None,
    left_before: Annotated[date | None, Query(description="Who left before this day.")] = None,
) -> RateList:
    """Return how many departures were worked on, and how many of the customers returned."""
    found = await repository.rates(
        await database.pool(),
        by,
        principal.unit_path,
        left_from=left_from,
        left_before=left_before,
    )
    return RateList(items=[RateOut.model_validate(each) for each in found])


@router.post(
    "/customers/{customer_id}/win-back-attempts/{attempt_id}/returned",
    summary="Bring back a customer whom an attempt has won",
    responses=documented(CustomerOut, 400, 404, 409, 412, 422, 428),
    response_class=Response,
)
async def return_customer(
    customer_id: UUID, attempt_id: UUID, desk: AtDesk, expected: ExpectedVersion
) -> Response:
    """Restore a customer with the history kept, and mark the attempt that did it as `returned`."""
    await service.restore_by(desk, customer_id, attempt_id, expected)
    return await after_change(desk, customer_id)
