"""Reconciling: two neighbours make up for a database that was restored from an old backup.

A restored node has *gone back*: it no longer knows what it sent and received last. Nothing else tells it so, and if it
went on as if nothing had happened it would give old numbers to new messages, which its peers would take for
repetitions. The chain finds it out (:mod:`shared.federation.lane`): its first batch, acknowledgement or poll does not
agree with what its peer has, is refused, and the lane waits until the two have reconciled. A child also reconciles
whenever it begins to dial, before it numbers anything.

The child calls; both ends tell where each lane is, in both directions, and do the same with what they hear:

- *The receiver went back.* It has received less than was acknowledged. The sender still has what comes after and sends
  it again, under the same numbers: the receiver does again what its backup does not hold.
- *The sender went back.* The receiver has more than the sender remembers, or other messages under the same numbers.
  From the last position that both know, the receiver gives back what it had received: signed messages, chained to
  what it has acknowledged. The sender keeps them as sent, takes back the numbers it has given since, and goes on
  after them. Of its own messages among them it also tells its business (``recovered``), which may have forgotten why
  it sent them. What it posts again by itself, with the same id, is not sent twice.

Both may be true, of several lanes, with several peers; each lane is mended by itself, in transactions that may be
repeated. What the two cannot agree upon, because what would be needed is no longer kept or the histories have no common
position, stops the lane, says why, and waits for an operator: nothing is guessed.
"""

from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import inbox, outbox, recovery, repository
from shared.federation.delivery import Delivery, Handlers, hops_from_json, is_passing
from shared.federation.envelope import (
    EnvelopeForged,
    EnvelopeMalformed,
    Message,
    unpack,
    verify,
)
from shared.federation.exchange import (
    BATCH_BYTES,
    BATCH_MESSAGES,
    Batch,
    LaneReport,
    Meeting,
    WireMessage,
)
from shared.federation.lane import (
    Agreed,
    NoCommonPosition,
    Position,
    Wanted,
    compare,
    goes_on_from,
    links_after,
)
from shared.federation.models import Direction, Lane, LaneState, OutboxMessage, Peer
from shared.federation.problems import LaneUnknown
from shared.federation.records import Mended, Reconciliation
from shared.kernel.listing import Listing, Sort

log = structlog.get_logger("federation.reconciliation")

RECONCILIATIONS = Listing(
    source="federation_reconciliation r",
    key=Sort("r.position", "bigint"),
    columns={
        name: f"r.{name}"
        for name in (
            "position",
            "at",
            "peer",
            "epoch",
            "lane",
            "direction",
            "event",
            "from_number",
            "to_number",
        )
    },
    sorts={"position": Sort("r.position", "bigint")},
    filters={"peer": "r.peer = {}", "lane": "r.lane = {}", "event": "r.event = {}"},
)
"""What had to be mended after restores, for an operator to see."""


class CannotAgree(Exception):
    """The two ends of a lane have no common position from which to go on; the sentence says why."""


