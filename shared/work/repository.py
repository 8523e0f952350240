"""Every query about long work."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.listing import Listing, Sort
from shared.organisation.models import OrganisationUnit
from shared.work.models import OPEN, Work, WorkState

FIELDS = (
    *("id", "kind", "title", "requested_by", "unit_code", "state", "progress_done"),
    *("progress_total", "progress_unit", "cancel_requested", "attempt", "result", "error"),
    *("created_at", "started_at", "heartbeat_at", "finished_at"),
)

LISTING = Listing(
    source="work w JOIN organisation_unit u ON u.code = w.unit_code",
    key=Sort("w.id", "uuid"),
    columns={name: f"w.{name}" for name in FIELDS},
    sorts={"id": Sort("w.id", "uuid"), "created_at": Sort("w.created_at", "timestamptz")},
    filters={
        "scope": "starts_with(u.path, {})",
        "requester": "w.requester_id = {}",
        "kind": "w.kind = {}",
        "state": "w.state = {}",
    },
)


def add(session: AsyncSession, work: Work) -> None:
    """Keep a new piece of work."""
    session.add(work)


async def lock_visible(
    session: AsyncSession, work_id: UUID, *, scope: str | None, requester: UUID | None
) -> Work | None:
    """Lock and return a piece of work if ``requester`` asked for it or its unit lies below ``scope``."""
    visible = []
    if requester is not None:
        visible.append(Work.requester_id == requester)
    if scope is not None:
        visible.append(OrganisationUnit.path.startswith(scope, autoescape=True))
    found: Work | None = await session.scalar(
        select(Work)
        .join(OrganisationUnit, OrganisationUnit.code == Work.unit_code)
        .where(Work.id == work_id, or_(*visible))
        .with_for_update(of=Work)
    )
    return found


async def take(
    session: AsyncSession, kind: str, *, now: datetime, lost_before: datetime
) -> Work | None:
    """Take the oldest work of ``kind`` that waits, or whose process has not been heard of since ``lost_before``."""
    due = (
        select(Work.id)
        .where(
            Work.kind == kind,
            Work.state.in_(OPEN),
            or_(
                Work.state == WorkState.QUEUED,
                and_(Work.state == WorkState.RUNNING, Work.heartbeat_at < lost_before),
            ),
        )
        .order_by(Work.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken: Work | None = await session.scalar(
        update(Work)
        .where(Work.id == due)
        .values(
            state=WorkState.RUNNING,
            attempt=Work.attempt + 1,
            heartbeat_at=now,
            started_at=func.coalesce(Work.started_at, now),
        )
        .returning(Work)
    )
    return taken


async def note(
    session: AsyncSession, work_id: UUID, attempt: int, values: Mapping[str, Any]
) -> bool | None:
    """Note ``values`` about an attempt that is under way; tells whether it is to end, ``None`` if it is no longer."""
    is_unwanted: bool | None = await session.scalar(
        update(Work)
        .where(Work.id == work_id, Work.attempt == attempt, Work.state == WorkState.RUNNING)
        .values(**values)
        .returning(Work.cancel_requested)
    )
    return is_unwanted


async def forget_ended(session: AsyncSession, *, before: datetime) -> None:
    """Delete work that ended before then."""
    await session.execute(delete(Work).where(Work.finished_at < before))
