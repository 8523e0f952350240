"""Every query of repairs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import Customer, Subscription
from services.city_node.loan_handset.repository import LOANS_OF_REQUEST
from services.city_node.repair.kind import KIND
from services.city_node.repair.models import (
    PromiseState,
    RepairEstimate,
    RepairPromise,
    RepairRecord,
    RepairSatisfaction,
    RepairTicket,
)
from services.city_node.service_request.repository import LISTING, REFUSAL, WITH_TRAIL
from shared.kernel.listing import Listing

# ruff: noqa: S608 - put together from declarations, never from input
_ENDS = """
    LEFT JOIN repair_ticket t ON t.request_id = r.id
    LEFT JOIN repair_promise p ON p.request_id = r.id
    LEFT JOIN repair_record d ON d.request_id = r.id"""
_TERMS = (
    *("level", "in_warranty", "imei_matches", "home_share_permille", "cap_fen"),
    *("deposit_fen", "loan_days"),
)
_DIFFERING = """SELECT x.request_id FROM repair_ticket x WHERE x.promised_fen <> x.home_fen
    UNION ALL SELECT y.request_id FROM repair_record y WHERE y.claimed_fen <> y.home_fen"""
_DIFFERS = "coalesce(t.promised_fen <> t.home_fen, d.claimed_fen <> d.home_fen, false)"


def _either(*columns: str) -> str:
    """Return the SQL of what either end's table has under these names."""
    return ", ".join(f"'{name}', coalesce(t.{name}, d.{name})" for name in columns)


WHOLE = Listing(
    WITH_TRAIL.source + _ENDS,
    WITH_TRAIL.key,
    {
        **WITH_TRAIL.columns,
        "handset": """CASE WHEN num_nulls(t.make, p.make) < 2 THEN json_build_object(
            'make', coalesce(t.make, p.make), 'model', coalesce(t.model, p.model),
            'imei', coalesce(t.imei_masked, repeat('*', length(p.imei) - 4) || right(p.imei, 4)),
            'fault', coalesce(t.fault, p.fault), 'purchased_on', coalesce(t.purchased_on, p.purchased_on)) END""",
        "terms": "CASE WHEN num_nulls(t.level, p.level) < 2 THEN json_build_object("
        + ", ".join(f"'{name}', coalesce(t.{name}, p.{name})" for name in _TERMS)
        + ") END",
        "estimates": """(SELECT coalesce(json_agg(json_build_object(
            'number', e.number, 'parts', e.parts, 'labour_fen', e.labour_fen, 'total_fen', e.total_fen,
            'customer_fen', e.customer_fen, 'home_fen', e.home_fen, 'estimated_at', e.estimated_at,
            'estimated_by', e.estimated_by, 'decision', e.decision, 'decided_at', e.decided_at,
            'decided_by', e.decided_by) ORDER BY e.number), '[]')
            FROM repair_estimate e WHERE e.request_id = r.id)""",
        "loans": LOANS_OF_REQUEST,
        "outcome": "CASE WHEN num_nulls(t.result, d.result) < 2 THEN json_build_object("
        + _either("result", "replacement", "parts", "labour_fen", "total_fen")
        + ", 'goodwill_fen', t.goodwill_fen, "
        + _either("customer_fen", "home_fen", "visited_fen", "days")
        + f", 'receipt', t.receipt, {_either('business_day')}, 'differs', {_DIFFERS}) END",
        "satisfaction": "(SELECT json_build_object('score', s.score, 'comment', s.comment, 'answered_at', "
        "s.answered_at) FROM repair_satisfaction s WHERE s.request_id = r.id)",
    },
    WITH_TRAIL.sorts,
    WITH_TRAIL.filters,
)
"""One repair with everything that this end knows of it."""

