"""Every query of who the peers are, how they joined, and which nodes there are."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, any_, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from shared.federation import tree
from shared.federation.models import (
    Direction,
    EnrolmentCode,
    InboxMessage,
    Lane,
    LaneState,
    NodeStatus,
    Nonce,
    OutboxMessage,
    Peer,
    PeerStatus,
    RegistryEntry,
    RegistryWord,
    Relation,
    Retirement,
)
from shared.federation.records import Head, Receipt
from shared.federation.wakeup import CHANNEL
from shared.kernel.database import notify
from shared.kernel.settings import HQ_CODE

REGISTRY_LOCK = 0x726567
"""Key of the advisory lock that orders enrolments and registry news, so that no child misses an entry."""
TO_THE_SECOND = timedelta(seconds=1)

# Peers


# Built once: building such a statement takes as long as executing it.
_PEERS = (
    select(Peer)
    .where(Peer.status == PeerStatus.ACTIVE)
    .order_by(Peer.code)
    .options(joinedload(Peer.entry))
    .execution_options(populate_existing=True)
)
_PEERS_RELATED = _PEERS.where(Peer.relation == bindparam("relation"))
_PEER = (
    select(Peer)
    .where(Peer.code == bindparam("code"))
    .options(joinedload(Peer.entry))
    .execution_options(populate_existing=True)
)


async def peers(session: AsyncSession, relation: Relation | None = None) -> Sequence[Peer]:
    """Return the active peers, of one relation or all, with what the registry says of them."""
    if relation is None:
        return (await session.scalars(_PEERS)).all()
    return (await session.scalars(_PEERS_RELATED, {"relation": relation})).all()


async def peer(session: AsyncSession, code: str) -> Peer | None:
    """Return the peer of that code, whatever its status, with what the registry says of it."""
    return (await session.scalars(_PEER, {"code": code})).one_or_none()


async def parent(session: AsyncSession) -> Peer | None:
    """Return the parent, once the node has joined it."""
    found = await peers(session, Relation.PARENT)
    return found[0] if found else None


async def parents(session: AsyncSession) -> Sequence[Peer]:
    """Return the parents whose link is not closed: the present one, and while the node moves another."""
    query = select(Peer).where(Peer.relation == Relation.PARENT, Peer.status != PeerStatus.CLOSED)
    return (await session.scalars(query)).all()


async def note_contact(
    session: AsyncSession, peer: Peer, *, now: datetime, offset: float = 0.0
) -> None:
    """Note that the peer was heard from, to the second: whatever kept us from calling it is over.

    Args:
        session: the transaction.
        peer: the peer as it was a moment ago.
        now: the present moment.
        offset: how many seconds its clock is ahead, if that is more than signatures allow.
    """
    is_news = peer.failures or peer.retry_at or peer.clock_offset_seconds != offset
    last = peer.last_contact_at
    if not is_news and last is not None and timedelta(0) <= now - last < TO_THE_SECOND:
        return
    await session.execute(
        update(Peer)
        .where(Peer.code == peer.code)
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


_USE_NONCE = text(
    """
    INSERT INTO federation_nonce (peer, nonce, expires_at) VALUES (:peer, :nonce, :expires_at)
    ON CONFLICT DO NOTHING RETURNING nonce
    """
)


async def use_nonce(session: AsyncSession, code: str, nonce: str, *, expires_at: datetime) -> bool:
    """Note a nonce as used; tells whether it was new."""
    used = await session.execute(
        _USE_NONCE, {"peer": code, "nonce": nonce, "expires_at": expires_at}
    )
    return used.scalar() is not None


async def forget_nonces(session: AsyncSession, *, now: datetime) -> None:
    """Delete nonces whose signatures would no longer be taken."""
    await session.execute(delete(Nonce).where(Nonce.expires_at < now))


# Enrolment


async def add_enrolment_code(
    session: AsyncSession,
    code_hash: bytes,
    child: str,
    *,
    moving: bool,
    expires_at: datetime,
    by: str,
) -> None:
    """Keep the hash of a one-time code."""
    session.add(
        EnrolmentCode(
            code_hash=code_hash, child=child, moving=moving, expires_at=expires_at, created_by=by
        )
    )
    await session.flush()


async def enrolment_code(session: AsyncSession, code_hash: bytes) -> EnrolmentCode | None:
    """Return and lock the one-time code of that hash."""
    return await session.scalar(
        select(EnrolmentCode).where(EnrolmentCode.code_hash == code_hash).with_for_update()
    )


async def add_peer(session: AsyncSession, new: Peer) -> Peer:
    """Add a peer with its lanes, or take one back that was closed or revoked, and route to it what waited for it."""
    known = await session.get(Peer, new.code, populate_existing=True)
    if known is None:
        session.add(new)
    else:
        known.relation, known.status, known.public_key = new.relation, new.status, new.public_key
        known.url, known.enrolled_at = new.url, new.enrolled_at
        known.failures, known.retry_at, known.last_error = 0, None, None
    await session.flush()  # the lanes refer to it
    await session.execute(
        insert(LaneState)
        .values(
            [
                {"peer": new.code, "lane": lane, "direction": direction}
                for lane in Lane
                for direction in Direction
            ]
        )
        .on_conflict_do_nothing()
    )
    await tree.route_waiting(session, new.code)
    await notify(session, CHANNEL)
    return known or new


async def end_lanes(session: AsyncSession, code: str) -> None:
    """Forget how far the lanes with a peer were, since they begin anew on both sides; what is under way is sent again.

    The inbox tells what was seen.
    """
    await tree.take_back(session, code)
    # What is left was acknowledged, and its numbers are given again.
    numbered = (OutboxMessage.peer == code, OutboxMessage.sequence.is_not(None))
    await session.execute(delete(OutboxMessage).where(*numbered))
    # The chains begin anew as well: what was received keeps its place in the inbox and none in a chain.
    await session.execute(
        update(InboxMessage).where(InboxMessage.peer == code).values(sequence=None, link=None)
    )
    for table in (LaneState, Receipt, Head):
        await session.execute(delete(table).where(table.peer == code))


async def close_peer(session: AsyncSession, code: str) -> None:
    """End a link for good, and route what was to go over it elsewhere."""
    await session.execute(update(Peer).where(Peer.code == code).values(status=PeerStatus.CLOSED))
    await tree.take_back(session, code)


async def revoke_peer(session: AsyncSession, code: str) -> None:
    """Refuse a peer from now on; what waits for it waits until it has joined again."""
    await session.execute(update(Peer).where(Peer.code == code).values(status=PeerStatus.REVOKED))


async def closed_with_waiting(session: AsyncSession) -> Sequence[str]:
    """Return the closed peers for which something waits all the same: it was posted while their link was closed."""
    query = (
        select(Peer.code)
        .where(
            Peer.status == PeerStatus.CLOSED,
            select(OutboxMessage.position)
            .where(OutboxMessage.peer == Peer.code, tree.unacknowledged())
            .exists(),
        )
        .order_by(Peer.code)
    )
    return (await session.scalars(query)).all()


async def pending_request(session: AsyncSession, child: str) -> EnrolmentCode | None:
    """Return and lock the newest request of a node to join that nobody has admitted yet."""
    return await session.scalar(
        select(EnrolmentCode)
        .where(
            EnrolmentCode.child == child,
            EnrolmentCode.public_key.is_not(None),
            EnrolmentCode.admitted_at.is_(None),
        )
        .order_by(EnrolmentCode.used_at.desc())
        .limit(1)
        .with_for_update()
    )


async def pending_requests(session: AsyncSession) -> Sequence[EnrolmentCode]:
    """Return the requests to join that nobody has admitted yet, oldest first."""
    query = (
        select(EnrolmentCode)
        .where(EnrolmentCode.public_key.is_not(None), EnrolmentCode.admitted_at.is_(None))
        .order_by(EnrolmentCode.used_at)
    )
    return (await session.scalars(query)).all()


# Retirement


async def retirement(session: AsyncSession, code: str) -> Retirement | None:
    """Return and lock the proposal to retire a node."""
    return await session.get(Retirement, code, with_for_update=True)


# Registry


async def lock_registry(session: AsyncSession) -> None:
    """Wait for and hold, to the end of the transaction, the right to change or hand out the registry."""
    await session.execute(select(func.pg_advisory_xact_lock(REGISTRY_LOCK)))


async def registry(session: AsyncSession) -> Sequence[RegistryEntry]:
    """Return the whole registry as this node knows it."""
    return (await session.scalars(select(RegistryEntry).order_by(RegistryEntry.code))).all()


_REGISTRY_ENTRIES = select(RegistryEntry).where(
    RegistryEntry.code == any_(bindparam("codes", type_=ARRAY(Text)))
)


async def registry_entries(session: AsyncSession, codes: Iterable[str]) -> dict[str, RegistryEntry]:
    """Return the entries of those nodes that are known, by code."""
    found = await session.scalars(_REGISTRY_ENTRIES, {"codes": list(codes)})
    return {entry.code: entry for entry in found}


async def put_registry_entry(session: AsyncSession, values: dict[str, Any]) -> bool:
    """Enter a node, or replace what is known of it by a newer version; tells whether anything changed."""
    statement = insert(RegistryEntry).values(values)
    changed = await session.scalar(
        statement.on_conflict_do_update(
            index_elements=[RegistryEntry.code],
            set_={name: statement.excluded[name] for name in values if name != "code"},
            where=(RegistryEntry.version < statement.excluded.version)
            | (RegistryEntry.statement.is_(None) & RegistryEntry.full_statement.is_(None)),
        ).returning(RegistryEntry.code)
    )
    return changed is not None


async def entry(session: AsyncSession, code: str) -> RegistryEntry | None:
    """Return the registry's entry of a node as it is now."""
    return await session.get(RegistryEntry, code, populate_existing=True)


