"""Every query of the federation's tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.delivery import Hop
from shared.federation.envelope import Message, Packed
from shared.federation.models import (
    Direction,
    EnrolmentCode,
    InboxMessage,
    InboxState,
    Lane,
    LaneState,
    Nonce,
    OutboxMessage,
    Peer,
    PeerStatus,
    RegistryEntry,
    Relation,
)
from shared.federation.wakeup import CHANNEL
from shared.kernel.database import notify

REGISTRY_LOCK = 0x726567
"""Key of the advisory lock that orders enrolments and registry news, so that no child misses an entry."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A stretch of a lane, ready to send."""

    lane: Lane
    first: int
    messages: Sequence[OutboxMessage]


# Peers


async def peers(session: AsyncSession, relation: Relation | None = None) -> Sequence[Peer]:
    """Return the active peers, of one relation or all."""
    query = select(Peer).where(Peer.status == PeerStatus.ACTIVE).order_by(Peer.code)
    if relation is not None:
        query = query.where(Peer.relation == relation)
    return (await session.scalars(query)).all()


async def peer(session: AsyncSession, code: str) -> Peer | None:
    """Return the peer of that code, whatever its status."""
    return await session.get(Peer, code)


async def parent(session: AsyncSession) -> Peer | None:
    """Return the parent, once the node has joined it."""
    found = await peers(session, Relation.PARENT)
    return found[0] if found else None


async def note_contact(session: AsyncSession, code: str, *, now: datetime) -> None:
    """Note that the peer was heard from: whatever kept us from calling it is over."""
    await session.execute(
        update(Peer)
        .where(Peer.code == code)
        .values(last_contact_at=now, failures=0, retry_at=None, last_error=None)
    )


async def note_failure(session: AsyncSession, code: str, *, error: str, retry_at: datetime) -> None:
    """Note that the peer could not be reached, and when to try again."""
    await session.execute(
        update(Peer)
        .where(Peer.code == code)
        .values(failures=Peer.failures + 1, retry_at=retry_at, last_error=error[:500])
    )


async def use_nonce(session: AsyncSession, code: str, nonce: str, *, expires_at: datetime) -> bool:
    """Note a nonce as used; tells whether it was new."""
    used = await session.scalar(
        insert(Nonce)
        .values(peer=code, nonce=nonce, expires_at=expires_at)
        .on_conflict_do_nothing()
        .returning(Nonce.nonce)
    )
    return used is not None


async def forget_nonces(session: AsyncSession, *, now: datetime) -> None:
    """Delete nonces whose signatures would no longer be taken."""
    await session.execute(delete(Nonce).where(Nonce.expires_at < now))


# Enrolment


async def add_enrolment_code(
    session: AsyncSession, code_hash: bytes, child: str, *, expires_at: datetime, by: str
) -> None:
    """Keep the hash of a one-time code."""
    session.add(
        EnrolmentCode(code_hash=code_hash, child=child, expires_at=expires_at, created_by=by)
    )
    await session.flush()


async def enrolment_code(session: AsyncSession, code_hash: bytes) -> EnrolmentCode | None:
    """Return and lock the one-time code of that hash."""
    return await session.scalar(
        select(EnrolmentCode).where(EnrolmentCode.code_hash == code_hash).with_for_update()
    )


async def add_peer(session: AsyncSession, new: Peer) -> None:
    """Add a peer, its lanes, and route to it what waited for it."""
    session.add(new)
    await session.flush()  # the lanes refer to it
    await session.execute(
        insert(LaneState).values(
            [
                {"peer": new.code, "lane": lane, "direction": direction}
                for lane in Lane
                for direction in Direction
            ]
        )
    )
    waiting = update(OutboxMessage).where(OutboxMessage.peer.is_(None)).values(peer=new.code)
    if new.relation == Relation.CHILD:
        province = new.code[:2] + "%" if new.code.endswith("0000") else new.code
        waiting = waiting.where(OutboxMessage.destination.like(province))
    await session.execute(waiting)
    await notify(session, CHANNEL)


# Registry


async def lock_registry(session: AsyncSession) -> None:
    """Wait for and hold, to the end of the transaction, the right to change or hand out the registry."""
    await session.execute(select(func.pg_advisory_xact_lock(REGISTRY_LOCK)))


