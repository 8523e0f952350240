"""Every query that takes an outgoing lane back to what the peer has received of it, after a restore."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.envelope import Message
from shared.federation.lane import Position
from shared.federation.models import LaneState, OutboxMessage
from shared.federation.outbox import Outgoing


async def go_back(session: AsyncSession, state: LaneState, position: Position) -> int:
    """Take back the numbers after ``position``, which the peer knows otherwise; returns how many there were."""
    taken = await session.execute(
        text(
            """
            WITH taken AS (
                UPDATE federation_outbox SET sequence = NULL, link = NULL
                WHERE peer = :peer AND lane = :lane AND sequence > :number RETURNING position
            )
            SELECT count(*) FROM taken
            """
        ),
        {"peer": state.peer, "lane": state.lane, "number": position.number},
    )
    state.numbered, state.link = position.number, position.link
    return int(taken.scalar_one())


async def recover(
    session: AsyncSession,
    state: LaneState,
    messages: Sequence[tuple[Message, Outgoing]],
    links: Sequence[bytes],
    *,
    now: datetime,
) -> None:
    """Keep again, as sent and acknowledged, what the peer gave back; the lane goes on after it.

    A message that this node has meanwhile posted anew, under the same id, is the one it had sent before.
    """
    for (message, outgoing), link in zip(messages, links, strict=True):
        state.numbered += 1
        values: dict[str, Any] = {
            "message_id": message.id,
            "peer": state.peer,
            "lane": state.lane,
            "sequence": state.numbered,
            "link": link,
            "type": message.type,
            "destination": message.destination,
            "envelope": outgoing.envelope,
            "signature": outgoing.signature,
            "hops": outgoing.hops,
        }
        posted_anew = await _posted_anew(session, message.id)
        if posted_anew is None:
            session.add(OutboxMessage(**values, posted_at=now))
        else:
            for name, value in values.items():
                setattr(posted_anew, name, value)
        state.link = link
    await session.flush()  # what is posted from here on must meet these ids
    state.acknowledged, state.acknowledged_link = state.numbered, state.link


async def _posted_anew(session: AsyncSession, message_id: UUID) -> OutboxMessage | None:
    query = select(OutboxMessage).where(
        OutboxMessage.message_id == message_id, OutboxMessage.sequence.is_(None)
    )
    return (await session.scalars(query.limit(1))).first()