async def children_of(session: AsyncSession, code: str) -> Sequence[str]:
    """Return the codes of the nodes below ``code`` that are not retired."""
    query = (
        select(RegistryEntry.code)
        .where(RegistryEntry.parent == code, RegistryEntry.status != NodeStatus.RETIRED)
        .order_by(RegistryEntry.code)
    )
    return (await session.scalars(query)).all()


async def public_key_of(session: AsyncSession, code: str) -> str | None:
    """Return the newest public key of a node, if the registry knows it."""
    return await session.scalar(select(RegistryEntry.public_key).where(RegistryEntry.code == code))


async def registered_cities(session: AsyncSession) -> list[str]:
    """Return the codes of the city nodes that the registry knows: those from which figures are expected.

    A retired one is not expected to report any more; a revoked one is, since it will join again.
    """
    cities = (
        select(RegistryEntry.code)
        .where(~RegistryEntry.code.like("%0000"), RegistryEntry.status != NodeStatus.RETIRED)
        .order_by(RegistryEntry.code)
    )
    return list(await session.scalars(cities))


async def last_word(session: AsyncSession) -> RegistryWord | None:
    """Return HQ's last word on how many entries there are."""
    return await session.get(RegistryWord, HQ_CODE, populate_existing=True)


async def put_last_word(session: AsyncSession, values: dict[str, Any]) -> bool:
    """Keep HQ's word, unless a newer one is here; tells whether it was kept."""
    statement = insert(RegistryWord).values({"said_by": HQ_CODE, **values})
    kept = await session.scalar(
        statement.on_conflict_do_update(
            index_elements=[RegistryWord.said_by],
            set_={name: statement.excluded[name] for name in values},
            where=RegistryWord.as_of < statement.excluded.as_of,
        ).returning(RegistryWord.said_by)
    )
    return kept is not None


