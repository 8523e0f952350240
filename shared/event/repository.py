"""Every query of events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

LOCK = 0x6576656E74
"""Advisory lock of whoever gives positions."""
AT_ONCE = 10_000
"""Positions given in one transaction."""

_TAKE_TURNS = "SELECT pg_advisory_xact_lock($1)"
_NUMBER = """
    UPDATE event e SET position = n.position
    FROM (SELECT id, nextval('event_position_seq') AS position
          FROM (SELECT id FROM event WHERE position IS NULL ORDER BY id LIMIT $1) s) n
    WHERE e.id = n.id"""
_IS_NEW = "SELECT EXISTS (SELECT FROM event WHERE position IS NULL)"
_ENDS = """
    SELECT (SELECT min(position) FROM event), (SELECT max(position) FROM event),
           (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM event_position_seq)"""
_READ = """
    SELECT e.position, json_build_object(
        'specversion', '1.0', 'id', e.position::text, 'source', $1::text, 'type', e.type, 'time', e.time,
        'subject', e.subject, 'datacontenttype', 'application/json', 'data', e.data)::text AS event
    FROM event e LEFT JOIN organisation_unit u ON u.code = e.unit_code
    WHERE e.position > $2 AND e.position <= $3
      AND (e.unit_code IS NULL OR starts_with(u.path, $4))
      AND ($5::text[] IS NULL OR e.type = ANY($5)) AND ($6::text IS NULL OR e.subject = $6)
    ORDER BY e.position LIMIT $7"""
_FORGET = """
    DELETE FROM event WHERE id IN (
        SELECT id FROM event WHERE time < $1 AND position IS NOT NULL ORDER BY id LIMIT $2)"""


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the events that are kept begin and end.

    Attributes:
        before: the position before the first that is kept.
        latest: the last position.
    """

    before: int
    latest: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events somebody reads.

    Attributes:
        unit_path: those of this part of the organisation, and those of the whole node.
        types: of these types; of all without it.
        subject: about this; about all without it.
    """

    unit_path: str
    types: Sequence[str] | None = None
    subject: str | None = None


async def number(pool: asyncpg.Pool) -> None:
    """Give positions to the events that were committed and have none."""
    async with pool.acquire() as connection:
        while await connection.fetchval(_IS_NEW):
            async with connection.transaction():
                await connection.execute(_TAKE_TURNS, LOCK)
                await connection.execute(_NUMBER, AT_ONCE)


async def ends(pool: asyncpg.Pool) -> Ends:
    """Return where the events that are kept begin and end."""
    first, last, drawn = await pool.fetchrow(_ENDS)
    return Ends(first - 1, last) if first is not None else Ends(drawn, drawn)


async def read(
    pool: asyncpg.Pool, source: str, wanted: Wanted, *, after: int, until: int, limit: int
) -> list[tuple[int, str]]:
    """Return the events past ``after`` up to ``until``, in order: position, and CloudEvent as JSON."""
    types = list(wanted.types) if wanted.types else None
    rows = await pool.fetch(
        _READ, source, after, until, wanted.unit_path, types, wanted.subject, limit
    )
    return [(row["position"], row["event"]) for row in rows]


async def forget(connection: asyncpg.Connection, *, before: datetime, limit: int) -> int:
    """Delete up to ``limit`` events from before a moment, and return how many there were."""
    return int((await connection.execute(_FORGET, before, limit)).split()[-1])
