"""Appointments, reviews and migrations of levels over HTTP."""

from dataclasses import replace
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.city_node.customer.access import Reader
from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.models import Level
from services.city_node.level import appointment, migration, review
from services.city_node.level.access import AtAppointing, AtApproving, AtReviewing, MayReview
from services.city_node.level.models import (
    AppointmentState,
    LevelAppointment,
    LevelReview,
    ReviewState,
)
from services.city_node.level.schemas import (
    AppointmentCreate,
    AppointmentOut,
    AppointmentPage,
    LeaveOut,
    MigrationsOut,
    Note,
    ReviewCreate,
    ReviewLinePage,
    ReviewOut,
    ReviewPage,
)
from shared.access import OnceDependency
from shared.capability import Context
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, Page, Transaction
from shared.kernel.preconditions import entity_tag

router = APIRouter()


@router.get(
    "/level-appointments",
    summary="List levels by appointment",
    responses=documented(AppointmentPage, 400, 422),
    response_class=Response,
)
async def list_appointments(
    principal: Reader,
    context: Context,
    page: Page,
    customer: UUID | None = None,
    state: AppointmentState | None = None,
    until_before: Annotated[date | None, Query(description="Ending before this day.")] = None,
) -> Response:
    """Return a page of the appointments of customers of the caller's unit and those below, the latest first."""
    filters = {
        "scope": principal.unit_path,
        "customer": customer,
        "state": state,
        "until_before": until_before,
    }
    latest_first = replace(page, sort=page.sort or "-id")
    pool = await context.database.pool()
    body = await appointment.appointments.page(pool, latest_first, filters)
    return Response(body, media_type=JSON)


@router.post(
    "/customers/{customer_id}/level-appointments",
    status_code=201,
    summary="Propose to grant a customer a level",
    responses=documented(AppointmentOut, 400, 404, 422, status=201),
    response_class=Response,
)
async def propose_appointment(
    customer_id: UUID, desk: AtAppointing, once: OnceDependency, body: AppointmentCreate
) -> Response:
    """Propose a level; it holds once somebody else approves. Takes effect once for each `Idempotency-Key`."""
    made = await appointment.propose(desk, customer_id, body)
    await desk.session.flush()
    shown = AppointmentOut.model_validate(made).model_dump_json().encode()
    location = f"/level-appointments/{made.id}"
    return await once.answer(201, shown, location=location, etag=entity_tag(made.version))


@router.post("/level-appointments/{appointment_id}/approve", summary="Approve an appointment")
async def approve_appointment(
    appointment_id: UUID, desk: AtApproving, expected: ExpectedVersion, response: Response
) -> AppointmentOut:
    """Let a level that somebody else proposed hold for its time."""
    return _appointment(response, await appointment.approve(desk, appointment_id, expected))


@router.post("/level-appointments/{appointment_id}/reject", summary="Reject an appointment")
async def reject_appointment(
    appointment_id: UUID,
    desk: AtAppointing,
    expected: ExpectedVersion,
    body: Note,
    response: Response,
) -> AppointmentOut:
    """Decide that a proposed level is not granted; whoever proposed it withdraws it so."""
    done = await appointment.reject(desk, appointment_id, expected, body.note)
    return _appointment(response, done)


@router.post("/level-appointments/{appointment_id}/end", summary="End an appointment")
async def end_appointment(
    appointment_id: UUID,
    desk: AtApproving,
    expected: ExpectedVersion,
    body: Note,
    response: Response,
) -> AppointmentOut:
    """End an appointment before its time; the customer keeps the level for the grace."""
    done = await appointment.end(desk, appointment_id, expected, body.note)
    return _appointment(response, done)


@router.post("/level-reviews", status_code=201, summary="Draw up a review of levels")
async def create_review(desk: AtReviewing, body: ReviewCreate, once: OnceDependency) -> Response:
    """List the customers who are to hold another level. Takes effect once for each `Idempotency-Key`."""
    made = await review.draw_up(desk, body.unit_code)
    await desk.session.flush()
    shown = ReviewOut.model_validate(made).model_dump_json().encode()
    location = f"/level-reviews/{made.id}"
    return await once.answer(201, shown, location=location, etag=entity_tag(made.version))


