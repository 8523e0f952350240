"""Which revision of a slice is in force: the newest, unless the month is closed.

Of a *closed* month each slice has a *limit*: the greatest revision that may be in force, 0 if none may. What is newer
waits: it is kept, and counts when the limit is raised or the month is open again. The revision in force therefore
follows from the revisions and limits that a node knows, and not from the order in which they came. Who closes and
raises limits is no matter of this module; :mod:`shared.reporting` does.

A revision may come into force, make way and come back, as when a city hears that a month was closed before its last
word reached HQ. The slice's own columns tell of the last time, and *former standings* of those before it: so a question
can still be answered as known at any moment.

What is in force and still has its facts is *current*: answers are made of it, and so is all that is derived from
slices. Whatever changes it, notes that in the same transaction (:func:`note_change`), so that what was derived follows.

Whoever writes slices takes the table's lock first (:func:`take_turn`), so that nobody's limits change between reading
them and storing; limits are written by one at a time.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import asyncpg
import orjson
from sqlalchemy import ForeignKey, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, driver_connection
from shared.statistics.models import StatisticsSlice, statistics_change
from shared.statistics.period import Period

Limits = Mapping[str, Mapping[str, int]]
"""By period, the month itself and its days, and dataset: the greatest revision that may be in force."""
MONTH_LENGTH = len("2026-11")
IN_FORCE = "s.superseded_at IS NULL"
"""Which slices ``s`` count; in SQL."""
CURRENT = f"{IN_FORCE} AND s.rolled_off_at IS NULL"
"""Which of them answers are made of today: those that still have their facts; in SQL."""
FINGERPRINT = (
    "hash_record_extended(ROW(s.node, s.hash, s.revision, s.computed_at, s.received_at), 0)"
)
"""By what an answer that is made of it is recognised; in SQL. Not by its id: a restored database gives ids again."""
LIMIT = "coalesce((l.revisions->n.period->>n.dataset)::bigint, 0)"
"""What limits ``l`` allow a new slice ``n``: the greatest revision, or 0; in SQL."""
NOTE_CHANGE = f"INSERT INTO {statistics_change.name} (dataset, period, region)"
"""How it is noted that another slice is current; in SQL."""


class StatisticsLimit(Base):
    """The limits of a city's slices of a closed month; an open month has none."""

    __tablename__ = "statistics_limit"

    month: Mapped[str] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(primary_key=True)
    closing: Mapped[int]
    """The number of the act that closed it."""
    revisions: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """By period and dataset; what is not named may not be in force."""


