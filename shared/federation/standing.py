"""How the lanes with a peer stand, as every exchange asks: by plain statements, for most of a quiet hop is asking.

Who changes a lane's row as an object, to mend it after a restore, takes it by
:func:`shared.federation.outbox.lock_lane`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.models import Direction, Lane
from shared.kernel.database import driver_connection


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one lane has got in one direction: columns of :class:`~shared.federation.models.LaneState`, in order."""

    peer: str
    lane: str
    direction: str
    numbered: int
    acknowledged: int
    link: bytes | None
    acknowledged_link: bytes | None
    stopped_because: str | None


@dataclass(frozen=True, slots=True)
class Lanes:
    """How every lane with one peer stands: out to it, and in from it."""

    out: Mapping[Lane, Standing]
    into: Mapping[Lane, Standing]


_COLUMNS = "peer, lane, direction, numbered, acknowledged, link, acknowledged_link, stopped_because"
_ALL = f"SELECT {_COLUMNS} FROM federation_lane WHERE peer = $1"  # noqa: S608 - our own columns
_LOCK = text(
    f"SELECT {_COLUMNS} FROM federation_lane "  # noqa: S608 - our own columns
    "WHERE peer = :peer AND lane = :lane AND direction = :direction FOR UPDATE"
)
_WAITING = """
    SELECT l.lane FROM federation_lane l
    JOIN federation_peer p ON p.code = l.peer AND p.status = 'active'
    LEFT JOIN unnest($2::text[], $3::bigint[]) AS had (lane, number) ON had.lane = l.lane
    WHERE l.peer = $1 AND l.direction = 'out' AND l.stopped_because IS NULL AND (
        l.numbered > coalesce(had.number, l.acknowledged)
        OR EXISTS (SELECT FROM federation_outbox o WHERE o.peer = l.peer AND o.lane = l.lane AND o.sequence IS NULL)
        OR EXISTS (SELECT FROM federation_outbox o WHERE o.peer IS NULL)
    )"""


async def of(session: AsyncSession, peer: str) -> Lanes:
    """Return how every lane with a peer stands."""
    connection = await driver_connection(session)
    rows = [Standing(*row) for row in await connection.fetch(_ALL, peer)]
    return Lanes(
        out={Lane(row.lane): row for row in rows if row.direction == Direction.OUT},
        into={Lane(row.lane): row for row in rows if row.direction == Direction.IN},
    )


async def lock(session: AsyncSession, peer: str, lane: Lane, direction: Direction) -> Standing:
    """Return how a lane stands, and let nobody else move it until the transaction ends.

    Raises:
        LookupError: if there is no such peer.
    """
    # Often a transaction's first statement, so not by the driver, which would need another one before it.
    found = await session.execute(
        _LOCK, {"peer": peer, "lane": lane.value, "direction": direction.value}
    )
    row = found.one_or_none()
    if row is None:
        raise LookupError(f"There is no lane {lane} with {peer}.")
    return Standing(*row)


async def waiting(
    connection: asyncpg.Connection | asyncpg.Pool, peer: str, had: Mapping[Lane, int]
) -> list[Lane]:
    """Return the lanes on which something may be sent to an active peer, most urgent first.

    What has no next hop counts on every lane: the peer may be the one that it waits for.

    Args:
        connection: where to look.
        peer: the peer.
        had: up to where it says that it has each lane.
    """
    rows = await connection.fetch(_WAITING, peer, [lane.value for lane in had], list(had.values()))
    found = {row["lane"] for row in rows}
    return [lane for lane in Lane if lane in found]
