"""The receiving side of a lane: one transaction for each batch.

Lock the cursor; skip what was seen; refuse a gap; keep, then handle or forward each message; move the cursor. The
caller commits and only then acknowledges, so a batch whose acknowledgement is lost comes again and is skipped.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import mailbox, notices, repository
from shared.federation.delivery import Delivery, Hop, MessageRefused
from shared.federation.envelope import (
    EnvelopeForged,
    EnvelopeMalformed,
    Packed,
    unpack,
    verify,
)
from shared.federation.exchange import Batch, WireMessage
from shared.federation.keys import PublicKey
from shared.federation.models import (
    InboxMessage,
    InboxState,
    Lane,
    NoticeKind,
    Peer,
    RegistryEntry,
    Relation,
)
from shared.federation.post import PostOffice
from shared.federation.problems import OriginForeign, SequenceGap
from shared.kernel.database import is_away
from shared.kernel.ids import derived_id
from shared.kernel.problems import Problem
from shared.kernel.settings import Settings

log = structlog.get_logger("federation.receiver")

UNREADABLE = "unreadable"
UNREADABLE_NAMESPACE = UUID("7c9a4f57-8f0e-5d6e-9a53-3f1d7f2b6a11")
ORIGIN_UNKNOWN = "The origin is not in this node's registry yet; the message waits for its entry."
BEHIND = (
    "An earlier message of the same origin and partition key is parked; this one waits behind it."
)

_PASSING_DATABASE_ERRORS = frozenset({"40001", "40P01", "55P03", "57014"})
"""Serialisation failure, deadlock, lock not available, query cancelled: the batch is simply received again."""


@dataclass(frozen=True, slots=True)
class Route:
    """Who handles a type of message, and whether also when it only passes through."""

    handle: Callable[[Delivery], Awaitable[None]]
    transit: bool = False


Handlers = Mapping[str, Route]


class Receiver:
    """Receives batches for one node.

    Args:
        settings: the node's settings.
        post: its post office, which forwards.
        handlers: what it understands, by message type.
    """

    def __init__(self, settings: Settings, post: PostOffice, handlers: Handlers) -> None:
        self._here = settings.code
        self._post = post
        self._handlers = handlers

    async def receive(
        self, session: AsyncSession, peer: Peer, batch: Batch, *, now: datetime
    ) -> int:
        """Take in a batch from ``peer`` in ``session``'s transaction.

        Returns:
            The sequence number up to which the lane is now received: the acknowledgement, once committed.

        Raises:
            SequenceGap: if the batch begins after the awaited message (409).
            OriginForeign: if a message's origin is not the peer's to speak for (403).
        """
        cursor = await mailbox.lock_cursor(session, peer.code, batch.lane)
        if batch.first > cursor.numbered + 1:
            raise SequenceGap(
                lane=batch.lane.value,
                peer=peer.code,
                expected=cursor.numbered + 1,
                first=batch.first,
            )
        fresh = batch.messages[cursor.numbered + 1 - batch.first :]
        arrivals = [_arrival(item, peer, batch.lane, here=self._here, now=now) for item in fresh]
        known = await self._known(
            session, peer, {row.origin for row in arrivals if row.type != UNREADABLE}
        )
        for row in arrivals:
            await self._take(session, row, known.get(row.origin), now=now)
            cursor.numbered += 1
        await session.flush()  # the caller answers with the cursor, so it must hold
        return cursor.numbered

    async def retry_parked(
        self,
        session: AsyncSession,
        origin: str,
        partition_key: str | None = None,
        *,
        now: datetime,
    ) -> int:
        """Handle again what is parked of an origin, of one partition key or all, in order of arrival.

        Returns:
            How many messages are no longer parked.
        """
        settled = 0
        stuck: set[str] = set()
        for row in await mailbox.parked(session, origin, partition_key):
            if row.partition_key in stuck:
                continue
            known = await repository.registry_entries(session, [origin])
            await mailbox.settle(session, row.arrival, InboxState.HANDLED, None, now=now)
            state, reason = await self._settle(session, row, known.get(origin), now=now)
            await mailbox.settle(session, row.arrival, state, reason, now=now)
            if state is InboxState.PARKED:
                stuck.add(row.partition_key)
            else:
                settled += 1
        return settled

    async def _known(
        self, session: AsyncSession, peer: Peer, origins: set[str]
    ) -> dict[str, RegistryEntry]:
        """Return what the registry knows of the origins, which must all be the peer's to speak for."""
        known = await repository.registry_entries(session, origins)
        for origin in sorted(origins):
            entry = known.get(origin)
            top = self._here if peer.relation == Relation.PARENT else peer.code
            is_below = origin == top or (
                entry.parent == top if entry else is_division_below(origin, top)
            )
            if is_below == (peer.relation == Relation.PARENT):
                raise OriginForeign(peer=peer.code, origin=origin)
        return known

    async def _take(
        self,
        session: AsyncSession,
        row: InboxMessage,
        origin: RegistryEntry | None,
        *,
        now: datetime,
    ) -> None:
        """Keep one message, unless it was seen before, and settle it."""
        blocked = await mailbox.is_blocked(session, row.origin, row.partition_key)
        arrival = await mailbox.add_to_inbox(session, row)
        if arrival is None:
            log.info("message seen before", message_id=str(row.message_id), origin=row.origin)
            return
        state, reason = (
            (InboxState.PARKED, BEHIND)
            if blocked
            else await self._settle(session, row, origin, now=now)
        )
        await mailbox.settle(session, arrival, state, reason, now=now)

    async def _settle(
        self,
        session: AsyncSession,
        row: InboxMessage,
        origin: RegistryEntry | None,
        *,
        now: datetime,
    ) -> tuple[InboxState, str | None]:
        """Handle or forward one kept message in a savepoint of its own.

        A lasting failure parks it and tells its origin, after the savepoint has been rolled back.
        """
        if origin is None:
            return InboxState.PARKED, ORIGIN_UNKNOWN
        try:
            async with session.begin_nested():
                return await self._act(session, row, origin, now=now), None
        except (EnvelopeForged, EnvelopeMalformed, MessageRefused) as error:
            reason = told = notices.speakable(f"{type(error).__name__}: {error}")
        except Exception as error:
            if is_away(error) or (
                isinstance(error, DBAPIError)
                and getattr(error.orig, "sqlstate", "") in _PASSING_DATABASE_ERRORS
            ):
                raise
            if not isinstance(error, Problem):
                log.exception(
                    "message handler failed", message_id=str(row.message_id), type=row.type
                )
            reason = notices.speakable(f"{type(error).__name__}: {error}")
            # Such an error may quote a customer's data, and the nodes on the way back can read a notice.
            told = (
                f"{type(error).__name__}: an error of node {self._here}, whose operators see more."
            )
        log.warning(
            "message parked",
            message_id=str(row.message_id),
            type=row.type,
            origin=row.origin,
            reason=reason,
        )
        if (
            row.type != UNREADABLE
        ):  # what nobody can read has no id that its origin would know it by
            await notices.tell_origin(session, self._post, row, NoticeKind.PARKED, told, now=now)
        return InboxState.PARKED, reason

    async def _act(
        self, session: AsyncSession, row: InboxMessage, origin: RegistryEntry, *, now: datetime
    ) -> InboxState:
        verify(row.envelope, row.signature, PublicKey.from_text(origin.public_key), origin.code)
        message = unpack(row.envelope)
        hops = (*mailbox.hops_from_json(row.hops), Hop(self._here, now))
        route = self._handlers.get(message.type)
        passing = message.destination != self._here
        if route is None and not passing:
            raise MessageRefused(
                f"This node does not understand messages of type {message.type}; upgrade it, then retry."
            )
        if route is not None and (route.transit or not passing):
            with structlog.contextvars.bound_contextvars(
                message_id=str(message.id), message_type=message.type, message_source=message.source
            ):
                await route.handle(Delivery(message, hops, session, now, transit=passing))
        if not passing:
            return InboxState.HANDLED
        await mailbox.add_to_outbox(
            session,
            message,
            Packed(row.envelope, row.signature),
            Lane(row.lane),
            hops,
            here=self._here,
        )
        return InboxState.FORWARDED


def _arrival(
    item: WireMessage, peer: Peer, lane: Lane, *, here: str, now: datetime
) -> InboxMessage:
    """Return a message as the inbox keeps it; what cannot be read is kept under its peer and its hash."""
    envelope = item.envelope.encode()
    row = InboxMessage(
        peer=peer.code,
        lane=lane,
        state=InboxState.HANDLED,  # so that nothing below meets the message it is about as a parked one
        envelope=envelope,
        signature=item.signature,
        hops=item.hops,
        received_at=now,
    )
    try:
        message = unpack(envelope)
    except EnvelopeMalformed:
        row.origin, row.type, row.destination, row.partition_key = (
            peer.code,
            UNREADABLE,
            here,
            UNREADABLE,
        )
        row.message_id = derived_id(UNREADABLE_NAMESPACE, hashlib.sha256(envelope).hexdigest())
    else:
        row.origin, row.type, row.destination = message.source, message.type, message.destination
        row.partition_key, row.message_id = message.partitionkey, message.id
    return row


def is_division_below(code: str, above: str) -> bool:
    """Tell by the codes alone whether ``code`` lies below ``above``: what holds until the registry knows better."""
    if above.endswith("0000"):
        return above == "000000" or code[:2] == above[:2]
    return False
