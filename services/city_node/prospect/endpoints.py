"""Prospects over HTTP: the worklist, one prospect, statistics and searches; acts are in ``act_endpoints``."""

from dataclasses import replace
from datetime import date, datetime, time
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.city_node.customer import profile
from services.city_node.customer.access import Reader
from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.looks import look, look_at_list, naming
from services.city_node.customer.models import Level
from services.city_node.customer.schemas import Code
from services.city_node.evaluation import repository as evaluations
from services.city_node.evaluation.schemas import EvaluationPage
from services.city_node.prospect import reading
from services.city_node.prospect.access import ASKED, ONE, TRIED, AtWork, MayFind
from services.city_node.prospect.finding import RULE, Finder
from services.city_node.prospect.models import Signal, State
from services.city_node.prospect.problems import ProspectNotFound
from services.city_node.prospect.schemas import (
    CountsOut,
    EventPage,
    Grouping,
    ProspectPage,
    ProspectWhole,
    SearchAsk,
    StandingOut,
    TrialAsk,
)
from services.city_node.prospect.trial import Draft, would_hold
from shared import audit
from shared.capability import Context, NodeContext
from shared.kernel.clock import BUSINESS_ZONE, business_day
from shared.kernel.database import driver_connection
from shared.kernel.edge import Now, Page, Speech, Transaction
from shared.kernel.ids import new_id
from shared.kernel.preconditions import entity_tag
from shared.work.schemas import WorkOut
from shared.work.service import request_work, requester_of

router = APIRouter()
KIND, TRYING = "find-prospects", "try-prospect"


@router.get(
    "/prospects",
    summary="List prospects",
    responses=documented(ProspectPage, 400, 422),
    response_class=Response,
)
async def list_prospects(
    principal: Reader,
    context: Context,
    page: Page,
    now: Now,
    state: State | None = None,
    is_open: Annotated[
        bool | None, Query(alias="open", description="Open ones; all without it and `state`.")
    ] = None,
    unit: Annotated[
        Code | None, Query(description="Of customers of this unit and those below.")
    ] = None,
    manager: UUID | None = None,
    unassigned: Annotated[bool | None, Query(description="Whether nobody works on it.")] = None,
    target: Level | None = None,
    signal: Signal | None = None,
    min_score: Annotated[int | None, Query(ge=0, le=10_000)] = None,
    customer: UUID | None = None,
    overdue: Annotated[bool, Query(description="Only those with a step whose day passed.")] = False,
) -> Response:
    """Return a page of the prospects among the customers of the caller's unit and those below, the best first.

    Sorts: `score`, `found_at`, `next_due_on`; `-` before one for descending.
    """
    filters = {
        "scope": principal.unit_path,
        "state": state,
        "open": True if is_open else None,
        "closed": True if is_open is False else None,
        "unit": unit,
        "manager": manager,
        "unassigned": unassigned,
        "target": target,
        "signal": signal,
        "min_score": min_score,
        "customer": customer,
        "overdue_on": business_day(now) if overdue else None,
    }
    best_first = naming(replace(page, sort=page.sort or "-score"), "customer_id")
    pool = await context.database.pool()
    body = await reading.prospects.page(pool, best_first, filters)
    await look_at_list(context, principal, RULE, body, now=now, filters=filters)
    return Response(body, media_type=JSON)


@router.get("/prospects/statistics", summary="Count what happened to prospects")
async def count_prospects(
    principal: Reader,
    context: Context,
    by: Annotated[list[Grouping] | None, Query(description="Month without it.")] = None,
    since: Annotated[date | None, Query(alias="from", description="From this day.")] = None,
    before: Annotated[date | None, Query(description="Before this day.")] = None,
) -> CountsOut:
    """Count what happened in a period, by month, unit, reason, target or ending, or several of them.

    Units are those that looked after the customers then. By `signal`, a prospect counts for each of its reasons.
    """
    pool = await context.database.pool()
    groups = list(dict.fromkeys(by or [Grouping.MONTH]))
    found = await reading.statistics(
        pool, groups, principal.unit_path, _moment(since), _moment(before)
    )
    return CountsOut.model_validate({"items": found})


@router.get("/prospects/{prospect_id}", summary="Read a prospect")
async def read_prospect(
    prospect_id: UUID, principal: Reader, context: Context, now: Now, response: Response
) -> ProspectWhole:
    """Return a prospect with its plan and why it is one."""
    pool = await context.database.pool()
    found = await reading.one(pool, {"scope": principal.unit_path, "id": prospect_id})
    if found is None:
        raise ProspectNotFound(prospect=prospect_id)
    shown = ProspectWhole.model_validate(found)
    await look(context, principal, shown.customer_id, [RULE], now=now)
    response.headers["etag"] = entity_tag(shown.version)
    return shown


