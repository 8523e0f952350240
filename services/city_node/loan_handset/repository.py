"""Every query of loan handsets."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import ARRAY, Text, any_, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.loan_handset.models import HandsetLoan, HandsetState, LoanHandset
from shared.kernel.listing import Listing, Sort
from shared.organisation.models import OrganisationUnit

STOCK = Listing(
    source="loan_handset h JOIN organisation_unit u ON u.code = h.unit_code "
    "LEFT JOIN handset_loan l ON l.handset_id = h.id AND l.ending IS NULL",
    key=Sort("h.id", "uuid"),
    columns={
        "id": "h.id",
        "imei": "h.imei",
        "make": "h.make",
        "model": "h.model",
        "unit": "h.unit_code",
        "state": "h.state",
        "request_id": "l.request_id",
        "due_on": "l.due_on",
        "created_at": "h.created_at",
        "updated_at": "h.updated_at",
        "version": "h.version",
    },
    sorts={"imei": Sort("h.imei", "text"), "updated_at": Sort("h.updated_at", "timestamptz")},
    filters={
        "unit_path": "starts_with(u.path, {})",
        "id": "h.id = {}",
        "state": "h.state = {}",
        "unit": "h.unit_code = {}",
        "due_before": "l.due_on < {}",
    },
)

LOANS_OF_REQUEST = """
    (SELECT coalesce(json_agg(json_build_object(
        'handset_id', h.id, 'imei', h.imei, 'make', h.make, 'model', h.model, 'deposit_fen', l.deposit_fen,
        'due_on', l.due_on, 'lent_at', l.lent_at, 'lent_by', l.lent_by, 'ending', l.ending, 'ended_at', l.ended_at,
        'ended_by', l.ended_by, 'refunded_fen', l.refunded_fen, 'kept_fen', l.kept_fen, 'note', l.note
    ) ORDER BY l.lent_at, l.id), '[]') FROM handset_loan l JOIN loan_handset h ON h.id = l.handset_id
    WHERE l.request_id = r.id)
"""
"""SQL of the loans of the request ``r``, the first first."""


async def add(
    session: AsyncSession,
    unit: str,
    handsets: Sequence[tuple[UUID, str, str, str]],
    *,
    now: datetime,
) -> set[str]:
    """Put handsets, as id, IMEI, make and model, into a unit's stock; returns the IMEIs of those that are new."""
    added = await session.scalars(
        text(
            """
            INSERT INTO loan_handset (id, imei, make, model, unit_code, created_at, updated_at)
            SELECT h.id, h.imei, h.make, h.model, :unit, :now, :now
            FROM unnest(CAST(:ids AS uuid[]), CAST(:imeis AS text[]), CAST(:makes AS text[]), CAST(:models AS text[]))
                AS h (id, imei, make, model)
            ON CONFLICT DO NOTHING RETURNING imei
            """
        ),
        {
            "unit": unit,
            "now": now,
            "ids": [handset[0] for handset in handsets],
            "imeis": [handset[1] for handset in handsets],
            "makes": [handset[2] for handset in handsets],
            "models": [handset[3] for handset in handsets],
        },
    )
    return set(added)


async def units_of(session: AsyncSession, imeis: Sequence[str]) -> dict[str, str]:
    """Return which unit has each of these handsets."""
    # One parameter, however many values: a statement may have 32,767 of them at most.
    query = select(LoanHandset.imei, LoanHandset.unit_code).where(
        LoanHandset.imei == any_(literal(list(imeis), ARRAY(Text())))
    )
    return {row.imei: row.unit_code for row in await session.execute(query)}


async def pick(session: AsyncSession, unit: str) -> LoanHandset | None:
    """Return and lock one handset of the unit's stock that nobody else is taking at this moment."""
    query = select(LoanHandset).where(
        LoanHandset.unit_code == unit, LoanHandset.state == HandsetState.IN_STOCK
    )
    return await session.scalar(
        query.order_by(LoanHandset.imei).limit(1).with_for_update(skip_locked=True)
    )


async def lock(session: AsyncSession, handset_id: UUID, unit_path: str) -> LoanHandset | None:
    """Return and lock the handset if a unit at or below ``unit_path`` has it."""
    query = (
        select(LoanHandset)
        .join(OrganisationUnit, OrganisationUnit.code == LoanHandset.unit_code)
        .where(LoanHandset.id == handset_id, func.starts_with(OrganisationUnit.path, unit_path))
    )
    return await session.scalar(
        query.with_for_update(of=LoanHandset).execution_options(populate_existing=True)
    )


async def lock_by_imei(session: AsyncSession, imei: str) -> LoanHandset | None:
    """Return and lock the handset of that IMEI."""
    query = select(LoanHandset).where(LoanHandset.imei == imei)
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))


async def loan_out(session: AsyncSession, request_id: UUID) -> HandsetLoan | None:
    """Return and lock the loan of a request that has not ended."""
    query = select(HandsetLoan).where(
        HandsetLoan.request_id == request_id, HandsetLoan.ending.is_(None)
    )
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))


async def is_out(session: AsyncSession, handset_id: UUID) -> bool:
    """Tell whether a loan of the handset has not ended."""
    query = select(HandsetLoan.id).where(
        HandsetLoan.handset_id == handset_id, HandsetLoan.ending.is_(None)
    )
    return await session.scalar(query) is not None


async def loans_of(
    session: AsyncSession, request_id: UUID
) -> list[tuple[HandsetLoan, LoanHandset]]:
    """Return every loan of a request with its handset, the first first."""
    query = (
        select(HandsetLoan, LoanHandset)
        .join(LoanHandset, LoanHandset.id == HandsetLoan.handset_id)
        .where(HandsetLoan.request_id == request_id)
        .order_by(HandsetLoan.lent_at, HandsetLoan.id)
        .execution_options(populate_existing=True)
    )
    return [(loan, handset) for loan, handset in await session.execute(query)]


async def read(
    connection: asyncpg.Connection | asyncpg.Pool, handset_id: UUID, unit_path: str
) -> tuple[bytes, int] | None:
    """Return the handset as JSON and its version, if a unit at or below ``unit_path`` has it."""
    row: Any = await connection.fetchrow(
        f"SELECT ({STOCK.item(None)})::text, h.version FROM {STOCK.source} "  # noqa: S608 - declared expressions alone
        "WHERE h.id = $1 AND starts_with(u.path, $2)",
        handset_id,
        unit_path,
    )
    return (row[0].encode(), row[1]) if row else None
