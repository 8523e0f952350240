"""Points over HTTP: what there is, the statement, what bills earned, liability, and runs over the city."""

from dataclasses import replace
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.looks import look
from services.city_node.customer.problems import UnitOutOfScope
from services.city_node.customer.profile import absent, require_in_scope
from services.city_node.customer.schemas import Code
from services.city_node.points import statement
from services.city_node.points.access import Analyst, Reader, Runner
from services.city_node.points.chart import EntryKind
from services.city_node.points.liability import liability
from services.city_node.points.runs import ACCRUAL, EXPIRY
from services.city_node.points.schemas import (
    AccrualAsk,
    AccrualPage,
    EntryPage,
    LiabilityOut,
    PointsOut,
)
from shared.capability import Context
from shared.kernel.clock import business_day
from shared.kernel.edge import Now, Page, Speech, Transaction
from shared.kernel.ids import new_id
from shared.work.schemas import WorkOut
from shared.work.service import request_work, requester_of

router = APIRouter()
_UNIT = "SELECT path FROM organisation_unit WHERE code = $1 AND starts_with(path, $2)"


@router.get(
    "/customers/{customer_id}/points",
    summary="Read a customer's points",
    responses=documented(PointsOut, 404, 422),
    response_class=Response,
)
async def read_points(customer_id: UUID, principal: Reader, context: Context, now: Now) -> Response:
    """Return what a customer has, what can be used, and what expires next."""
    pool = await context.database.pool()
    today = business_day(now)
    found = await pool.fetchval(statement.READ, customer_id, principal.unit_path, today)
    if found is None:
        raise await absent(pool, customer_id, principal.unit_path)
    await look(context, principal, customer_id, ["points"], now=now)
    return Response(found, media_type=JSON)


@router.get(
    "/customers/{customer_id}/points/entries",
    summary="Read a customer's statement of points",
    responses=documented(EntryPage, 400, 404, 422),
    response_class=Response,
)
async def list_entries(
    customer_id: UUID,
    principal: Reader,
    context: Context,
    page: Page,
    now: Now,
    kind: EntryKind | None = None,
    since: Annotated[datetime | None, Query(description="At this moment or later.")] = None,
    before: Annotated[datetime | None, Query(description="Before this moment.")] = None,
) -> Response:
    """Return a page of how a customer's points came and went, with the balance after each line; the latest first."""
    pool = await context.database.pool()
    await require_in_scope(pool, customer_id, principal.unit_path)
    latest_first = replace(page, sort=page.sort or "-id")
    filters = {"customer": customer_id, "kind": kind, "from": since, "before": before}
    body = await statement.entries.page(pool, latest_first, filters)
    await look(context, principal, customer_id, ["points"], now=now)
    return Response(body, media_type=JSON)


@router.get(
    "/customers/{customer_id}/points/accruals",
    summary="List what a customer's bills earned",
    responses=documented(AccrualPage, 400, 404, 422),
    response_class=Response,
)
async def list_accruals(
    customer_id: UUID, principal: Reader, context: Context, page: Page, now: Now
) -> Response:
    """Return a page of a customer's bills with the points they earned and why, the latest month first."""
    pool = await context.database.pool()
    await require_in_scope(pool, customer_id, principal.unit_path)
    latest_first = replace(page, sort=page.sort or "-period")
    body = await statement.accruals.page(pool, latest_first, {"customer": customer_id})
    await look(context, principal, customer_id, ["points"], now=now)
    return Response(body, media_type=JSON)


@router.get(
    "/points-liability",
    summary="Read what a unit's customers have in points",
    responses=documented(LiabilityOut, 422),
)
async def read_liability(
    principal: Analyst,
    context: Context,
    now: Now,
    unit: Annotated[Code | None, Query(description="The caller's own without it.")] = None,
    on: Annotated[date | None, Query(description="At the end of this day; now without it.")] = None,
) -> LiabilityOut:
    """Return the points of the customers of a unit and those below at the end of a day, by month of expiry."""
    pool = await context.database.pool()
    code = unit or principal.unit
    path = await pool.fetchval(_UNIT, code, principal.unit_path)
    if path is None:
        raise UnitOutOfScope(code)
    return await liability(pool, code, path, on or business_day(now))


@router.post("/points/accrual", status_code=202, summary="Let bills earn their points now")
async def request_accrual(
    body: AccrualAsk,
    principal: Runner,
    session: Transaction,
    now: Now,
    language: Speech,
    response: Response,
) -> WorkOut:
    """Ask for a run over the city's bills, in the background: `GET /works/{id}` follows and cancels it."""
    work = await request_work(
        session,
        ACCRUAL,
        id=new_id(),
        title=body.scope,
        parameters={"scope": body.scope},
        requester=requester_of(principal),
        now=now,
    )
    response.headers["location"] = f"/works/{work.id}"
    return WorkOut.of(work, language)


@router.post("/points/expiry", status_code=202, summary="Let points expire now that are over")
async def request_expiry(
    principal: Runner, session: Transaction, now: Now, language: Speech, response: Response
) -> WorkOut:
    """Ask for a run over lots whose day has come, in the background: `GET /works/{id}` follows and cancels it."""
    work = await request_work(
        session,
        EXPIRY,
        id=new_id(),
        title=business_day(now).isoformat(),
        parameters={},
        requester=requester_of(principal),
        now=now,
    )
    response.headers["location"] = f"/works/{work.id}"
    return WorkOut.of(work, language)
