"""Verification tasks over HTTP."""

from datetime import date, datetime, time, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.city_node.customer.access import AtDesk, Reader
from services.city_node.customer.answers import JSON, after_change, documented
from services.city_node.customer.looks import look_at_list, naming
from services.city_node.customer.models import Level
from services.city_node.customer.representations import CustomerOut
from services.city_node.customer.schemas import Code
from services.city_node.verification import service
from services.city_node.verification.models import Reason, TaskState
from services.city_node.verification.problems import TaskNotFound
from services.city_node.verification.reading import STATISTICS, tasks
from services.city_node.verification.schemas import (
    Bounce,
    Grouping,
    TaskClose,
    TaskOut,
    TaskPage,
    TaskStatistics,
)
from shared.capability import Context
from shared.kernel.clock import BUSINESS_ZONE, business_day
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, Now, Page
from shared.kernel.preconditions import entity_tag

router = APIRouter()
_GROUPS = {Grouping.UNIT: "c.unit_code", Grouping.MANAGER: "c.manager_id::text"}


@router.get(
    "/verification-tasks",
    summary="List verification tasks",
    responses=documented(TaskPage, 400, 422),
    response_class=Response,
)
async def list_tasks(
    principal: Reader,
    context: Context,
    page: Page,
    now: Now,
    state: TaskState = TaskState.OPEN,
    reason: Reason | None = None,
    customer: UUID | None = None,
    manager: UUID | None = None,
    unit: Code | None = None,
    level: Level | None = None,
    overdue: Annotated[bool, Query(description="Only open ones whose day has passed.")] = False,
) -> Response:
    """Return a page of the tasks about customers of the caller's unit and those below, the most urgent first.

    Sorts: `due_on`, `monthly_charge_fen`; `-` before one for descending.
    """
    filters = {
        "scope": principal.unit_path,
        "state": state,
        "reason": reason,
        "customer": customer,
        "manager": manager,
        "unit": unit,
        "level": level,
        "overdue_on": business_day(now) if overdue else None,
    }
    body = await tasks.page(await context.database.pool(), naming(page, "customer_id"), filters)
    await look_at_list(context, principal, "verification_task", body, filters=filters, now=now)
    return Response(body, media_type=JSON)


@router.get(
    "/verification-tasks/statistics",
    summary="Count verification tasks",
    responses=documented(TaskStatistics, 422),
    response_class=Response,
)
async def count_tasks(
    principal: Reader,
    context: Context,
    now: Now,
    by: Grouping = Grouping.UNIT,
    closed_from: Annotated[
        date | None, Query(description="Closed on this day or later; the last 30 days without it.")
    ] = None,
    closed_before: Annotated[date | None, Query(description="Closed before this day.")] = None,
) -> Response:
    """Count the tasks that are open now and those that were closed in a period, by unit or manager."""
    today = business_day(now)
    first = closed_from or today - timedelta(days=30)
    end = closed_before or today + timedelta(days=1)
    pool = await context.database.pool()
    counted: str = await pool.fetchval(
        STATISTICS.format(group=_GROUPS[by]),
        principal.unit_path,
        _start(first),
        _start(end),
        today,
    )
    return Response(counted, media_type=JSON)


@router.get(
    "/verification-tasks/{task_id}",
    summary="Read a verification task",
    responses=documented(TaskOut, 404, 422),
    response_class=Response,
)
async def read_task(task_id: UUID, principal: Reader, context: Context, now: Now) -> Response:
    """Return one task."""
    pool = await context.database.pool()
    answer = _answered(
        await tasks.one(pool, {"scope": principal.unit_path, "id": task_id}), task_id
    )
    await look_at_list(context, principal, "verification_task", bytes(answer.body), now=now)
    return answer


@router.post(
    "/verification-tasks/{task_id}/close",
    summary="Close a verification task",
    responses=documented(TaskOut, 400, 404, 409, 412, 422, 428),
    response_class=Response,
)
async def close_task(
    task_id: UUID, desk: AtDesk, expected: ExpectedVersion, body: TaskClose
) -> Response:
    """Say what came of it; what was wrong in the profile is changed as any profile is, before."""
    await service.close(desk, task_id, expected, TaskState(body.outcome), body.note)
    connection = await driver_connection(desk.session)
    scope = {"scope": desk.principal.unit_path, "id": task_id}
    return _answered(await tasks.one(connection, scope), task_id)


@router.put(
    "/customers/{customer_id}/contacts/{contact_id}/bounce",
    summary="Note that a contact medium does not reach the customer",
    responses=documented(CustomerOut, 404, 422),
    response_class=Response,
)
async def note_bounce(customer_id: UUID, contact_id: UUID, desk: AtDesk, body: Bounce) -> Response:
    """Note that a call or letter came back: the next plan makes a verification task of it."""
    await service.note_bounce(desk, customer_id, contact_id, body.note)
    return await after_change(desk, customer_id)


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), BUSINESS_ZONE)


def _answered(found: bytes | None, task_id: UUID) -> Response:
    if found is None:
        raise TaskNotFound(task=task_id)
    version = TaskOut.model_validate_json(found).version
    return Response(found, media_type=JSON, headers={"etag": entity_tag(version)})
