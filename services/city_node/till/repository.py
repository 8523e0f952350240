"""Every query of the till."""

from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.till.models import EntryKind, ShiftState, TillEntry, TillShift
from shared.kernel.listing import Listing, Sort
from shared.organisation.models import OrganisationUnit


def _sum(condition: str) -> str:
    return f"coalesce((SELECT sum(e.amount_fen) FROM till_entry e WHERE e.shift_id = s.id AND {condition}), 0)"  # noqa: S608 - declared conditions


_GIVEN_BACK = _sum("e.amount_fen < 0")

SHIFTS = Listing(
    source="till_shift s JOIN organisation_unit u ON u.code = s.unit_code",
    key=Sort("s.id", "uuid"),
    columns={
        "id": "s.id",
        "unit": "s.unit_code",
        "cashier": "s.cashier",
        "state": "s.state",
        "float_fen": "s.float_fen",
        "taken_fen": _sum("e.amount_fen > 0"),
        "given_back_fen": f"-{_GIVEN_BACK}",
        "expected_fen": f"coalesce(s.expected_fen, s.float_fen + {_sum('true')})",
        "counted_fen": "s.counted_fen",
        "difference_fen": "s.counted_fen - s.expected_fen",
        "opened_at": "s.opened_at",
        "closed_at": "s.closed_at",
        "confirmed_at": "s.confirmed_at",
        "confirmed_by": "s.confirmed_by",
        "note": "s.note",
        "version": "s.version",
    },
    sorts={"opened_at": Sort("s.opened_at", "timestamptz")},
    filters={
        "unit_path": "starts_with(u.path, {})",
        "id": "s.id = {}",
        "state": "s.state = {}",
        "cashier": "s.cashier = {}",
        "unit": "s.unit_code = {}",
        "opened_from": "s.opened_at >= {}",
        "opened_before": "s.opened_at < {}",
    },
)
"""Shifts with what should be in their drawers."""

ENTRIES = Listing(
    source="till_entry e JOIN till_shift s ON s.id = e.shift_id JOIN organisation_unit u ON u.code = s.unit_code",
    key=Sort("e.id", "bigint"),
    columns={
        "id": "e.id",
        "shift_id": "e.shift_id",
        "at": "e.at",
        "kind": "e.kind",
        "amount_fen": "e.amount_fen",
        "payment_id": "e.payment_id",
        "cause_id": "e.cause_id",
        "by": "e.by",
    },
    sorts={"id": Sort("e.id", "bigint")},
    filters={
        "unit_path": "starts_with(u.path, {})",
        "shift": "e.shift_id = {}",
        "payment": "e.payment_id = {}",
        "kind": "e.kind = {}",
    },
)
"""What went in and out."""


async def lock_open(session: AsyncSession, cashier_id: UUID) -> TillShift | None:
    """Return and lock the shift that a cashier works at."""
    query = select(TillShift).where(
        TillShift.cashier_id == cashier_id, TillShift.state == ShiftState.OPEN
    )
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))


async def lock_within(session: AsyncSession, shift_id: UUID, unit_path: str) -> TillShift | None:
    """Return and lock a shift if it belongs to a unit at or below ``unit_path``."""
    query = (
        select(TillShift)
        .join(OrganisationUnit, OrganisationUnit.code == TillShift.unit_code)
        .where(TillShift.id == shift_id, func.starts_with(OrganisationUnit.path, unit_path))
    )
    return await session.scalar(
        query.with_for_update(of=TillShift).execution_options(populate_existing=True)
    )


async def has_entry(session: AsyncSession, cause_id: UUID, kind: EntryKind) -> bool:
    """Tell whether that cause has moved cash so already."""
    query = select(TillEntry.id).where(TillEntry.cause_id == cause_id, TillEntry.kind == kind)
    return await session.scalar(query) is not None


async def moved(session: AsyncSession, shift_id: UUID) -> int:
    """Return what a shift's drawer holds beyond its float."""
    query = select(func.coalesce(func.sum(TillEntry.amount_fen), 0))
    return int(await session.scalar(query.where(TillEntry.shift_id == shift_id)) or 0)


async def hold_cashier(session: AsyncSession, cashier_id: UUID) -> None:
    """Keep the cashier from opening two shifts at once: the second waits here, and then sees the first."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('till_shift ' || :cashier, 0))"),
        {"cashier": str(cashier_id)},
    )
