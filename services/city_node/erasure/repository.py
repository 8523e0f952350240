"""The statements of erasure: who is due, what becomes of their rows, and the proof."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.city_node.customer.models import ERASED
from services.city_node.customer.ownership import fence_open
from services.city_node.erasure.declaration import PersonalTable
from services.city_node.erasure.register import REGISTER
from services.city_node.points.forfeiture import forfeit

# ruff: noqa: S608 - put together from declarations, never from input
_DAYS = """coalesce(
    CASE c.kind WHEN 'group' THEN r.group_retention_days ELSE r.individual_retention_days END, $2)::int"""
_DUE = f"""
    FROM customer c LEFT JOIN departure_reason r ON r.code = c.left_reason
    WHERE c.library = 'retained' AND c.left_on + {_DAYS} <= $1::date
      AND NOT EXISTS (SELECT FROM legal_hold h WHERE h.customer_id = c.id AND h.lifted_at IS NULL)
      AND NOT EXISTS (SELECT FROM subject_request q WHERE q.customer_id = c.id AND q.ended_at IS NULL)"""
"""Who left longer ago than the retention period of the reason, unless a hold or an open request stands."""
_COUNT = f"""
    SELECT coalesce(c.left_reason, 'unknown') AS reason, c.kind, count(*) AS customers, min(c.left_on) AS left_first,
           max(c.left_on) AS left_last
    {_DUE} AND starts_with((SELECT u.path FROM organisation_unit u WHERE u.code = c.unit_code), $3)
    GROUP BY 1, 2 ORDER BY 1, 2"""
_LOCK = f"""
    SELECT c.id, c.left_on {_DUE} AND (c.left_on, c.id) > ($3::date, $4::uuid)
    ORDER BY c.left_on, c.id LIMIT $5 FOR UPDATE OF c SKIP LOCKED"""
_STILL_DUE = f"SELECT c.id {_DUE} AND c.id = ANY($3::uuid[])"
_FORGET_LINKS = """
    UPDATE customer_change h SET changes = (
        SELECT jsonb_agg(
            CASE WHEN split_part(change ->> 'field', '/', 2) = ANY(l.items)
                 THEN jsonb_build_object('field', split_part(change ->> 'field', '/', 1), 'old', NULL, 'new', NULL)
                 ELSE change END ORDER BY place)
        FROM jsonb_array_elements(h.changes) WITH ORDINALITY AS listed (change, place))
    FROM (SELECT customer_id, array_agg(id::text) AS items
          FROM (SELECT customer_id, id FROM tie WHERE related_id = ANY($1::uuid[])
                UNION ALL SELECT customer_id, id FROM group_member WHERE member_id = ANY($1::uuid[])) linked
          GROUP BY customer_id) l
    WHERE h.customer_id = l.customer_id
      AND EXISTS (SELECT FROM jsonb_array_elements(h.changes) change
                  WHERE split_part(change ->> 'field', '/', 2) = ANY(l.items))"""
"""What the history of others says about their ties to those who are erased."""
_PROVE = """
    INSERT INTO erasure (customer_id, at, by, approved_by, cause, cause_id, left_on, left_reason, classes)
    SELECT c.id, $2, $3, $4, $5, $6, c.left_on, c.left_reason, $7::text::jsonb FROM customer c WHERE c.id = ANY($1::uuid[])
    ON CONFLICT (customer_id) DO UPDATE SET
        at = excluded.at, by = excluded.by, approved_by = excluded.approved_by, cause = excluded.cause,
        cause_id = excluded.cause_id, left_on = excluded.left_on, left_reason = excluded.left_reason,
        classes = excluded.classes"""
"""One who was erased may come back from another city, and be erased again."""
_CLOSE = f"""
    UPDATE customer SET library = '{ERASED}', version = version + 1, updated_at = $2, updated_by = $3
    WHERE id = ANY($1::uuid[])"""


def _statement(name: str, table: PersonalTable) -> str | None:
    if table.deleted:
        more = f" OR {table.also_deleted}" if table.also_deleted else ""
        return f"DELETE FROM {name} p WHERE {table.of}{more}"
    if not table.erased:
        return None
    sets = ", ".join(f"{column} = {value}" for column, value in table.erased.items())
    return f"UPDATE {name} p SET {sets} WHERE {table.of}"


_ERASE = [
    statement
    for name, table in REGISTER.items()
    if (statement := _statement(name, table)) is not None
]
FIRST = (date.min, UUID(int=0))
"""What comes before every departure."""


async def count_due(
    connection: asyncpg.Connection | asyncpg.Pool, today: date, days: int, unit_path: str
) -> list[Mapping[str, Any]]:
    """Return how many customers below a unit are due, by reason and kind."""
    return [dict(row) for row in await connection.fetch(_COUNT, today, days, unit_path)]


async def lock_due(
    connection: asyncpg.Connection, today: date, days: int, *, after: tuple[date, UUID], limit: int
) -> list[tuple[date, UUID]]:
    """Lock the next customers who are due, in the order in which they left; who is being changed is left out."""
    rows = await connection.fetch(_LOCK, today, days, *after, limit)
    return [(row["left_on"], row["id"]) for row in rows]


async def still_due(
    connection: asyncpg.Connection, today: date, days: int, customers: Sequence[UUID]
) -> list[UUID]:
    """Return which of the locked customers are due, as seen now that nobody can change it any more.

    A hold that was committed while the lock was being taken is not seen by the statement that took it.
    """
    rows = await connection.fetch(_STILL_DUE, today, days, customers)
    return [row["id"] for row in rows]


async def erase(
    connection: asyncpg.Connection,
    customers: Sequence[UUID],
    *,
    at: datetime,
    by: str,
    approved_by: str | None,
    cause: str,
    cause_id: UUID | None,
    classes: str,
) -> None:
    """Take away everything personal about customers who are locked, and prove it."""
    async with fence_open(connection):  # the copy of one who moved to another city is erased, too
        await connection.execute(_FORGET_LINKS, customers)
        await forfeit(connection, customers, at=at)
        for statement in _ERASE:
            await connection.execute(statement, customers)
        await connection.execute(_PROVE, customers, at, by, approved_by, cause, cause_id, classes)
        await connection.execute(_CLOSE, customers, at, by)
