"""Planning tasks, set-wise: who must be verified."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import Level
from services.city_node.verification.models import VerificationRule
from shared.capability import NodeContext
from shared.kernel.clock import business_day
from shared.kernel.database import Database
from shared.kernel.preconditions import require_version

FIRST_DAYS: Mapping[Level, int] = {
    Level.DIAMOND: 180,
    Level.GOLD: 270,
    Level.SILVER: 365,
    Level.STANDARD: 730,
}
"""After how many days profiles are stale until a node says otherwise."""
DUE_DAYS = 30
"""How long somebody has for a task."""
REST_DAYS = 90
"""For so long an unreachable customer is left in peace."""
PORTION = 50_000

_END = "SELECT id FROM (SELECT id FROM customer WHERE id > :after ORDER BY id LIMIT :size) p ORDER BY id DESC LIMIT 1"
_CANCEL = """
    UPDATE verification_task t SET state = 'cancelled', closed_at = :now, closed_by = 'job:plan-verification',
           version = t.version + 1
    FROM customer c WHERE c.id = t.customer_id AND t.state = 'open' AND c.library <> 'in_network'"""
_PLAN = """
    INSERT INTO verification_task (id, customer_id, reason, state, due_on, created_at, version)
    SELECT gen_random_uuid(), c.id,
           CASE WHEN b.customer_id IS NOT NULL THEN 'bounced' WHEN v.customer_id IS NULL THEN 'never' ELSE 'stale' END,
           'open', CAST(:today AS date) + CAST(:due AS integer), :now, 1
    FROM customer c
    LEFT JOIN customer_verification v ON v.customer_id = c.id
    LEFT JOIN (SELECT DISTINCT customer_id FROM contact_bounce WHERE customer_id > :after AND customer_id <= :last) b
        ON b.customer_id = c.id
    LEFT JOIN verification_rule r ON r.level = c.level
    WHERE c.id > :after AND c.id <= :last AND c.library = 'in_network'
      AND (b.customer_id IS NOT NULL
           OR coalesce(v.verified_on, CAST(c.created_at AT TIME ZONE 'Asia/Shanghai' AS date)) + CAST(r.days AS integer)
              <= CAST(:today AS date))
      AND NOT EXISTS (
          SELECT FROM verification_task t
          WHERE t.customer_id = c.id AND (t.state = 'open' OR t.state = 'unreachable' AND t.closed_at > :rested))
    ON CONFLICT (customer_id) WHERE state = 'open' DO NOTHING"""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan did."""

    created: int
    cancelled: int


async def plan(database: Database, *, now: datetime) -> Planned:
    """Make the tasks that are due, a portion of the customers at a time; run again, it makes none twice."""
    async with database.transaction() as session:
        cancelled = await _run(session, _CANCEL, {"now": now})
    values = {
        "now": now,
        "today": business_day(now),
        "due": DUE_DAYS,
        "rested": now - timedelta(days=REST_DAYS),
    }
    created, after = 0, UUID(int=0)
    while True:
        async with database.transaction() as session:
            found = await session.execute(text(_END), {"after": after, "size": PORTION})
            last: UUID | None = found.scalar_one_or_none()
            if last is None:
                return Planned(created, cancelled)
            created += await _run(session, _PLAN, {**values, "after": after, "last": last})
        after = last


async def ensure_rules(context: NodeContext) -> None:
    """Write the days that a node begins with; what it says already stays."""
    now = context.clock.now()
    rows = [
        {"level": level.value, "days": days, "updated_at": now, "updated_by": "release"}
        for level, days in FIRST_DAYS.items()
    ]
    async with context.database.transaction() as session:
        await session.execute(insert(VerificationRule).on_conflict_do_nothing(), rows)


async def set_days(
    session: AsyncSession,
    level: Level,
    days: int | None,
    *,
    expected: int,
    now: datetime,
    by: str,
) -> VerificationRule:
    """Say after how many days profiles of a level are stale; tasks that are open stay.

    Raises:
        VersionStale: if it was said otherwise since version ``expected`` (412).
    """
    row = await session.get_one(VerificationRule, level.value, with_for_update=True)
    require_version(row.version, expected)
    if row.days != days:
        row.days = days
        row.version += 1
        row.updated_at, row.updated_by = now, by
    return row


async def _run(session: AsyncSession, statement: str, values: Mapping[str, Any]) -> int:
    result: Any = await session.execute(text(statement), dict(values))
    return int(result.rowcount)