async def registry(session: AsyncSession) -> Sequence[RegistryEntry]:
    """Return the whole registry as this node knows it."""
    return (await session.scalars(select(RegistryEntry).order_by(RegistryEntry.code))).all()


async def registry_entries(session: AsyncSession, codes: Iterable[str]) -> dict[str, RegistryEntry]:
    """Return the entries of those nodes that are known, by code."""
    found = await session.scalars(select(RegistryEntry).where(RegistryEntry.code.in_(list(codes))))
    return {entry.code: entry for entry in found}


async def put_registry_entry(session: AsyncSession, values: dict[str, Any]) -> bool:
    """Enter a node, or replace what is known of it by a newer version; tells whether anything changed."""
    statement = insert(RegistryEntry).values(values)
    changed = await session.scalar(
        statement.on_conflict_do_update(
            index_elements=[RegistryEntry.code],
            set_={name: statement.excluded[name] for name in values if name != "code"},
            where=(RegistryEntry.version < statement.excluded.version)
            | RegistryEntry.statement.is_(None),
        ).returning(RegistryEntry.code)
    )
    return changed is not None


async def public_key_of(session: AsyncSession, code: str) -> str | None:
    """Return the public keys of a node, if the registry knows it."""
    return await session.scalar(select(RegistryEntry.public_key).where(RegistryEntry.code == code))


async def registered_cities(session: AsyncSession) -> list[str]:
    """Return the codes of the city nodes that the registry knows: those from which figures are expected."""
    cities = (
        select(RegistryEntry.code)
        .where(~RegistryEntry.code.like("%0000"))
        .order_by(RegistryEntry.code)
    )
    return list(await session.scalars(cities))


# Outbox


async def next_hop(session: AsyncSession, here: str, destination: str) -> str | None:
    """Return the peer through which ``destination`` is reached: the child above it, or else the parent.

    ``None`` while there is no such peer: the message then waits until one joins.
    """
    neighbours = await peers(session)
    children = {peer.code for peer in neighbours if peer.relation == Relation.CHILD}
    known = (await registry_entries(session, [destination])).get(destination)
    above = [destination, known.parent if known else None, destination[:2] + "0000"]
    for code in above:
        if code in children and code != here:
            return code
    return next((peer.code for peer in neighbours if peer.relation == Relation.PARENT), None)


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


# Inbox


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
    """Tell whether an earlier message of the same origin and partition key is parked."""
    parked = select(InboxMessage.arrival).where(
        InboxMessage.origin == origin,
        InboxMessage.partition_key == partition_key,
        InboxMessage.state == InboxState.PARKED,
    )
    return bool(await session.scalar(select(parked.exists())))


async def parked(session: AsyncSession, origin: str) -> Sequence[InboxMessage]:
    """Return and lock what is parked of an origin, in order of arrival."""
    query = (
        select(InboxMessage)
        .where(InboxMessage.origin == origin, InboxMessage.state == InboxState.PARKED)
        .order_by(InboxMessage.arrival)
        .with_for_update()
    )
    return (await session.scalars(query)).all()


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


async def status(session: AsyncSession, *, now: datetime) -> list[dict[str, Any]]:
    """Return each link's lanes: what waits to be sent and for how long, how far each side is, what is parked."""
    rows = await session.execute(
        text(
            """
            SELECT p.code AS peer, p.relation, p.status, p.last_contact_at, p.failures, p.retry_at, p.last_error,
                   l.lane, o.numbered AS sent, o.acknowledged, l.numbered AS received,
                   w.waiting, w.oldest_seconds, k.parked
            FROM federation_peer p
            JOIN federation_lane l ON l.peer = p.code AND l.direction = 'in'
            JOIN federation_lane o ON o.peer = p.code AND o.lane = l.lane AND o.direction = 'out'
            CROSS JOIN LATERAL (
                SELECT count(*) AS waiting, extract(epoch FROM cast(:now AS timestamptz) - min(posted_at))::float8 AS oldest_seconds
                FROM federation_outbox b WHERE b.peer = p.code AND b.lane = l.lane AND b.acknowledged_at IS NULL
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


async def message_arrivals(session: AsyncSession, message_id: UUID) -> Sequence[InboxMessage]:
    """Return every arrival of a message id at this node."""
    return (
        await session.scalars(select(InboxMessage).where(InboxMessage.message_id == message_id))
    ).all()
