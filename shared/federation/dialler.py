"""The child's side of a link, step by step: it pushes what it has, polls for what its parent has, and reconciles.

One batch is in flight per lane; while it is, the next is made ready. When these steps are taken, and what follows when
one fails, is :mod:`shared.federation.dialling`'s.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import (
    exchange,
    inbox,
    joining,
    neighbour,
    outbox,
    receipt,
    report,
    repository,
    standing,
)
from shared.federation.enrolment import EnrolmentAnswer, Invitation
from shared.federation.exchange import Acknowledgement, Body, Meeting, PollAnswer
from shared.federation.high_water import HighWaterMark
from shared.federation.keys import PublicKey
from shared.federation.lane import Diverged, Position
from shared.federation.link import Callee, LanesDisagree, LaneStands, Link, LinkDown
from shared.federation.models import Direction, Lane, Peer
from shared.federation.outbox import Numbered
from shared.federation.pace import Pace
from shared.federation.post import PostOffice
from shared.federation.problems import LaneDiverged, LaneStopped, SequenceGap
from shared.federation.receiver import Receiver
from shared.federation.reconciliation import Reconciler
from shared.federation.report import Report
from shared.federation.telemetry import Telemetry
from shared.kernel.clock import Clock
from shared.kernel.database import Database
from shared.kernel.release import VERSION
from shared.kernel.settings import Settings

log = structlog.get_logger("federation.dialler")

MOST_ROUNDS = 10_000
"""A meeting gives back a batch a lane in each round; this many is far more than a node ever keeps."""

FEWEST_MESSAGES = 10


class NotEnrolled(Exception):
    """The node has no parent yet."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A batch that can be sent at once."""

    batch: Numbered
    body: Body


def _key_in_answer(body: bytes) -> tuple[str, Sequence[PublicKey]]:
    """Return the code and key that a new parent gives; the fingerprint in the one-time code vouches for them."""
    answer = exchange.read(EnrolmentAnswer, body)
    return answer.code, [PublicKey.from_text(answer.public_key)]