@router.get(
    "/level-reviews",
    summary="List reviews of levels",
    responses=documented(ReviewPage, 400, 422),
    response_class=Response,
)
async def list_reviews(
    principal: MayReview, context: Context, page: Page, state: ReviewState | None = None
) -> Response:
    """Return a page of the reviews of the caller's unit and those below, the latest first."""
    filters = {"scope": principal.unit_path, "state": state}
    latest_first = replace(page, sort=page.sort or "-id")
    pool = await context.database.pool()
    return Response(await review.reviews.page(pool, latest_first, filters), media_type=JSON)


@router.get("/level-reviews/{review_id}", summary="Read a review of levels")
async def read_review(
    review_id: UUID, principal: MayReview, session: Transaction, response: Response
) -> ReviewOut:
    """Return one review: how many are on its list, and what became of them."""
    return _review(response, await review.find(session, review_id, principal.unit_path))


@router.get(
    "/level-reviews/{review_id}/lines",
    summary="List who is on a review",
    responses=documented(ReviewLinePage, 400, 404, 422),
    response_class=Response,
)
async def list_lines(
    review_id: UUID,
    principal: MayReview,
    session: Transaction,
    page: Page,
    from_level: Level | None = None,
    to_level: Level | None = None,
    left_out: bool | None = None,
    done: bool | None = None,
) -> Response:
    """Return a page of the customers who are to hold another level."""
    await review.find(session, review_id, principal.unit_path)
    filters = {
        "review": review_id,
        "from_level": from_level,
        "to_level": to_level,
        "left_out": left_out,
        "done": done,
    }
    connection = await driver_connection(session)
    return Response(await review.lines.page(connection, page, filters), media_type=JSON)


@router.post("/level-reviews/{review_id}/leave-out", summary="Leave customers out of a review")
async def leave_out(
    review_id: UUID,
    desk: AtReviewing,
    expected: ExpectedVersion,
    body: LeaveOut,
    response: Response,
) -> ReviewOut:
    """Let customers keep what they hold, with a reason; or put them back on the list."""
    done = await review.leave_out(desk, review_id, expected, body.customers, body.reason)
    return _review(response, done)


@router.post(
    "/level-reviews/{review_id}/approve", status_code=202, summary="Approve a review of levels"
)
async def approve_review(
    review_id: UUID, desk: AtApproving, expected: ExpectedVersion, response: Response
) -> ReviewOut:
    """Approve what somebody else drew up; it is applied in the background: `GET /works/{id}` follows it."""
    return _review(response, await review.approve(desk, review_id, expected))


@router.post("/level-reviews/{review_id}/apply", status_code=202, summary="Go on applying a review")
async def apply_review(
    review_id: UUID, desk: AtApproving, expected: ExpectedVersion, response: Response
) -> ReviewOut:
    """Go on with an approved review whose application was cancelled or failed."""
    return _review(response, await review.apply_again(desk, review_id, expected))


@router.post("/level-reviews/{review_id}/discard", summary="Discard a review of levels")
async def discard_review(
    review_id: UUID, desk: AtReviewing, expected: ExpectedVersion, response: Response
) -> ReviewOut:
    """Discard a draft; nobody's level changes."""
    return _review(response, await review.discard(desk, review_id, expected))


@router.get("/level-migrations", summary="Count moves between levels")
async def count_migrations(
    principal: MayReview,
    session: Transaction,
    month_from: Annotated[date | None, Query(alias="from", description="From this day.")] = None,
    before: Annotated[date | None, Query(description="Before this day.")] = None,
) -> MigrationsOut:
    """Count moves from level to level by month, of the caller's unit and those below, whatever made them."""
    return await migration.count(session, principal.unit_path, month_from, before)


def _appointment(response: Response, made: LevelAppointment) -> AppointmentOut:
    response.headers["etag"] = entity_tag(made.version)
    return AppointmentOut.model_validate(made)


def _review(response: Response, made: LevelReview) -> ReviewOut:
    response.headers["etag"] = entity_tag(made.version)
    return ReviewOut.model_validate(made)
