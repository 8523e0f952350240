"""Every query of the outbox, the inbox and the lanes between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.delivery import Hop
from shared.federation.envelope import Message, Packed
from shared.federation.models import (
    Direction,
    InboxMessage,
    InboxState,
    Lane,
    LaneState,
    OutboxMessage,
)
from shared.federation.repository import next_hop, route_waiting
from shared.federation.wakeup import CHANNEL
from shared.kernel.database import notify
from shared.kernel.listing import Listing, Sort

PARKED = Listing(
    source="(SELECT * FROM federation_inbox WHERE state = 'parked') m",
    key=Sort("m.arrival", "bigint"),
    columns={
        name: f"m.{name}"
        for name in (
            "arrival",
            "origin",
            "message_id",
            "type",
            "destination",
            "partition_key",
            "peer",
            "lane",
            "reason",
            "received_at",
            "discard_reason",
            "discard_proposed_by",
            "discard_proposed_at",
        )
    },
    sorts={"arrival": Sort("m.arrival", "bigint")},
    filters={"origin": "m.origin = {}", "type": "m.type = {}", "lane": "m.lane = {}"},
)
"""What is parked at this node, for an operator to see."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A stretch of a lane, ready to send."""

    lane: Lane
    first: int
    messages: Sequence[OutboxMessage]


async def add_to_outbox(
    session: AsyncSession,
    message: Message,
    packed: Packed,
    lane: Lane,
    hops: Sequence[Hop],
    *,
    here: str,
) -> None:
    """Put a message on its way to the next hop, once: posting the same id again changes nothing."""
    if message.destination == here:
        raise ValueError(f"A message to {here} itself cannot be posted: handle it where it arises.")
    hop = await next_hop(session, here, message.destination)
    if await session.scalar(
        select(OutboxMessage.position).where(OutboxMessage.message_id == message.id).limit(1)
    ):
        return
    await session.execute(
        insert(OutboxMessage).values(
            message_id=message.id,
            peer=hop,
            lane=lane,
            type=message.type,
            destination=message.destination,
            envelope=packed.envelope,
            signature=packed.signature,
            hops=hops_to_json(hops),
            posted_at=hops[-1].at,
        )
    )
    if hop is not None:
        await notify(session, CHANNEL, f"{hop}/{lane}")


async def number_next(
    session: AsyncSession, code: str, lane: Lane, *, most: int, most_bytes: int
) -> Numbered | None:
    """Return what is to be sent next on a lane, numbered: first what is not acknowledged yet, then what is new.

    Numbers are given here, after the commit of what they number and under the lane's lock, so that they are dense
    and in one order for ever: a batch that is sent again is the same batch.
    """
    lane_state = await _lock_lane(session, code, lane, Direction.OUT)
    # Again here: a message may have been posted just before the peer joined, and committed just after.
    await route_waiting(session, code)
    pending = lane_state.numbered - lane_state.acknowledged
    if pending < most:
        given = await session.scalars(
            text(
                """
                WITH next AS (
                    SELECT position, row_number() OVER (ORDER BY position) AS nth
                    FROM (
                        SELECT position FROM federation_outbox
                        WHERE peer = :peer AND lane = :lane AND sequence IS NULL
                        ORDER BY position LIMIT :most
                    ) unnumbered
                )
                UPDATE federation_outbox SET sequence = :numbered + next.nth
                FROM next WHERE federation_outbox.position = next.position
                RETURNING federation_outbox.position
                """
            ),
            {
                "peer": code,
                "lane": lane.value,
                "most": most - pending,
                "numbered": lane_state.numbered,
            },
        )
        lane_state.numbered += len(given.all())
    found = await session.scalars(
        select(OutboxMessage)
        .where(
            OutboxMessage.peer == code,
            OutboxMessage.lane == lane,
            OutboxMessage.sequence > lane_state.acknowledged,
        )
        .order_by(OutboxMessage.sequence)
        .limit(most)
    )
    messages: list[OutboxMessage] = []
    size = 0
    for message in found:
        size += len(message.envelope)
        if messages and size > most_bytes:
            break
        messages.append(message)
    return Numbered(lane, lane_state.acknowledged + 1, messages) if messages else None


class AcknowledgedBeyond(Exception):
    """The peer acknowledges more than this node remembers sending: one of the two was restored from a backup."""