class Dialler:
    """One node's way to its parent.

    Args:
        settings, post, database, clock: the node's.
        receiver: takes in what the parent sends.
        high_water: is told how far each exchange got.
        telemetry: what it is observed by.
        transport: how HTTP is carried; the network without it.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        post: PostOffice,
        database: Database,
        clock: Clock,
        receiver: Receiver,
        high_water: HighWaterMark,
        telemetry: Telemetry | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._post = post
        self._database = database
        self._clock = clock
        self._receiver = receiver
        self.high_water = high_water
        self._link = Link(
            post=post,
            database=database,
            clock=clock,
            timeout=settings.exchange_timeout_seconds,
            telemetry=telemetry,
            transport=transport,
        )
        self._pace = Pace.of(settings.bulk_window, settings.bulk_bytes_per_second)
        self._most = {lane: exchange.most_messages(lane) for lane in Lane}
        """So many messages go into the next batch of a lane: fewer after one that was not answered."""
        self._told_at: datetime | None = None
        self.parent: str | None = None
        """Whom it last dialled, or was to."""

    async def close(self) -> None:
        """Hang up."""
        await self._link.close()

    async def enrol(self, url: str, invitation: Invitation, *, moving: bool = False) -> str:
        """Join the parent at ``url`` with a one-time code; returns the parent's code.

        Raises:
            LinkDown: if the parent cannot be reached or refuses, or has not admitted this node yet.
            InvitationInvalid: if it is not the parent that the code came from.
        """
        async with self._database.transaction() as session:
            request = await joining.request_to(session, self._post, invitation, moving=moving)
        parent = Callee(url.rstrip("/"), None, _key_in_answer)
        answer = await self._link.call(
            parent, "/enrolments", exchange.body_of(request), EnrolmentAnswer
        )
        async with self._database.transaction() as session:
            await joining.join(
                session,
                self._post,
                invitation,
                answer,
                url=url.rstrip("/"),
                moving=moving,
                now=self._clock.now(),
            )
        return answer.code

    async def push(self, lane: Lane) -> int:
        """Send a lane's next batches until nothing is left.

        Returns:
            How many messages the parent has newly acknowledged.

        Raises:
            LinkDown: if the parent cannot be reached or refuses.
            NotEnrolled: if there is no parent yet.
        """
        newly = 0
        answer: Acknowledgement | None = None
        parent, ready = await self._make_ready(lane, after=None)
        while ready is not None:
            sending = asyncio.ensure_future(self._send(parent, ready))
            following = None
            try:
                # While the parent works on it, what it said to the one before is noted and the next is made ready.
                if answer is not None:
                    newly += await self._note_acknowledged(parent, answer)
                if ready.batch.more:
                    parent, following = await self._make_ready(lane, after=ready.batch.last)
                answer = await sending
            except BaseException:
                sending.cancel()
                raise
            if following is not None and answer.received != following.batch.first - 1:
                break  # the parent has less, or more, than was sent: begin anew from what it has
            ready = following
        if answer is not None:
            newly += await self._note_acknowledged(parent, answer)
        return newly

    async def _make_ready(self, lane: Lane, *, after: int | None) -> tuple[Peer, _Ready | None]:
        """Return the parent and the next batch for it, if there is one that may go now."""
        may_go = lane is not Lane.BULK or self.seconds_until_bulk() == 0
        parent = await self._known_parent()
        try:
            async with self._database.transaction() as session:
                batch = may_go and await outbox.number_next(
                    session,
                    parent.code,
                    lane,
                    most=self._most[lane],
                    most_bytes=exchange.BATCH_BYTES,
                    after=after,
                )
        except Diverged as error:
            raise LanesDisagree(str(error)) from None
        if not batch:
            return parent, None
        if lane is Lane.BULK:
            self._pace.spend(batch.size, self._clock.now())
        dispatch = batch.dispatch(
            self._post.keys.calling, self._post.code, parent.code, now=self._clock.now()
        )
        return parent, _Ready(batch, exchange.body_of(exchange.batch_content(batch, dispatch)))

    def seconds_until_bulk(self) -> float:
        """Return after how many seconds the lane ``bulk`` may go on, by its window and rate; 0 for at once."""
        return self._pace.seconds_to_wait(self._clock.now())

    async def _send(self, parent: Peer, ready: _Ready) -> Acknowledgement:
        lane = ready.batch.lane
        path = f"/lanes/{lane.value}/batches"
        try:
            answer = await self._link.call(self._callee(parent), path, ready.body, Acknowledgement)
        except LinkDown:
            # It may have been too much for the time that an exchange may take, if much of it had to be parked.
            self._most[lane] = max(self._most[lane] // 4, FEWEST_MESSAGES)
            raise
        self._most[lane] = min(self._most[lane] * 2, exchange.most_messages(lane))
        return answer

    async def _note_acknowledged(self, parent: Peer, answer: Acknowledgement) -> int:
        received = Position(answer.received, None)
        if answer.receipt is not None:
            received = self._checked(parent, answer.lane, answer.received, answer.receipt)
        now = self._clock.now()
        try:
            async with self._database.transaction() as session:
                await repository.note_contact(session, parent, now=now)
                newly = await outbox.acknowledge(
                    session, parent.code, answer.lane, received, statement=answer.receipt, now=now
                )
        except Diverged as error:
            raise LanesDisagree(str(error)) from None
        self.high_water.note(parent.code, Direction.OUT, answer.lane, received.number)
        return newly

    def _checked(self, parent: Peer, lane: Lane, number: int, statement: str) -> Position:
        """Return the position that the parent's receipt proves."""
        try:
            proven = receipt.check(
                statement,
                parent.keys_at(self._clock.now()),
                sender=self._post.code,
                receiver=parent.code,
            )
        except receipt.ReceiptInvalid as error:
            raise LinkDown(f"{parent.code} acknowledges with a bad receipt: {error}") from None
        if (proven.lane, proven.position.number) != (lane.value, number):
            raise LinkDown(
                f"{parent.code} acknowledges message {number} of {lane}, but its receipt is for "
                f"{proven.position.number} of {proven.lane}."
            )
        return proven.position

    async def poll(self, wait: float) -> int:
        """Ask the parent for what it has, waiting up to ``wait`` seconds; returns how many messages came.

        Raises:
            LinkDown: if the parent cannot be reached or refuses.
            NotEnrolled: if there is no parent yet.
        """
        parent = await self._known_parent()
        async with self._database.transaction() as session:
            lanes = await standing.of(session, parent.code)
            receipts = await inbox.receipts_to_send(session, lanes.into)
            telling_at, reports = await self._reports(session)
        request = {
            "received": {lane.value: state.numbered for lane, state in lanes.into.items()},
            "receipts": {lane.value: statement for lane, statement in receipts.items()},
            "reports": [each.model_dump(mode="json") for each in reports],
            "wait": wait,
        }
        answer = await self._link.call(
            self._callee(parent), "/poll", exchange.body_of(request), PollAnswer, wait=wait
        )
        for lane, number in answer.received.items():
            if number < (acknowledged := lanes.out[lane].acknowledged):
                raise LanesDisagree(
                    f"{parent.code} has acknowledged message {acknowledged} of lane {lane}, and has only {number} now."
                )
        self._told_at = telling_at
        now = self._clock.now()
        try:
            for batch in answer.batches:
                parent = await self._known_parent()  # its keys may have changed meanwhile
                async with self._database.transaction() as session:
                    received = await self._receiver.receive(session, parent, batch, now=now)
                self.high_water.note(
                    parent.code, Direction.IN, batch.lane, received.position.number
                )
        except (SequenceGap, LaneDiverged) as error:
            raise LanesDisagree(str(error)) from None
        except LaneStopped as error:
            raise LaneStands(str(error)) from None
        async with self._database.transaction() as session:
            sent = {lane: lanes.into[lane].numbered for lane in receipts}
            await inbox.note_receipts_sent(session, parent.code, sent)
            await repository.note_contact(
                session, parent, now=now, offset=self._link.offset.total_seconds()
            )
        return sum(len(batch.messages) for batch in answer.batches)

    async def _reports(self, session: AsyncSession) -> tuple[datetime | None, list[Report]]:
        """Return what there is to tell of this node and those below it, if it is time to, and as of when."""
        now = self._clock.now()
        if self._told_at is not None and now < self._told_at + report.INTERVAL:
            return self._told_at, []
        await report.write(session, self._post.code, VERSION, now=now)
        return now, await report.to_tell(session, self._told_at)

    async def reconcile(self) -> int:
        """Agree with the parent on where each lane is, mending what a restored backup has broken.

        Returns:
            How many times the two had to exchange words; one if nothing was to be mended.

        Raises:
            LinkDown: if the parent cannot be reached or refuses.
            NotEnrolled: if there is no parent yet.
        """
        async with self._database.transaction() as session:
            parent = await self._parent(session)
            ours = await self._reconciler(session, parent).open()
        had_received: dict[Lane, int] = {}
        for round_ in range(1, MOST_ROUNDS):
            content = ours.model_dump(mode="json")
            theirs = await self._link.call(
                self._callee(parent), "/reconciliations", exchange.body_of(content), Meeting
            )
            for lane, told in theirs.lanes.items():
                had_received[lane] = max(told.acknowledged, had_received.get(lane, 0))
            async with self._database.transaction() as session:
                parent = await self._parent(session)
                begins = not ours.continues and theirs.epoch <= ours.epoch
                ours = await self._reconciler(session, parent).meet(theirs, begins_epoch=begins)
            if not ours.wanted and not ours.returned:
                await self.high_water.settle(had_received)
                return round_
        raise LinkDown(f"{parent.code} and this node do not come to an end reconciling.")

    def _reconciler(self, session: AsyncSession, parent: Peer) -> Reconciler:
        return Reconciler(
            session=session,
            here=self._post.code,
            version=VERSION,
            peer=parent,
            handlers=self._receiver.handlers,
            now=self._clock.now(),
        )

    async def _known_parent(self) -> Peer:
        """Return the parent, to be looked at."""
        return self._required(await neighbour.parent(await self._database.pool()))

    async def _parent(self, session: AsyncSession) -> Peer:
        """Return the parent, to be changed."""
        return self._required(await repository.parent(session))

    def _required(self, parent: Peer | None) -> Peer:
        self.parent = parent.code if parent else None
        if parent is None:
            raise NotEnrolled(
                f"Node {self._post.code} has not joined a parent yet: `guanxi node enrol`."
            )
        return parent

    def _callee(self, parent: Peer) -> Callee:
        keys = parent.keys_at(self._clock.now())
        url = self._settings.parent_url or parent.url or ""
        known = keys[0].fingerprint if keys else None
        return Callee(url, parent.code, lambda _: (parent.code, keys), known)