async def come_from(session: AsyncSession, parent: str, *, here: str) -> Sequence[OutboxMessage]:
    """Return and lock what waits without a next hop, came through the parent, and is for a node not below this one."""
    query = (
        select(OutboxMessage)
        .where(OutboxMessage.peer.is_(None), OutboxMessage.hops.contains([{"node": parent}]))
        .order_by(OutboxMessage.position)
        .with_for_update()
    )
    rows = (await session.scalars(query)).all()
    lines = await tree.lines(session, {row.destination for row in rows})
    return [row for row in rows if here not in lines[row.destination][0]]


async def forget_message(session: AsyncSession, position: int) -> None:
    """Delete a message of the outbox that has no next hop, and goes another way."""
    await session.execute(delete(OutboxMessage).where(OutboxMessage.position == position))


async def own_waiting(session: AsyncSession, here: str) -> Sequence[OutboxMessage]:
    """Return and lock the messages that this node itself has posted and that have no number yet."""
    query = (
        select(OutboxMessage)
        .where(
            OutboxMessage.sequence.is_(None),
            func.jsonb_array_length(OutboxMessage.hops) == 1,
            OutboxMessage.hops[0]["node"].astext == here,
        )
        .order_by(OutboxMessage.position)
        .with_for_update()
    )
    return (await session.scalars(query)).all()


async def handed_over_at(session: AsyncSession, message_id: UUID) -> datetime | None:
    """Return when a message was posted that the next hop has acknowledged; ``None`` if it has not."""
    return await session.scalar(
        select(OutboxMessage.posted_at).where(
            OutboxMessage.message_id == message_id, ~tree.unacknowledged()
        )
    )
