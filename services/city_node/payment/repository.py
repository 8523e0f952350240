"""Every query of payments."""

from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.payment.models import Payment, PaymentCredit, PaymentReversal
from services.city_node.service_request.repository import LISTING, TRAIL
from services.city_node.till.models import TillShift
from shared.kernel.listing import Listing, Sort

_AMOUNT = "(r.data ->> 'amount_fen')::bigint"
_FACTS = {
    "amount_fen": _AMOUNT,
    "receipt_number": "p.receipt_number",
    "shift_id": "p.shift_id",
    "taken_at": "p.taken_at",
    "credited_at": "coalesce(p.credited_at, c.credited_at)",
    "business_day": "coalesce(p.business_day, c.business_day)",
    "given_back_at": "p.given_back_at",
    "reversal_id": "coalesce(p.reversal_id, c.reversal_id)",
    "reversed_at": "coalesce(p.reversed_at, c.reversed_at)",
    "allocated": "CASE WHEN c.request_id IS NOT NULL THEN c.subscription_id IS NOT NULL END",
}
_SUMMARY = (
    *("id", "role", "home", "visited", "state", "awaiting", "subject", "deadline", "refusal"),
    *("unit", "created_by", "created_at", "updated_at", "ended_at", "version"),
)

PAYMENTS = Listing(
    source=f"{LISTING.source} LEFT JOIN payment p ON p.request_id = r.id LEFT JOIN payment_credit c ON c.request_id = r.id",
    key=LISTING.key,
    columns={**{name: LISTING.columns[name] for name in _SUMMARY}, **_FACTS},
    sorts={"created_at": Sort("r.created_at", "timestamptz")},
    filters={
        **LISTING.filters,
        "id": "r.id = {}",
        "shift": "p.shift_id = {}",
        "business_day": "coalesce(p.business_day, c.business_day) = {}",
        "allocated": "(c.subscription_id IS NOT NULL) = {} AND c.request_id IS NOT NULL",
        "reversed": "(coalesce(p.reversed_at, c.reversed_at) IS NOT NULL) = {}",
    },
)
"""Payments at either end."""

ONE_PAYMENT = Listing(
    PAYMENTS.source,
    PAYMENTS.key,
    {**LISTING.columns, **_FACTS, "trail": TRAIL},
    PAYMENTS.sorts,
    PAYMENTS.filters,
)

ONE_REVERSAL = Listing(
    source=f"{LISTING.source} LEFT JOIN payment_reversal v ON v.request_id = r.id",
    key=LISTING.key,
    columns={
        **LISTING.columns,
        "trail": TRAIL,
        "payment_id": "(r.data ->> 'payment_id')::uuid",
        "amount_fen": _AMOUNT,
        "reason": "v.reason",
        "given_back_at": "v.given_back_at",
    },
    sorts=LISTING.sorts,
    filters=LISTING.filters,
)

_TOTALS = """
    WITH mine AS (
        SELECT p.*, r.state FROM payment p JOIN service_request r ON r.id = p.request_id
        JOIN till_shift s ON s.id = p.shift_id JOIN organisation_unit u ON u.code = s.unit_code
        WHERE starts_with(u.path, $1) AND p.taken_at >= coalesce($2::timestamptz, '-infinity')
          AND p.taken_at < coalesce($3::timestamptz, 'infinity')),
    moved AS (
        SELECT coalesce(sum(e.amount_fen) FILTER (WHERE e.kind = 'taken'), 0)::bigint AS taken,
               coalesce(-sum(e.amount_fen) FILTER (WHERE e.kind <> 'taken'), 0)::bigint AS out
        FROM till_entry e WHERE e.payment_id IN (SELECT request_id FROM mine)),
    stands AS (
        SELECT coalesce(sum(m.amount_fen) FILTER (WHERE m.state = 'taken'), 0)::bigint AS waiting,
               coalesce(sum(m.amount_fen) FILTER (WHERE m.state = 'credited' AND m.reversed_at IS NULL), 0)::bigint AS credited,
               coalesce(sum(m.amount_fen) FILTER (WHERE m.state = 'to_give_back' OR m.reversed_at IS NOT NULL
                   AND v.given_back_at IS NULL), 0)::bigint AS to_give_back
        FROM mine m LEFT JOIN payment_reversal v ON v.request_id = m.reversal_id)
    SELECT json_build_object('taken_fen', taken, 'handed_out_fen', out, 'cash_fen', taken - out,
        'waiting_fen', waiting, 'credited_fen', credited, 'to_give_back_fen', to_give_back)::text FROM moved, stands"""

_RECEIPT = """
    SELECT json_build_object('number', p.receipt_number, 'payment_id', r.id, 'state', r.state,
        'amount_fen', p.amount_fen, 'subject', r.subject, 'home', r.home, 'taken_at', p.taken_at,
        'credited_at', p.credited_at, 'reversed_at', p.reversed_at)::text
    FROM payment p JOIN service_request r ON r.id = p.request_id JOIN organisation_unit u ON u.code = r.unit_code
    WHERE p.receipt_number = $1 AND starts_with(u.path, $2)"""


async def totals(
    connection: asyncpg.Connection | asyncpg.Pool,
    unit_path: str,
    taken_from: datetime | None,
    taken_before: datetime | None,
) -> bytes:
    """Return what the tills took for other cities, by where it stands, as JSON."""
    found: str = await connection.fetchval(_TOTALS, unit_path, taken_from, taken_before)
    return found.encode()


async def receipt(
    connection: asyncpg.Connection | asyncpg.Pool, number: str, unit_path: str
) -> bytes | None:
    """Return what is known of a receipt, as JSON."""
    found: str | None = await connection.fetchval(_RECEIPT, number, unit_path)
    return None if found is None else found.encode()


async def payment_of(session: AsyncSession, request_id: UUID) -> Payment:
    """Return and lock what the visited city knows of a payment."""
    query = select(Payment).where(Payment.request_id == request_id)
    found = await session.scalars(query.with_for_update().execution_options(populate_existing=True))
    return found.one()


async def shift_of(session: AsyncSession, payment: Payment) -> TillShift:
    """Return the shift that took a payment."""
    return (await session.scalars(select(TillShift).where(TillShift.id == payment.shift_id))).one()


async def reversal_of(session: AsyncSession, request_id: UUID) -> PaymentReversal:
    """Return and lock what the visited city knows of a reversal."""
    query = select(PaymentReversal).where(PaymentReversal.request_id == request_id)
    found = await session.scalars(query.with_for_update().execution_options(populate_existing=True))
    return found.one()


async def credit_of(session: AsyncSession, payment_id: UUID) -> PaymentCredit | None:
    """Return and lock what the home city credited."""
    query = select(PaymentCredit).where(PaymentCredit.request_id == payment_id)
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))
