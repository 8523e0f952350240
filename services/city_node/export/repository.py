"""Every query about exports."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.export.models import CustomerExport
from shared.kernel.listing import Listing, Sort
from shared.organisation.models import OrganisationUnit
from shared.staff.models import StaffMember
from shared.work.models import OPEN, Work

FIELDS = (
    *("id", "format", "columns", "condition", "segment_id", "segment_version", "with_bom"),
    *("shows_contacts", "requested_by", "created_at", "row_count", "byte_count", "sha256"),
    *("expires_at", "deleted_at"),
)
_OF_WORK = ("state", "progress_done", "progress_total")

LISTING = Listing(
    source="customer_export e LEFT JOIN work w ON w.id = e.id",
    key=Sort("e.id", "uuid"),
    columns={
        **{name: f"e.{name}" for name in FIELDS},
        **{name: f"w.{name}" for name in _OF_WORK},
    },
    sorts={"id": Sort("e.id", "uuid")},
    filters={"requester": "e.requester_id = {}", "id": "e.id = {}"},
)


def add(session: AsyncSession, export: CustomerExport) -> None:
    """Keep a new export."""
    session.add(export)


async def find(
    session: AsyncSession, export_id: UUID, requester_id: UUID
) -> tuple[CustomerExport, Work | None] | None:
    """Return an export of somebody's, and its work while that is kept."""
    row = (
        await session.execute(
            select(CustomerExport, Work)
            .outerjoin(Work, Work.id == CustomerExport.id)
            .where(CustomerExport.id == export_id, CustomerExport.requester_id == requester_id)
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1])


async def of_work(session: AsyncSession, export_id: UUID) -> CustomerExport | None:
    """Return the export that a piece of work makes."""
    return await session.get(CustomerExport, export_id)


async def open_exports(session: AsyncSession, requester_id: UUID, kind: str) -> int:
    """Return how many exports of somebody's wait or are under way."""
    return (
        await session.scalar(
            select(func.count())
            .select_from(Work)
            .where(Work.kind == kind, Work.requester_id == requester_id, Work.state.in_(OPEN))
        )
    ) or 0


async def standing(session: AsyncSession, staff_id: UUID) -> tuple[str, str, str] | None:
    """Return the role, unit and unit path of an active member of staff."""
    row = (
        await session.execute(
            select(StaffMember.role, StaffMember.unit_code, OrganisationUnit.path)
            .join(OrganisationUnit, OrganisationUnit.code == StaffMember.unit_code)
            .where(StaffMember.id == staff_id, StaffMember.active)
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


async def note_file(session: AsyncSession, export_id: UUID, values: dict[str, Any]) -> None:
    """Note the file that was made."""
    await session.execute(
        update(CustomerExport).where(CustomerExport.id == export_id).values(**values)
    )


async def expired(session: AsyncSession, now: datetime) -> Sequence[CustomerExport]:
    """Return the exports whose file's time is over, locked."""
    found = await session.scalars(
        select(CustomerExport)
        .where(CustomerExport.deleted_at.is_(None), CustomerExport.expires_at <= now)
        .with_for_update(skip_locked=True)
    )
    return found.all()


async def wanted_files(session: AsyncSession) -> set[UUID]:
    """Return the exports that have a file, or are having one made."""
    kept = select(CustomerExport.id).where(
        CustomerExport.sha256.is_not(None), CustomerExport.deleted_at.is_(None)
    )
    making = (
        select(CustomerExport.id)
        .join(Work, Work.id == CustomerExport.id)
        .where(Work.state.in_(OPEN))
    )
    return set((await session.scalars(kept.union(making))).all())
