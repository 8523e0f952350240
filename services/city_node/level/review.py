"""Reviews: the list of those who are to hold another level, its approval, and what comes of it.

A list is made set-wise of the results that differ from what is held, and applied in portions, each one transaction:
the customers are locked, those who still hold what the list says are changed, with history, and their lines are done.
So an interrupted application goes on where it was.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.ownership import NOT_LIVE
from services.city_node.customer.problems import UnitOutOfScope
from services.city_node.customer.repository import unit_in_scope
from services.city_node.customer.service import Desk
from services.city_node.evaluation import repository as evaluations
from services.city_node.level.access import (
    REVIEW_APPLIED,
    REVIEW_CHANGED,
    REVIEW_DECIDED,
    REVIEW_MADE,
)
from services.city_node.level.appointment import require_second_person
from services.city_node.level.models import LevelReview, LevelReviewLine, ReviewState
from services.city_node.level.problems import (
    LevelsNotEvaluated,
    NotOnTheReview,
    ReviewNotFound,
    ReviewOpen,
    ReviewStateUnfit,
)
from services.city_node.level.rule import RULE
from services.city_node.level.schemas import ReviewOut
from shared import audit
from shared.capability import Action, NodeContext, WorkHandle
from shared.kernel.database import driver_connection
from shared.kernel.ids import new_id
from shared.kernel.listing import Listing, Sort
from shared.kernel.preconditions import require_version
from shared.organisation.models import OrganisationUnit
from shared.work.service import request_work, requester_of

KIND = "apply-level-review"
PORTION = 5_000
_LIST = """
    INSERT INTO level_review_line (review_id, customer_id, unit_code, from_level, to_level, basis)
    SELECT CAST(:review AS uuid), c.id, c.unit_code, c.level, r.level, r.basis
    FROM level_result r JOIN customer c ON c.id = r.customer_id JOIN organisation_unit u ON u.code = c.unit_code
    WHERE r.until IS NULL AND r.level <> c.level AND c.library = 'in_network'
      AND starts_with(u.path, (SELECT path FROM organisation_unit WHERE code = :unit))"""
# ruff: noqa: S608 - put together from a constant
_PORTION = """
    SELECT customer_id FROM level_review_line
    WHERE review_id = $1 AND done IS NULL AND left_out_reason IS NULL ORDER BY customer_id LIMIT $2"""
_LOCK = "SELECT id FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_APPLY = f"""
    WITH changed AS (
        UPDATE customer c SET level = l.to_level, version = c.version + 1, updated_at = $3, updated_by = $4
        FROM level_review_line l
        WHERE l.review_id = $1 AND l.customer_id = c.id AND c.id = ANY($2::uuid[])
          AND c.level = l.from_level AND c.library = 'in_network' AND c.id NOT IN ({NOT_LIVE})
        RETURNING c.id, l.from_level, l.to_level),
    kept AS (
        INSERT INTO customer_change (customer_id, at, by, source, action, changes, cause_id)
        SELECT id, $3, $4, 'rest', 'changed',
               jsonb_build_array(jsonb_build_object('field', 'level', 'old', from_level, 'new', to_level)), $1
        FROM changed)
    UPDATE level_review_line l SET done = EXISTS (SELECT FROM changed WHERE changed.id = l.customer_id)
    WHERE l.review_id = $1 AND l.customer_id = ANY($2::uuid[]) RETURNING l.done"""

reviews = Listing(
    source="level_review v JOIN organisation_unit u ON u.code = v.unit_code",
    key=Sort("v.id", "uuid"),
    columns={name: f"v.{name}" for name in ReviewOut.model_fields},
    sorts={"id": Sort("v.id", "uuid")},
    filters={"scope": "starts_with(u.path, {})", "state": "v.state = {}", "id": "v.id = {}"},
)
"""Reviews of units in scope."""
lines = Listing(
    source="level_review_line l LEFT JOIN customer c ON c.id = l.customer_id",
    key=Sort("l.customer_id", "uuid"),
    columns={
        **{name: f"l.{name}" for name in ("customer_id", "unit_code", "from_level", "to_level")},
        **{name: f"l.{name}" for name in ("basis", "left_out_by", "left_out_reason", "done")},
        "customer_number": "c.customer_number",
    },
    sorts={"customer_id": Sort("l.customer_id", "uuid")},
    filters={
        "review": "l.review_id = {}",
        "from_level": "l.from_level = {}",
        "to_level": "l.to_level = {}",
        "left_out": "(l.left_out_reason IS NOT NULL) = {}",
        "done": "l.done = {}",
    },
)
"""Who is on the list of a review."""


async def draw_up(desk: Desk, unit_code: str | None) -> LevelReview:
    """Make the list of a unit's customers who are to hold another level than they do.

    Raises:
        UnitOutOfScope: if the unit is not at or below the caller's (422).
        LevelsNotEvaluated: if there are no results (409).
        ReviewOpen: if the unit has a review that is open (409).
    """
    unit = unit_code or desk.principal.unit
    connection = await driver_connection(desk.session)
    if not await unit_in_scope(connection, unit, desk.principal.unit_path):
        raise UnitOutOfScope(unit)
    latest = await evaluations.latest(desk.session, RULE.name)
    if latest is None:
        raise LevelsNotEvaluated
    review = LevelReview(
        id=new_id(),
        unit_code=unit,
        state=ReviewState.DRAFT.value,
        as_of=latest.as_of,
        policy=latest.policy,
        line_count=0,
        applied_count=0,
        skipped_count=0,
        created_at=desk.now,
        created_by=desk.principal.username,
        creator_id=desk.principal.id,
        version=1,
    )
    await _require_none_open(desk.session, unit)
    try:
        async with desk.session.begin_nested():
            desk.session.add(review)
    except IntegrityError as error:  # somebody draws one up at the same moment
        raise ReviewOpen(unit=unit, review="-") from error
    listed: Any = await desk.session.execute(text(_LIST), {"review": review.id, "unit": unit})
    review.line_count = listed.rowcount
    _record(desk, review, REVIEW_MADE)
    return review


async def leave_out(
    desk: Desk, review_id: UUID, expected: int, customers: Sequence[UUID], reason: str | None
) -> LevelReview:
    """Leave customers out of the list, with a reason, or put them back on it without one.

    Raises:
        ReviewNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was changed since (412).
        ReviewStateUnfit: if it is no draft (409).
        NotOnTheReview: if somebody is not on the list (422).
    """
    review = await _locked(desk, review_id, expected, ReviewState.DRAFT)
    by = None if reason is None else desk.principal.username
    left: Any = await desk.session.execute(
        update(LevelReviewLine)
        .where(
            LevelReviewLine.review_id == review.id,
            LevelReviewLine.customer_id.in_(set(customers)),
        )
        .values(left_out_by=by, left_out_reason=reason)
    )
    if left.rowcount != len(set(customers)):
        raise NotOnTheReview(count=len(set(customers)) - left.rowcount)
    review.version += 1
    _record(desk, review, REVIEW_CHANGED, left_out=reason is not None, customers=left.rowcount)
    return review


async def approve(desk: Desk, review_id: UUID, expected: int) -> LevelReview:
    """Approve a review, and ask for the work that applies it.

    Raises:
        ReviewNotFound, VersionStale, ReviewStateUnfit: as :func:`leave_out`.
        LevelApproverIsProposer: if the caller drew it up (403).
    """
    review = await _locked(desk, review_id, expected, ReviewState.DRAFT)
    await require_second_person(desk, review.creator_id, review.created_by)
    review.state = ReviewState.APPROVED.value
    review.approved_at, review.approved_by = desk.now, desk.principal.username
    await _ask(desk, review)
    _record(desk, review, REVIEW_DECIDED)
    return review


async def apply_again(desk: Desk, review_id: UUID, expected: int) -> LevelReview:
    """Ask again for the work that applies an approved review, if it was cancelled or failed.

    Raises:
        ReviewNotFound, VersionStale, ReviewStateUnfit: as :func:`leave_out`.
    """
    review = await _locked(desk, review_id, expected, ReviewState.APPROVED)
    await _ask(desk, review)
    return review


async def _ask(desk: Desk, review: LevelReview) -> None:
    work = await request_work(
        desk.session,
        KIND,
        id=new_id(),
        title=f"{review.unit_code} {review.as_of}",
        parameters={"review": str(review.id)},
        requester=requester_of(desk.principal),
        now=desk.now,
    )
    review.work_id = work.id
    review.version += 1


async def discard(desk: Desk, review_id: UUID, expected: int) -> LevelReview:
    """Discard a draft; nothing comes of it.

    Raises:
        ReviewNotFound, VersionStale, ReviewStateUnfit: as :func:`leave_out`.
    """
    review = await _locked(desk, review_id, expected, ReviewState.DRAFT)
    review.state, review.finished_at = ReviewState.DISCARDED.value, desk.now
    review.version += 1
    _record(desk, review, REVIEW_DECIDED)
    return review


async def apply(context: NodeContext, handle: WorkHandle) -> Mapping[str, Any]:
    """Apply an approved review; the work of :data:`KIND`. What was applied stays if it is cancelled."""
    review_id = UUID(handle.parameters["review"])
    while True:
        async with context.database.transaction() as session:
            review = await session.get(LevelReview, review_id, with_for_update=True)
            if review is None:
                raise ReviewNotFound(review=review_id)
            done = await _apply_portion(session, review, context)
            if not done:
                return await _finish(session, review, context, handle)
            progress = review.applied_count + review.skipped_count
            total = review.line_count
        await handle.progress(progress, total, "customers")


async def _apply_portion(session: AsyncSession, review: LevelReview, context: NodeContext) -> int:
    connection = await driver_connection(session)
    ids = [row[0] for row in await connection.fetch(_PORTION, review.id, PORTION)]
    await connection.execute(_LOCK, ids)
    now, by = context.clock.now(), review.approved_by
    done = [row[0] for row in await connection.fetch(_APPLY, review.id, ids, now, by)]
    review.applied_count += done.count(True)
    review.skipped_count += done.count(False)
    return len(ids)


async def _finish(
    session: AsyncSession, review: LevelReview, context: NodeContext, handle: WorkHandle
) -> Mapping[str, Any]:
    review.state, review.finished_at = ReviewState.APPLIED.value, context.clock.now()
    review.version += 1
    result = {"applied": review.applied_count, "skipped": review.skipped_count}
    actor = audit.Actor(
        review.approved_by or "", user_id=handle.requester.id, unit_code=review.unit_code
    )
    detail = {"review": str(review.id), **result}
    audit.record(session, actor, REVIEW_APPLIED, at=context.clock.now(), detail=detail)
    await handle.finish(session, result)
    return result


async def find(session: AsyncSession, review_id: UUID, unit_path: str) -> LevelReview:
    """Return a review of the caller's scope.

    Raises:
        ReviewNotFound: if there is none (404).
    """
    found: LevelReview | None = await session.scalar(
        select(LevelReview)
        .join(OrganisationUnit, OrganisationUnit.code == LevelReview.unit_code)
        .where(LevelReview.id == review_id, func.starts_with(OrganisationUnit.path, unit_path))
        .with_for_update(of=LevelReview)
    )
    if found is None:
        raise ReviewNotFound(review=review_id)
    return found


async def _require_none_open(session: AsyncSession, unit: str) -> None:
    found = await session.scalar(
        select(LevelReview.id).where(
            LevelReview.unit_code == unit,
            LevelReview.state.in_([ReviewState.DRAFT, ReviewState.APPROVED]),
        )
    )
    if found is not None:
        raise ReviewOpen(unit=unit, review=found)


async def _locked(desk: Desk, review_id: UUID, expected: int, needed: ReviewState) -> LevelReview:
    review = await find(desk.session, review_id, desk.principal.unit_path)
    require_version(review.version, expected)
    if review.state != needed:
        raise ReviewStateUnfit(review=review.id, state=review.state, needed=needed.value)
    return review


def _record(desk: Desk, review: LevelReview, action: Action, **more: Any) -> None:
    detail = {"review": str(review.id), "state": review.state, "lines": review.line_count, **more}
    actor = audit.Actor.of(desk.principal)
    audit.record(desk.session, actor, action, at=desk.now, detail=detail)