class StatisticsFormerStanding(Base):
    """A time during which a slice was in force before it made way and came back."""

    __tablename__ = "statistics_former_standing"

    slice_id: Mapped[int] = mapped_column(ForeignKey(StatisticsSlice.id), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    until: Mapped[datetime]


async def take_turn(session: AsyncSession) -> None:
    """Let no limit change until the transaction ends."""
    connection = await driver_connection(session)
    await connection.execute("LOCK TABLE statistics_slice IN ROW EXCLUSIVE MODE")


async def note_change(session: AsyncSession, dataset: str, period: str, node: str) -> None:
    """Note that another slice of a city is current, whatever the reason: its province is put together anew."""
    connection = await driver_connection(session)
    await connection.execute(_NOTE_CHANGE, dataset, period, node)


async def begin_generation(connection: asyncpg.Connection) -> None:
    """Note that changes are no longer noted where they were; in the transaction that takes them from there."""
    await connection.execute(_BEGIN_GENERATION)


async def closing(session: AsyncSession, node: str, period: str) -> int | None:
    """Return the number of the act by which a city's month is closed; ``None`` if it is open."""
    return await session.scalar(
        select(StatisticsLimit.closing).where(
            StatisticsLimit.month == period[:MONTH_LENGTH], StatisticsLimit.node == node
        )
    )


async def keep_limits(
    session: AsyncSession,
    month: str,
    limits: Mapping[str, tuple[int, Limits] | None],
    *,
    now: datetime,
) -> None:
    """Put limits in the place of those of a month, and into force what they allow.

    Args:
        session: the transaction; no other writes slices until it ends.
        month: which.
        limits: by city: the number of the closing and the limits; ``None`` opens the month.
        now: the present moment.
    """
    await session.execute(text("LOCK TABLE statistics_slice IN SHARE ROW EXCLUSIVE MODE"))
    connection = await driver_connection(session)
    opened = [node for node, given in limits.items() if given is None]
    closed = [(node, *given) for node, given in limits.items() if given is not None]
    await connection.execute(_OPEN, month, opened)
    await connection.execute(
        _CLOSE,
        month,
        [node for node, _, _ in closed],
        [number for _, number, _ in closed],
        [orjson.dumps(revisions).decode() for _, _, revisions in closed],
    )
    await settle(session, month, list(limits), now=now)


async def settle(
    session: AsyncSession, month: str, nodes: Collection[str], *, now: datetime
) -> None:
    """Put into force, for a month and its days, what the limits of these cities allow: the greatest such revision."""
    connection = await driver_connection(session)
    values = (month, list(nodes), now, [str(each) for each in Period.parse(month).with_days])
    await connection.execute(_MAKE_WAY, *values)
    await connection.execute(_COME_INTO_FORCE, *values)


_NOTE_CHANGE = f"{NOTE_CHANGE} VALUES ($1, $2, left($3, 2) || '0000')"
_BEGIN_GENERATION = """
INSERT INTO statistics_generation AS g (single, number) VALUES (true, 1)
ON CONFLICT (single) DO UPDATE SET number = g.number + 1
"""
_OPEN = "DELETE FROM statistics_limit WHERE month = $1 AND node = ANY($2::text[])"
_CLOSE = """
INSERT INTO statistics_limit (month, node, closing, revisions)
SELECT $1, node, closing, revisions::jsonb
FROM unnest($2::text[], $3::int[], $4::text[]) AS given (node, closing, revisions)
ON CONFLICT (month, node) DO UPDATE SET closing = excluded.closing, revisions = excluded.revisions
"""
_ENTITLED = """
WITH entitled AS (
    SELECT DISTINCT ON (s.node, s.period, s.dataset) s.id
    FROM statistics_slice s LEFT JOIN statistics_limit l ON l.month = $1 AND l.node = s.node
    WHERE s.node = ANY($2::text[]) AND s.period = ANY($4::text[])
      AND (l.node IS NULL OR s.revision <= coalesce((l.revisions->s.period->>s.dataset)::int, 0))
    ORDER BY s.node, s.period, s.dataset, s.revision DESC
)"""
_NOTE_CHANGES = f"""
{NOTE_CHANGE} SELECT DISTINCT dataset, period, left(node, 2) || '0000' FROM changed
"""  # noqa: S608 - put together from constants
_MAKE_WAY = f"""{_ENTITLED}, changed AS (
    UPDATE statistics_slice s SET superseded_at = $3
    WHERE s.node = ANY($2::text[]) AND s.period = ANY($4::text[]) AND {IN_FORCE}
      AND s.id NOT IN (SELECT id FROM entitled)
    RETURNING s.dataset, s.period, s.node
){_NOTE_CHANGES}"""  # noqa: S608 - put together from constants
# A slice that comes back leaves the time when it was in force before to the former standings.
_COME_INTO_FORCE = f"""{_ENTITLED}, former AS (
    INSERT INTO statistics_former_standing (slice_id, since, until)
    SELECT s.id, s.in_force_at, s.superseded_at FROM statistics_slice s JOIN entitled USING (id)
    WHERE s.superseded_at > s.in_force_at
    ON CONFLICT DO NOTHING
), changed AS (
    UPDATE statistics_slice s SET in_force_at = $3, superseded_at = NULL
    FROM entitled e WHERE e.id = s.id AND s.superseded_at IS NOT NULL
    RETURNING s.dataset, s.period, s.node
){_NOTE_CHANGES}"""  # noqa: S608 - put together from constants
