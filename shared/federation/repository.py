"""Every query of who the peers are, how they joined, and which nodes there are."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.models import (
    Direction,
    EnrolmentCode,
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


async def note_contact(
    session: AsyncSession, code: str, *, now: datetime, offset: float = 0.0
) -> None:
    """Note that the peer was heard from: whatever kept us from calling it is over.

    Args:
        session: the transaction.
        code: the peer.
        now: the present moment.
        offset: how many seconds its clock is ahead, if that is more than signatures allow.
    """
    await session.execute(
        update(Peer)
        .where(Peer.code == code)
        .values(
            last_contact_at=now,
            failures=0,
            retry_at=None,
            last_error=None,
            clock_offset_seconds=offset,
        )
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
    await route_waiting(session, new.code)
    await notify(session, CHANNEL)


async def route_waiting(session: AsyncSession, code: str) -> None:
    """Give a peer the messages that had no next hop when they were posted and can go through it."""
    waiting = update(OutboxMessage).where(OutboxMessage.peer.is_(None)).values(peer=code)
    relation = await session.scalar(select(Peer.relation).where(Peer.code == code))
    if relation == Relation.CHILD:
        below = f"{code[:2]}%" if code.endswith("0000") else code
        waiting = waiting.where(OutboxMessage.destination.like(below))
    await session.execute(waiting)


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
