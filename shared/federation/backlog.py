"""How far each lane is and what waits on it, for monitoring: one set-wise query for each concern."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.models import InboxMessage, InboxState, LaneState, Peer

NOWHERE = "none"
"""Stands for the peer of messages that wait for a peer through which they could go."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A peer, and when it was last heard from."""

    peer: str
    relation: str
    last_contact_at: datetime | None
    failures: int
    epoch: int
    clock_offset_seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a lane is in one direction: see :class:`~shared.federation.models.LaneState`."""

    peer: str
    lane: str
    direction: str
    numbered: int
    acknowledged: int
    stopped: bool


@dataclass(frozen=True, slots=True)
class Pile:
    """Messages of one lane that lie somewhere."""

    peer: str
    lane: str
    messages: int
    oldest_at: datetime | None
    """When the oldest of them came to this node; nothing if there is none."""


async def contacts(session: AsyncSession) -> Sequence[Contact]:
    """Return every peer, the revoked ones too."""
    rows = await session.execute(
        select(
            Peer.code,
            Peer.relation,
            Peer.last_contact_at,
            Peer.failures,
            Peer.epoch,
            Peer.clock_offset_seconds,
        )
    )
    return [Contact(*row) for row in rows]


async def progress(session: AsyncSession) -> Sequence[Progress]:
    """Return how far every lane is."""
    rows = await session.execute(
        select(
            LaneState.peer,
            LaneState.lane,
            LaneState.direction,
            LaneState.numbered,
            LaneState.acknowledged,
            LaneState.stopped_because.is_not(None),
        )
    )
    return [Progress(*row) for row in rows]


async def waiting(session: AsyncSession) -> Sequence[Pile]:
    """Return what is not acknowledged yet, by lane, and by :data:`NOWHERE` what no peer leads to yet.

    What has a number is told by the lane, and the oldest of it is the first; only what has none is counted.
    """
    rows = await session.execute(
        text(
            """
            SELECT l.peer, l.lane, l.numbered - l.acknowledged + unnumbered.messages,
                coalesce(
                    (
                        SELECT b.posted_at FROM federation_outbox b
                        WHERE b.peer = l.peer AND b.lane = l.lane AND b.sequence > l.acknowledged
                        ORDER BY b.sequence LIMIT 1
                    ),
                    unnumbered.oldest_at
                )
            FROM federation_lane l
            CROSS JOIN LATERAL (
                SELECT count(*) AS messages, min(b.posted_at) AS oldest_at FROM federation_outbox b
                WHERE b.peer = l.peer AND b.lane = l.lane AND b.sequence IS NULL
            ) unnumbered
            WHERE l.direction = 'out'
            UNION ALL
            SELECT :nowhere, b.lane, count(*), min(b.posted_at) FROM federation_outbox b
            WHERE b.peer IS NULL GROUP BY b.lane
            """
        ),
        {"nowhere": NOWHERE},
    )
    return [Pile(*row) for row in rows]


async def parked(session: AsyncSession) -> Sequence[Pile]:
    """Return what is parked, by the lane that it came on; lanes of which nothing is parked are left out."""
    rows = await session.execute(
        select(
            InboxMessage.peer,
            InboxMessage.lane,
            func.count(),
            func.min(InboxMessage.received_at),
        )
        .where(InboxMessage.state == InboxState.PARKED)
        .group_by(InboxMessage.peer, InboxMessage.lane)
    )
    return [Pile(*row) for row in rows]


async def status(session: AsyncSession, *, now: datetime) -> list[dict[str, Any]]:
    """Return each link's lanes: what waits to be sent and for how long, how far each side is, what is parked."""
    rows = await session.execute(
        text(
            """
            SELECT p.code AS peer, p.relation, p.status, p.last_contact_at, p.failures, p.retry_at, p.last_error,
                   p.epoch, p.version, p.clock_offset_seconds,
                   l.lane, o.numbered AS sent, o.acknowledged, l.numbered AS received,
                   coalesce(o.stopped_because, l.stopped_because) AS stopped_because,
                   w.waiting, w.oldest_seconds, k.parked
            FROM federation_peer p
            JOIN federation_lane l ON l.peer = p.code AND l.direction = 'in'
            JOIN federation_lane o ON o.peer = p.code AND o.lane = l.lane AND o.direction = 'out'
            CROSS JOIN LATERAL (
                SELECT count(*) AS waiting, extract(epoch FROM cast(:now AS timestamptz) - min(posted_at))::float8 AS oldest_seconds
                FROM federation_outbox b
                WHERE b.peer = p.code AND b.lane = l.lane AND (b.sequence IS NULL OR b.sequence > o.acknowledged)
            ) w
            CROSS JOIN LATERAL (
                SELECT count(*) AS parked FROM federation_inbox i
                WHERE i.peer = p.code AND i.lane = l.lane AND i.state = 'parked'
            ) k
            ORDER BY p.relation DESC, p.code, array_position(ARRAY['control', 'request', 'rollup', 'bulk'], l.lane)
            """
        ),
        {"now": now},
    )
    return [dict(row) for row in rows.mappings()]
