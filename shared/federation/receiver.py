"""The receiving side of a lane: one transaction for each batch.

Lock the cursor; skip what was seen; refuse a gap and a history that is not this one; keep, then handle or forward each
message; move the cursor; sign the receipt. The caller commits and only then acknowledges, so a batch whose
acknowledgement is lost comes again and is skipped.

Before anything is handled it is known to be its origin's own: by its signature, or, of what the peer itself says to
this node, by the peer's *dispatch* of the whole batch (:mod:`shared.federation.receipt`).

A batch is taken in *together*: kept by one statement, and handled in one savepoint. Only if something in it fails is
that undone and each half of it tried by itself, until the failing message is alone and can be parked, and the rest goes
on. Handlers therefore may run several times for one message; all effects but the last ones are rolled back.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import inbox, notices, outbox, receipt, repository, standing, tree
from shared.federation.arrival import (
    Arrival,
    Key,
    arrival,
    arrived_again,
    to_be_checked,
    verify_all,
)
from shared.federation.delivery import Handlers, MessageRefused, is_passing
from shared.federation.envelope import EnvelopeForged, EnvelopeMalformed
from shared.federation.exchange import Batch, WireMessage
from shared.federation.handling import Handling
from shared.federation.lane import Diverged, Gap, Position, take_in
from shared.federation.models import Direction, InboxState, Lane, Peer, RegistryEntry
from shared.federation.post import PostOffice
from shared.federation.problems import LaneDiverged, LaneStopped, OriginForeign, SequenceGap
from shared.federation.records import NoticeKind
from shared.federation.telemetry import Telemetry
from shared.kernel.database import driver_savepoint
from shared.kernel.problems import Problem
from shared.kernel.settings import Settings

log = structlog.get_logger("federation.receiver")

ORIGIN_UNKNOWN = "The origin is not in this node's registry yet; the message waits for its entry."
BEHIND = (
    "An earlier message of the same origin and partition key is parked; this one waits behind it."
)


@dataclass(frozen=True, slots=True)
class Received:
    """How far a lane is received now: the acknowledgement, once that is committed."""

    position: Position
    statement: str | None
    """The receipt for it; nothing where the lane has no chain yet."""


class Receiver:
    """Receives batches for one node.

    Args:
        settings: the node's settings.
        post: its post office, which forwards and signs receipts.
        handlers: what it understands, by message type.
        telemetry: what it is observed by.
        pick: takes the message whose signature is checked out of those that a dispatch covers.
    """

    def __init__(
        self,
        settings: Settings,
        post: PostOffice,
        handlers: Handlers,
        telemetry: Telemetry | None = None,
        pick: Callable[[Sequence[Arrival]], Arrival] = secrets.choice,
    ) -> None:
        self._here = settings.code
        self._post = post
        self._telemetry = telemetry or Telemetry()
        self._handling = Handling(self._here, handlers, self._telemetry)
        self._pick = pick

    @property
    def handlers(self) -> Handlers:
        """What it understands, by message type."""
        return self._handling.handlers

    async def receive(
        self, session: AsyncSession, peer: Peer, batch: Batch, *, now: datetime
    ) -> Received:
        """Take in a batch from ``peer`` in ``session``'s transaction.

        Raises:
            SequenceGap: if the batch begins after the awaited message (409).
            LaneDiverged: if it does not go on from what was received (409).
            LaneStopped: if the lane waits for an operator (409).
            OriginForeign: if a message's origin is not the peer's to speak for (403).
        """
        state = await standing.lock(session, peer.code, batch.lane, Direction.IN)
        if state.stopped_because is not None:
            raise LaneStopped(lane=batch.lane.value, peer=peer.code, why=state.stopped_because)
        messages = batch.outgoing()
        try:
            taken = take_in(inbox.position_of(state), batch.first, batch.previous_link(), messages)
        except Gap:
            raise SequenceGap(
                lane=batch.lane.value,
                peer=peer.code,
                expected=state.numbered + 1,
                first=batch.first,
            ) from None
        except Diverged as error:
            raise LaneDiverged(lane=batch.lane.value, peer=peer.code, detail=str(error)) from None
        dispatch = self._dispatch(peer, batch, taken.position, now=now)
        fresh = messages[taken.skipped :]
        if fresh:
            first = batch.first + taken.skipped
            arrivals = [
                arrival(message, peer, batch.lane, nth, link, here=self._here, now=now)
                for nth, (message, link) in enumerate(zip(fresh, taken.links, strict=True), first)
            ]
            await self._take(session, peer, arrivals, is_dispatched=dispatch is not None, now=now)
            self._telemetry.received(session, arrivals)
        statement = self._receipt(peer, batch.lane, taken.position, dispatch, now=now)
        await inbox.move_cursor(session, state, taken.position, statement=statement, now=now)
        return Received(taken.position, statement)

    def _dispatch(
        self, peer: Peer, batch: Batch, position: Position, *, now: datetime
    ) -> str | None:
        """Return the batch's dispatch, if that holds and is for where the lane is after it."""
        if batch.dispatch is None:
            return None
        try:
            said = receipt.check_dispatch(
                batch.dispatch, peer.keys_at(now), sender=peer.code, receiver=self._here
            )
        except receipt.ReceiptInvalid as error:
            log.warning("a dispatch does not hold", peer=peer.code, because=str(error))
            return None
        covers = (said.lane, said.position) == (batch.lane.value, position)
        return batch.dispatch if covers else None

    def _receipt(
        self,
        peer: Peer,
        lane: Lane,
        position: Position,
        dispatch: str | None,
        *,
        now: datetime,
    ) -> str | None:
        """Sign the receipt for what is received so far."""
        if position.link is None or position.number == 0:
            return None
        return receipt.issue(
            self._post.key,
            receipt.Receipt(peer.code, self._here, lane.value, position, now, dispatch),
        )

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
        for row in await inbox.parked(session, origin, partition_key):
            if row.partition_key in stuck:
                continue
            await inbox.settle(session, row.arrival, InboxState.HANDLED, None, now=now)
            again = arrived_again(row)
            state, reason = await self._telemetry.settling(
                again, self._settle(session, again, now=now)
            )
            await inbox.settle(session, row.arrival, state, reason, now=now)
            if state is InboxState.PARKED:
                stuck.add(row.partition_key)
            else:
                settled += 1
        return settled

    async def take_in(
        self, session: AsyncSession, item: WireMessage, lane: Lane, *, now: datetime
    ) -> None:
        """Take in one message that another node passed on inside one of its own; it counts as the parent's."""
        parent = await repository.parent(session)
        if parent is None:
            raise MessageRefused(f"Node {self._here} has no parent to take a message in from.")
        outgoing = outbox.Outgoing(item.envelope.encode(), item.signature, item.hops)
        row = arrival(outgoing, parent, lane, None, None, here=self._here, now=now)
        await self._take_alone(session, row, now=now)
        self._telemetry.received(session, [row])

    async def _known(
        self, session: AsyncSession, peer: Peer, origins: set[str]
    ) -> dict[str, RegistryEntry]:
        """Return what the registry knows of the origins, which must all be the peer's to speak for."""
        if origins == {peer.code} and peer.entry is not None:
            return {peer.code: peer.entry}
        for origin in await tree.foreign_origins(session, peer, origins, here=self._here):
            raise OriginForeign(peer=peer.code, origin=origin)
        return await repository.registry_entries(session, origins)

    async def _take(
        self,
        session: AsyncSession,
        peer: Peer,
        rows: Sequence[Arrival],
        *,
        is_dispatched: bool,
        now: datetime,
    ) -> None:
        """Keep messages and settle them: together, or each half by itself if that fails, down to single ones."""
        known = await self._known(
            session, peer, {row.origin for row in rows if row.message is not None}
        )
        acting = self._sort(rows, known, *await inbox.seen_or_blocked(session, rows))
        doubted = acting
        if is_dispatched:
            doubted = to_be_checked(acting, peer.code, here=self._here, pick=self._pick)
        # Only handlers leave something in the session, which has to be undone with the rows.
        is_handled = any(self._handling.route(row.type, row.destination) for row in acting)
        try:
            async with session.begin_nested() if is_handled else driver_savepoint(session):
                await verify_all(doubted, known)
                await self._take_together(session, rows, acting, now=now)
        except Exception as error:
            if is_passing(error):
                raise
            log.debug("messages are taken in by halves", count=len(rows), because=str(error))
            if len(rows) == 1:
                await self._take_alone(session, rows[0], now=now)
                return
            for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
                await self._take(session, peer, half, is_dispatched=False, now=now)

    def _sort(
        self,
        rows: Sequence[Arrival],
        known: Mapping[str, RegistryEntry],
        seen: set[tuple[str, UUID]],
        blocked: set[Key],
    ) -> list[Arrival]:
        """Note which messages came before or wait, and return those that are to be handled or forwarded."""
        acting: list[Arrival] = []
        for row in rows:
            # Whatever an attempt before made of it.
            row.state, row.reason = InboxState.HANDLED, None
            if row.identity in seen:
                row.state = InboxState.DUPLICATE
                log.info("message seen before", message_id=str(row.message_id), origin=row.origin)
                continue
            seen.add(row.identity)
            if row.key in blocked:
                row.state, row.reason = InboxState.PARKED, BEHIND
            elif row.message is not None and _is_awaited(known.get(row.origin)):
                row.state, row.reason = InboxState.PARKED, ORIGIN_UNKNOWN
                blocked.add(row.key)
            else:
                if row.destination != self._here:
                    row.state = InboxState.FORWARDED
                acting.append(row)
        return acting

    async def _take_together(
        self,
        session: AsyncSession,
        rows: Sequence[Arrival],
        acting: Sequence[Arrival],
        *,
        now: datetime,
    ) -> None:
        await inbox.keep(session, rows, now=now)
        forwarded = await self._handling.act_on_all(session, acting, now=now)
        if forwarded:
            await outbox.add(session, forwarded, here=self._here)

    async def _take_alone(self, session: AsyncSession, row: Arrival, *, now: datetime) -> None:
        row.state, row.reason = InboxState.HANDLED, None  # nothing below meets it as a parked one
        seen, blocked = await inbox.seen_or_blocked(session, [row])
        if seen:
            row.state = InboxState.DUPLICATE
        elif blocked:
            row.state, row.reason = InboxState.PARKED, BEHIND
        await inbox.keep(session, [row], now=now)
        if row.state is InboxState.HANDLED:
            row.state, row.reason = await self._telemetry.settling(
                row, self._settle(session, row, now=now)
            )
            await inbox.settle(session, row.number, row.state, row.reason, now=now)

    async def _settle(
        self, session: AsyncSession, row: Arrival, *, now: datetime
    ) -> tuple[InboxState, str | None]:
        """Handle or forward one kept message in a savepoint of its own.

        A lasting failure parks it and tells its origin, after the savepoint has been rolled back.
        """
        known = await repository.registry_entries(session, [row.origin])
        if row.message is not None and _is_awaited(known.get(row.origin)):
            return InboxState.PARKED, ORIGIN_UNKNOWN
        try:
            async with session.begin_nested():
                await verify_all([row], known)
                posted = await self._handling.act(session, row, now=now)
                if posted is None:
                    return InboxState.HANDLED, None
                await outbox.add(session, [posted], here=self._here)
                return InboxState.FORWARDED, None
        except (EnvelopeForged, EnvelopeMalformed, MessageRefused) as error:
            reason = told = notices.speakable(f"{type(error).__name__}: {error}")
        except Exception as error:
            if is_passing(error):
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
        if row.message is not None:  # what nobody can read has no id that its origin knows it by
            await notices.tell_origin(
                session,
                self._post,
                origin=row.origin,
                message_id=row.message_id,
                type_=row.type,
                kind=NoticeKind.PARKED,
                reason=told,
                now=now,
            )
        return InboxState.PARKED, reason


def _is_awaited(origin: RegistryEntry | None) -> bool:
    """Tell whether the registry has yet to say whose signature counts for an origin."""
    return origin is None or origin.is_moving