@dataclass(slots=True)
class Reconciler:
    """One end of a link in one meeting, in one transaction.

    Attributes:
        session: the transaction.
        here: this node's code.
        version: the release that it runs.
        peer: the other end.
        handlers: what this node understands, for its own messages that come back.
        now: the present moment.
        events: what was mended so far.
    """

    session: AsyncSession
    here: str
    version: str
    peer: Peer
    handlers: Handlers
    now: datetime
    events: list[Reconciliation] = field(default_factory=list)

    async def open(self) -> Meeting:
        """Return where this end is, to begin with."""
        reports = {
            lane: self._report(out, into) for lane, (out, into) in (await self._lanes()).items()
        }
        return Meeting(version=self.version, epoch=self.peer.epoch, lanes=reports)

    async def meet(self, theirs: Meeting, *, begins_epoch: bool) -> Meeting:
        """Mend what the other end's words show to be broken, and return this end's own for it to do the same.

        Args:
            theirs: what the other end says.
            begins_epoch: whether something to be mended begins a new epoch, or belongs to the one just begun.
        """
        self.peer.version = theirs.version
        lanes = await self._lanes()
        reports = {lane: self._report(out, into) for lane, (out, into) in lanes.items()}
        returned = {batch.lane: batch for batch in theirs.returned}
        wanted: dict[Lane, int] = {}
        giving: list[Batch] = []
        for lane, (out, into) in lanes.items():
            report = theirs.lanes.get(lane)
            if report is None or out.stopped_because:
                continue
            if report.stopped is not None:
                out.stopped_because = into.stopped_because = (
                    f"{self.peer.code} says: {report.stopped}"
                )
                continue
            try:
                after = await self._as_sender(out, report, returned.get(lane))
                if after is not None:
                    wanted[lane] = after
                self._as_receiver(into, report)
                if lane in theirs.wanted:
                    giving.append(await self._give_back(into, theirs.wanted[lane]))
            except CannotAgree as error:
                out.stopped_because = into.stopped_because = str(error)
                log.exception("lane stopped", peer=self.peer.code, lane=lane.value)
        begun = begins_epoch and bool(self.events or wanted)
        self.peer.epoch = max(self.peer.epoch, theirs.epoch) + begun
        for event in self.events:
            event.epoch = self.peer.epoch
            self.session.add(event)
        await self.session.flush()  # the answer tells of it
        return Meeting(
            version=self.version,
            epoch=self.peer.epoch,
            continues=True,
            lanes=reports,
            wanted=wanted,
            returned=giving,
        )

    async def _lanes(self) -> dict[Lane, tuple[LaneState, LaneState]]:
        return {
            lane: (
                await outbox.lock_lane(self.session, self.peer.code, lane, Direction.OUT),
                await outbox.lock_lane(self.session, self.peer.code, lane, Direction.IN),
            )
            for lane in Lane
        }

    @staticmethod
    def _report(out: LaneState, into: LaneState) -> LaneReport:
        position = inbox.position_of(into)
        return LaneReport(
            numbered=out.numbered,
            acknowledged=out.acknowledged,
            stopped=out.stopped_because,
            received=position.number,
            received_link=position.link.hex() if position.link else None,
        )

    async def _as_sender(
        self, state: LaneState, report: LaneReport, returned: Batch | None
    ) -> int | None:
        """Compare what this end has sent with what the other has received; returns what is wanted back, if anything."""
        if returned is not None:
            await self._recover(state, returned)
        received = Position(
            report.received, bytes.fromhex(report.received_link) if report.received_link else None
        )
        if state.adopts:
            await self._adopt(state, received)
            return None
        own = await outbox.position_at(self.session, state, received.number)
        try:
            verdict = compare(received, acknowledged=state.acknowledged, own=lambda _: own)
        except NoCommonPosition as error:
            raise CannotAgree(f"{self.peer.code}: {error} Restore a newer backup there.") from None
        match verdict:
            case Wanted(after):
                return after
            case Agreed(position, went_back=True):
                await self._send_again(state, position)
            case Agreed(position):
                state.acknowledged, state.acknowledged_link = position.number, position.link
        return None

    async def _adopt(self, state: LaneState, received: Position) -> None:
        """Go on from what the receiver has, as an operator has decided; what it never acknowledged is sent anew."""
        was = state.numbered
        common = min(state.acknowledged, received.number)
        await recovery.go_back(self.session, state, Position(common, None))
        state.numbered = state.acknowledged = received.number
        state.link = state.acknowledged_link = received.link
        state.adopts = False
        self._note(state, Mended.ADOPTED, was, received.number)

    async def _send_again(self, state: LaneState, position: Position) -> None:
        kept = await self.session.scalar(
            select(func.count())
            .select_from(OutboxMessage)
            .where(
                OutboxMessage.peer == state.peer,
                OutboxMessage.lane == state.lane,
                OutboxMessage.sequence > position.number,
                OutboxMessage.sequence <= state.acknowledged,
            )
        )
        if kept != state.acknowledged - position.number:
            raise CannotAgree(
                f"{self.peer.code} has gone back to message {position.number} of those that {self.here} sent, and of "
                f"the {state.acknowledged - position.number} after it this node keeps only {kept}. "
                "Restore a newer backup there."
            )
        self._note(state, Mended.SENT_AGAIN, state.acknowledged, position.number)
        state.acknowledged, state.acknowledged_link = position.number, position.link

    def _as_receiver(self, state: LaneState, report: LaneReport) -> None:
        if report.acknowledged > state.numbered:
            self._note(state, Mended.RECEIVED_AGAIN, report.acknowledged, state.numbered)

    async def _give_back(self, state: LaneState, after: int) -> Batch:
        """Return what the other end had sent after its message ``after``, as it came."""
        link = await inbox.link_at(self.session, state, after)
        items = await inbox.received_after(
            self.session, self.peer.code, Lane(state.lane), after, most=BATCH_MESSAGES
        )
        if link is None or not items:
            raise CannotAgree(
                f"{self.peer.code} has gone back to message {after} of those that it sent to {self.here}, which no "
                "longer keeps what came after it. Restore a newer backup there."
            )
        size = 0
        given: list[WireMessage] = []
        for item in items:
            size += len(item.envelope)
            if given and size > BATCH_BYTES:
                break
            given.append(
                WireMessage(
                    envelope=item.envelope.decode(), signature=item.signature, hops=item.hops
                )
            )
        self._note(state, Mended.GIVEN_BACK, after, after + len(given))
        return Batch(lane=Lane(state.lane), first=after + 1, previous=link.hex(), messages=given)

    async def _recover(self, state: LaneState, batch: Batch) -> None:
        """Keep again what this end had sent and forgotten."""
        common = batch.first - 1
        own = await outbox.position_at(self.session, state, common)
        if (
            own is None
            or common > state.acknowledged
            or not goes_on_from(own, batch.previous_link())
        ):
            raise CannotAgree(
                f"What {self.peer.code} gives back of lane {state.lane} goes on from message {common}, where this "
                "node's history is another. Both were restored from backups that do not fit together."
            )
        items = batch.outgoing()
        messages = [(_unpacked(item.envelope), item) for item in items]
        await self._verify(messages)
        numbered = state.numbered
        taken = await recovery.go_back(self.session, state, own)
        await recovery.recover(
            self.session, state, messages, links_after(own.link or b"", items), now=self.now
        )
        self._note(state, Mended.RECOVERED, common, state.numbered)
        if taken:
            self._note(state, Mended.RENUMBERED, numbered, state.numbered)
        for message, item in messages:
            await self._tell_business(message, item)

    async def _tell_business(self, message: Message, item: outbox.Outgoing) -> None:
        """Let the business remember what this node had said; should it fail, the lane goes on without."""
        route = self.handlers.get(message.type)
        if message.source != self.here or route is None or route.recovered is None:
            return
        delivery = Delivery(message, hops_from_json(item.hops), self.session, self.now)
        try:
            async with self.session.begin_nested():
                await route.recovered(delivery)
        except Exception as error:
            if is_passing(error):
                raise
            log.exception("own message could not be told", message_id=str(message.id))

    async def _verify(self, messages: list[tuple[Message, outbox.Outgoing]]) -> None:
        """Make sure that nobody puts words into this node's mouth, nor into those of its part of the tree."""
        known = await repository.registry_entries(
            self.session, {message.source for message, _ in messages}
        )
        for message, item in messages:
            entry = known.get(message.source)
            if entry is None:
                continue  # it joined after the backup: those who handle its message check it
            try:
                verify(
                    item.envelope,
                    item.signature,
                    entry.keys_at(message.time),
                    message.source,
                )
            except EnvelopeForged as error:
                raise CannotAgree(
                    f"What {self.peer.code} gives back as sent by this node is not: {error}"
                ) from None

    def _note(self, state: LaneState, event: Mended, was: int, is_now: int) -> None:
        log.warning(
            "lane mended after a restore",
            peer=state.peer,
            lane=state.lane,
            direction=state.direction,
            mended=event.value,
            was=was,
            is_now=is_now,
        )
        self.events.append(
            Reconciliation(
                at=self.now,
                peer=state.peer,
                lane=state.lane,
                direction=state.direction,
                event=event,
                from_number=was,
                to_number=is_now,
            )
        )


async def resume(session: AsyncSession, peer: str, lane: Lane) -> None:
    """Let a stopped lane go on from what its receiver has, as soon as the two ends meet again.

    Both ends have to do so. What one of them has lost in between stays lost.

    Raises:
        LaneUnknown: if there is no such lane (404).
    """
    if await repository.peer(session, peer) is None:
        raise LaneUnknown(lane=lane.value, peer=peer)
    for direction in Direction:
        state = await outbox.lock_lane(session, peer, lane, direction)
        if state.stopped_because is not None:
            log.warning(
                "lane resumed by an operator",
                peer=peer,
                lane=lane.value,
                direction=direction.value,
                was=state.stopped_because,
            )
            state.stopped_because = None
            state.adopts = direction is Direction.OUT
    await session.flush()  # the answer may be read by SQL in this transaction


def _unpacked(envelope: bytes) -> Message:
    """Return what a message that came back says.

    Raises:
        CannotAgree: if it is no message.
    """
    try:
        return unpack(envelope)
    except EnvelopeMalformed as error:
        raise CannotAgree(f"What the peer gives back is no message: {error}") from None