@router.get(
    "/prospects/{prospect_id}/history",
    summary="List what happened to a prospect",
    responses=documented(EventPage, 400, 404, 422),
    response_class=Response,
)
async def list_history(
    prospect_id: UUID, principal: Reader, context: Context, page: Page, now: Now
) -> Response:
    """Return a page of what happened to a prospect, the latest first."""
    pool = await context.database.pool()
    found = await reading.one(pool, {"scope": principal.unit_path, "id": prospect_id})
    if found is None:
        raise ProspectNotFound(prospect=prospect_id)
    latest_first = replace(page, sort=page.sort or "-id")
    filters = {"scope": principal.unit_path, "prospect": prospect_id}
    body = await reading.events.page(pool, latest_first, filters)
    await look(context, principal, UUID(found["customer_id"]), [RULE], now=now)
    return Response(body, media_type=JSON)


@router.get("/customers/{customer_id}/prospect", summary="Whether a customer is a prospect")
async def read_standing(
    customer_id: UUID, principal: Reader, context: Context, session: Transaction, now: Now
) -> StandingOut:
    """Return the open prospect that the customer is, and what the facts of this moment give, each explained."""
    connection = await driver_connection(session)
    await profile.require_in_scope(connection, customer_id, principal.unit_path)
    found = await _standing(session, context, customer_id, principal.unit_path, now)
    await look(context, principal, customer_id, [RULE], now=now)
    return found


@router.post(
    "/customers/{customer_id}/prospect/find",
    summary="Look at once whether a customer is a prospect",
)
async def find_one(customer_id: UUID, desk: AtWork, context: Context) -> StandingOut:
    """Search one customer, and return how they stand. Repeating it changes nothing."""
    customer = await desk.locked(customer_id)
    finder = Finder(context, desk.now, desk.principal.username)
    await finder.search_some(desk.session, [customer.id])
    actor = audit.Actor.of(desk.principal)
    audit.record(desk.session, actor, ONE, at=desk.now, subject=("customer", customer.id))
    path = desk.principal.unit_path
    return await _standing(desk.session, context, customer.id, path, desk.now)


@router.post("/prospect-searches", status_code=202, summary="Search for prospects")
async def ask_search(
    body: SearchAsk,
    principal: MayFind,
    session: Transaction,
    now: Now,
    language: Speech,
    response: Response,
) -> WorkOut:
    """Ask for a search. It is made in the background: `GET /works/{id}` follows and cancels it."""
    work = await request_work(
        session,
        KIND,
        id=new_id(),
        title=f"{RULE}: {body.scope}",
        parameters={"scope": body.scope},
        requester=requester_of(principal),
        now=now,
    )
    detail = {"scope": body.scope, "work": str(work.id)}
    audit.record(session, audit.Actor.of(principal), ASKED, at=now, detail=detail)
    response.headers["location"] = f"/works/{work.id}"
    return WorkOut.of(work, language)


@router.post("/prospect-trials", status_code=202, summary="Try a draft of the policy")
async def ask_trial(
    body: TrialAsk,
    principal: MayFind,
    session: Transaction,
    context: Context,
    *,
    now: Now,
    language: Speech,
    response: Response,
) -> WorkOut:
    """Ask how many prospects a draft would find in the caller's unit, by unit and target, and who of now would be none.

    It is counted in the background and nothing is changed: `GET /works/{id}` follows it, and has the result.
    """
    await would_hold(session, Finder(context, now, RULE), Draft(body.draft, body.publisher))
    work = await request_work(
        session,
        TRYING,
        id=new_id(),
        title=f"{RULE} {body.publisher or context.settings.code}",
        parameters={"draft": body.draft, "publisher": body.publisher},
        requester=requester_of(principal),
        now=now,
    )
    detail = {"work": str(work.id)}
    audit.record(session, audit.Actor.of(principal), TRIED, at=now, detail=detail)
    response.headers["location"] = f"/works/{work.id}"
    return WorkOut.of(work, language)


@router.get(
    "/prospect-searches",
    summary="List searches for prospects",
    responses=documented(EvaluationPage, 400, 422),
    response_class=Response,
)
async def list_searches(
    principal: MayFind,  # noqa: ARG001 - a permission, and they are the same for everybody
    context: Context,
    page: Page,
) -> Response:
    """Return a page of the searches that were made, the latest first."""
    pool = await context.database.pool()
    latest_first = replace(page, sort=page.sort or "-id")
    body = await evaluations.evaluations.page(pool, latest_first, {"rule": RULE})
    return Response(body, media_type=JSON)


async def _standing(
    session: Transaction, context: NodeContext, customer_id: UUID, unit_path: str, now: datetime
) -> StandingOut:
    connection = await driver_connection(session)
    finder = Finder(context, now, RULE)
    terms = await finder.terms(session)
    mine = {"scope": unit_path, "customer": customer_id, "open": True}
    return StandingOut.model_validate({
        "customer_id": customer_id,
        "prospect": await reading.one(connection, mine),
        "now": await reading.standing(connection, terms, terms.window(finder.on), customer_id),
    })  # fmt: skip


def _moment(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), BUSINESS_ZONE)