async def acknowledge(
    session: AsyncSession, code: str, lane: Lane, received: int, *, now: datetime
) -> int:
    """Note that the peer has everything up to ``received``; returns how many messages that newly covers.

    Raises:
        AcknowledgedBeyond: if this node has never numbered that many.
    """
    lane_state = await _lock_lane(session, code, lane, Direction.OUT)
    if received > lane_state.numbered:
        raise AcknowledgedBeyond(
            f"Peer {code} acknowledges message {received} of lane {lane}, but this node has sent only {lane_state.numbered}. "
            "One of the two databases was restored from a backup: stop the lane and reconcile."
        )
    newly = received - lane_state.acknowledged
    if newly <= 0:
        return 0
    await session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.peer == code,
            OutboxMessage.lane == lane,
            OutboxMessage.sequence > lane_state.acknowledged,
            OutboxMessage.sequence <= received,
        )
        .values(acknowledged_at=now)
    )
    lane_state.acknowledged = received
    return newly


async def forget_acknowledged(session: AsyncSession, *, before: datetime) -> None:
    """Delete messages that were acknowledged before that moment."""
    await session.execute(delete(OutboxMessage).where(OutboxMessage.acknowledged_at < before))


async def lock_cursor(session: AsyncSession, code: str, lane: Lane) -> LaneState:
    """Return and lock how far a lane has been received."""
    return await _lock_lane(session, code, lane, Direction.IN)


async def cursors(session: AsyncSession, code: str) -> dict[str, int]:
    """Return how far each lane from a peer has been received."""
    rows = await session.execute(
        select(LaneState.lane, LaneState.numbered).where(
            LaneState.peer == code, LaneState.direction == Direction.IN
        )
    )
    return {row.lane: row.numbered for row in rows}


async def add_to_inbox(session: AsyncSession, row: InboxMessage) -> int | None:
    """Keep a message that arrived; ``None`` if its origin and id were seen before."""
    values = {
        column.key: getattr(row, column.key)
        for column in InboxMessage.__table__.columns
        if getattr(row, column.key) is not None
    }
    return await session.scalar(
        insert(InboxMessage)
        .values(values)
        .on_conflict_do_nothing(index_elements=[InboxMessage.origin, InboxMessage.message_id])
        .returning(InboxMessage.arrival)
    )


async def settle(
    session: AsyncSession, arrival: int, state: InboxState, reason: str | None, *, now: datetime
) -> None:
    """Note what became of a message that arrived."""
    await session.execute(
        update(InboxMessage)
        .where(InboxMessage.arrival == arrival)
        .values(state=state, reason=reason, settled_at=None if state is InboxState.PARKED else now)
    )


async def is_blocked(session: AsyncSession, origin: str, partition_key: str) -> bool:
    """Tell whether an earlier message of the same origin and partition key is parked.

    Waits for a retry of such a message that is under way: what arrives meanwhile would otherwise be parked behind
    a message that no longer is.
    """
    parked = (
        select(InboxMessage.arrival)
        .where(
            InboxMessage.origin == origin,
            InboxMessage.partition_key == partition_key,
            InboxMessage.state == InboxState.PARKED,
        )
        .limit(1)
        .with_for_update(read=True)
    )
    return await session.scalar(parked) is not None


async def parked(
    session: AsyncSession, origin: str, partition_key: str | None = None
) -> Sequence[InboxMessage]:
    """Return and lock what is parked of an origin, of one partition key or all, in order of arrival."""
    query = (
        select(InboxMessage)
        .where(InboxMessage.origin == origin, InboxMessage.state == InboxState.PARKED)
        .order_by(InboxMessage.arrival)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if partition_key is not None:
        query = query.where(InboxMessage.partition_key == partition_key)
    # Twice: the first may have waited for a batch that parked more behind; nothing can do so after it.
    await session.scalars(query)
    return (await session.scalars(query)).all()


async def arrived(session: AsyncSession, arrival: int) -> InboxMessage | None:
    """Return a message that arrived as it is now, whatever became of it."""
    return await session.get(InboxMessage, arrival, populate_existing=True)


async def _lock_lane(
    session: AsyncSession, code: str, lane: Lane, direction: Direction
) -> LaneState:
    query = select(LaneState).where(
        LaneState.peer == code, LaneState.lane == lane, LaneState.direction == direction
    )
    return (
        await session.scalars(query.with_for_update().execution_options(populate_existing=True))
    ).one()


def hops_to_json(hops: Sequence[Hop]) -> list[dict[str, str]]:
    """Return hops as they are stored and sent."""
    return [{"node": hop.node, "at": hop.at.isoformat()} for hop in hops]


def hops_from_json(hops: Sequence[dict[str, str]]) -> tuple[Hop, ...]:
    """Return stored or received hops."""
    return tuple(Hop(hop["node"], datetime.fromisoformat(hop["at"])) for hop in hops)