REPAIRS = Listing(
    LISTING.source + _ENDS,
    LISTING.key,
    {
        **{name: LISTING.columns[name] for name in ("id", "role", "home", "visited", "state")},
        **{name: LISTING.columns[name] for name in ("awaiting", "subject")},
        "handset": "coalesce(t.make || ' ' || t.model, p.make || ' ' || p.model)",
        "level": "coalesce(t.level, p.level)",
        "result": "coalesce(t.result, d.result)",
        "total_fen": "coalesce(t.total_fen, d.total_fen)",
        "home_fen": "coalesce(t.home_fen, d.home_fen)",
        "differs": _DIFFERS,
        "refusal": REFUSAL,
        **{name: LISTING.columns[name] for name in ("unit", "created_at", "updated_at")},
        **{name: LISTING.columns[name] for name in ("deadline", "version")},
    },
    LISTING.sorts,
    {**LISTING.filters, "differs": f"(r.id IN ({_DIFFERING})) = {{}}"},
)
"""The repairs of a node, at either end."""

_SATISFACTION = f"""
    SELECT s.unit_code AS unit, s.level, count(*) AS answers, sum(s.score) AS sum,
           round(sum(s.score)::numeric / count(*), 2)::float8 AS mean
    FROM repair_satisfaction s JOIN organisation_unit u ON u.code = s.unit_code
    JOIN service_request r ON r.id = s.request_id
    WHERE starts_with(u.path, $1) AND r.kind = '{KIND.code}'
      AND s.answered_at >= coalesce($2::timestamptz, '-infinity') AND s.answered_at < coalesce($3::timestamptz, 'infinity')
    GROUP BY GROUPING SETS ((s.unit_code, s.level), (s.unit_code), (s.level), ())
    HAVING count(*) > 0
    ORDER BY s.unit_code NULLS FIRST, s.level NULLS FIRST"""


async def satisfaction(
    pool: asyncpg.Pool, unit_path: str, *, since: datetime | None, until: datetime | None
) -> list[Mapping[str, Any]]:
    """Return how satisfied customers are by unit, by level, by both and in all."""
    return [dict(row) for row in await pool.fetch(_SATISFACTION, unit_path, since, until)]


async def is_rated(session: AsyncSession, request_id: UUID) -> bool:
    """Tell whether the customer has said how satisfied they are."""
    return await session.get(RepairSatisfaction, request_id) is not None


# The visited node


async def ticket_of(session: AsyncSession, request_id: UUID) -> RepairTicket:
    """Return the ticket of a locked request."""
    query = select(RepairTicket).where(RepairTicket.request_id == request_id)
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def estimates_of(session: AsyncSession, request_id: UUID) -> Sequence[RepairEstimate]:
    """Return the estimates of a locked request, the first first."""
    query = select(RepairEstimate).where(RepairEstimate.request_id == request_id)
    ordered = query.order_by(RepairEstimate.number)
    return (await session.scalars(ordered.execution_options(populate_existing=True))).all()


# The home node


async def hold_imei(session: AsyncSession, imei: str) -> None:
    """Keep everyone else from promising a repair of that handset until the transaction ends."""
    key = func.hashtextextended(f"repair {imei}", 0)
    await session.execute(select(func.pg_advisory_xact_lock(key)))


async def is_held(session: AsyncSession, imei: str) -> bool:
    """Tell whether a repair of that handset is under way."""
    query = select(RepairPromise.request_id).where(
        RepairPromise.imei == imei, RepairPromise.state == PromiseState.HELD
    )
    return await session.scalar(query) is not None


async def promise_of(session: AsyncSession, request_id: UUID) -> RepairPromise:
    """Return the promise made to a locked request."""
    query = select(RepairPromise).where(RepairPromise.request_id == request_id)
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def record_of(session: AsyncSession, request_id: UUID) -> RepairRecord:
    """Return the record of a repair."""
    return await session.get_one(RepairRecord, request_id)


async def lock_customer(session: AsyncSession, customer_id: UUID) -> Customer:
    """Return and lock a customer, of whichever library."""
    query = select(Customer).where(Customer.id == customer_id).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def subscription(session: AsyncSession, subscription_id: UUID) -> Subscription:
    """Return a line of a locked customer."""
    query = select(Subscription).where(Subscription.id == subscription_id)
    return (await session.scalars(query.execution_options(populate_existing=True))).one()
