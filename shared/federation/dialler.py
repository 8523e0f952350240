"""The child's side of a link: it dials its parent, pushes what it has and polls for what the parent has for it.

One batch is in flight per lane; while it is, the next is made ready. What fails is tried again after a time that is
kept with the peer: full jitter, from a second doubling to five minutes, and cleared by the first answer. A parent that
is busy says when to come again, which is no failure. Before anything else, and again whenever the two disagree about a
lane, the child reconciles with its parent (:mod:`shared.federation.reconciliation`). Exactly one process of a node
dials at a time (:mod:`shared.node.background` sees to that); were there two, the lanes' row locks and sequence numbers
would still keep every message single and in order.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import httpx
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import enrolment, exchange, inbox, outbox, receipt, repository
from shared.federation.enrolment import EnrolmentAnswer, Invitation
from shared.federation.exchange import Acknowledgement, Body, Meeting, PollAnswer
from shared.federation.keys import PublicKey
from shared.federation.lane import Diverged, Position
from shared.federation.link import Callee, LanesDisagree, LaneStands, Link, LinkDown, ParentBusy
from shared.federation.models import Lane, Peer
from shared.federation.outbox import Numbered
from shared.federation.post import PostOffice
from shared.federation.problems import LaneDiverged, LaneStopped, SequenceGap
from shared.federation.receiver import Receiver
from shared.federation.reconciliation import Reconciler
from shared.federation.telemetry import Telemetry
from shared.federation.wakeup import Wakeup
from shared.kernel.clock import Clock
from shared.kernel.database import Database
from shared.kernel.release import VERSION
from shared.kernel.settings import Settings

log = structlog.get_logger("federation.dialler")

SHORTEST_BACKOFF = 1.0
LONGEST_BACKOFF = 300.0
IDLE_SECONDS = 60.0
"""How often a lane looks without being woken, should a notification ever be lost."""

MOST_ROUNDS = 10_000
"""A meeting gives back a batch a lane in each round; this many is far more than a node ever keeps."""


def backoff(failures: int, chance: float) -> float:
    """Return how many seconds to wait after so many failures in a row: full jitter over a doubling range.

    Args:
        failures: how many exchanges failed before this one.
        chance: a number from 0 to 1, drawn anew each time, so that those who failed together do not return together.
    """
    longest = min(LONGEST_BACKOFF, SHORTEST_BACKOFF * 2.0 ** min(failures, 30))
    return max(longest * chance, SHORTEST_BACKOFF / 4)


class NotEnrolled(Exception):
    """The node has no parent yet."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A batch that can be sent at once."""

    batch: Numbered
    body: Body


def _key_in_answer(body: bytes) -> tuple[str, PublicKey]:
    """Return the code and key that a new parent gives; the fingerprint in the one-time code vouches for them."""
    answer = exchange.read(EnrolmentAnswer, body)
    return answer.code, PublicKey.from_text(answer.public_key)


class Dialler:
    """One node's way to its parent.

    Args:
        settings, post, database, clock: the node's.
        receiver: takes in what the parent sends.
        wakeup: tells when there is something to push.
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
        wakeup: Wakeup,
        telemetry: Telemetry | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._post = post
        self._database = database
        self._clock = clock
        self._receiver = receiver
        self._wakeup = wakeup
        self._link = Link(
            post=post,
            clock=clock,
            timeout=settings.exchange_timeout_seconds,
            telemetry=telemetry,
            transport=transport,
        )
        self._agreed = False
        self._agreeing = asyncio.Lock()

    async def close(self) -> None:
        """Hang up."""
        await self._link.close()

    async def enrol(self, url: str, invitation: Invitation) -> str:
        """Join the parent at ``url`` with a one-time code; returns the parent's code.

        Raises:
            LinkDown: if the parent cannot be reached or refuses.
            enrolment.InvitationInvalid: if it is not the parent that the code came from.
        """
        request = {
            "code": self._post.code,
            "public_key": self._post.key.public.to_text(),
            "secret": invitation.secret,
        }
        parent = Callee(url.rstrip("/"), None, _key_in_answer)
        answer = await self._link.call(
            parent, "/enrolments", exchange.body_of(request), EnrolmentAnswer
        )
        async with self._database.transaction() as session:
            await enrolment.join(
                session,
                invitation,
                answer,
                here=self._post.code,
                url=url.rstrip("/"),
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
        async with self._database.transaction() as session:
            parent = await self._parent(session)
        newly = 0
        ready = await self._make_ready(parent, lane, after=None)
        while ready is not None:
            sending = asyncio.ensure_future(self._send(parent, ready))
            following = None
            try:
                if ready.batch.more:  # made ready while the parent works on the one before
                    following = await self._make_ready(parent, lane, after=ready.batch.last)
                answer = await sending
            except BaseException:
                sending.cancel()
                raise
            newly += await self._note_acknowledged(parent, answer)
            if following is not None and answer.received != following.batch.first - 1:
                break  # the parent has less, or more, than was sent: begin anew from what it has
            ready = following
        return newly

    async def _make_ready(self, parent: Peer, lane: Lane, *, after: int | None) -> _Ready | None:
        try:
            async with self._database.transaction() as session:
                batch = await outbox.number_next(
                    session,
                    parent.code,
                    lane,
                    most=exchange.BATCH_MESSAGES,
                    most_bytes=exchange.BATCH_BYTES,
                    after=after,
                )
        except Diverged as error:
            raise LanesDisagree(str(error)) from None
        return _Ready(batch, exchange.body_of(exchange.batch_content(batch))) if batch else None

    async def _send(self, parent: Peer, ready: _Ready) -> Acknowledgement:
        path = f"/lanes/{ready.batch.lane.value}/batches"
        return await self._link.call(self._callee(parent), path, ready.body, Acknowledgement)

    async def _note_acknowledged(self, parent: Peer, answer: Acknowledgement) -> int:
        received = Position(answer.received, None)
        if answer.receipt is not None:
            received = self._checked(parent, answer.lane, answer.received, answer.receipt)
        now = self._clock.now()
        try:
            async with self._database.transaction() as session:
                await repository.note_contact(session, parent.code, now=now)
                return await outbox.acknowledge(
                    session, parent.code, answer.lane, received, statement=answer.receipt, now=now
                )
        except Diverged as error:
            raise LanesDisagree(str(error)) from None

    def _checked(self, parent: Peer, lane: Lane, number: int, statement: str) -> Position:
        """Return the position that the parent's receipt proves."""
        try:
            proven = receipt.check(
                statement,
                [PublicKey.from_text(parent.public_key)],
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
        async with self._database.transaction() as session:
            parent = await self._parent(session)
            lanes = await inbox.lanes_from(session, parent.code)
            receipts = await inbox.receipts_to_send(session, lanes)
        request = {
            "received": {lane.value: state.numbered for lane, state in lanes.items()},
            "receipts": {lane.value: statement for lane, statement in receipts.items()},
            "wait": wait,
        }
        answer = await self._link.call(
            self._callee(parent), "/poll", exchange.body_of(request), PollAnswer, wait=wait
        )
        now = self._clock.now()
        try:
            for batch in answer.batches:
                async with self._database.transaction() as session:
                    await self._receiver.receive(session, parent, batch, now=now)
        except (SequenceGap, LaneDiverged) as error:
            raise LanesDisagree(str(error)) from None
        except LaneStopped as error:
            raise LaneStands(str(error)) from None
        async with self._database.transaction() as session:
            sent = {lane: lanes[lane].numbered for lane in receipts}
            await inbox.note_receipts_sent(session, parent.code, sent)
            await repository.note_contact(
                session, parent.code, now=now, offset=self._link.offset.total_seconds()
            )
        return sum(len(batch.messages) for batch in answer.batches)

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
        for round_ in range(1, MOST_ROUNDS):
            content = ours.model_dump(mode="json")
            theirs = await self._link.call(
                self._callee(parent), "/reconciliations", exchange.body_of(content), Meeting
            )
            async with self._database.transaction() as session:
                parent = await self._parent(session)
                begins = not ours.continues and theirs.epoch <= ours.epoch
                ours = await self._reconciler(session, parent).meet(theirs, begins_epoch=begins)
            if not ours.wanted and not ours.returned:
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

    async def run(self) -> None:
        """Dial until cancelled: every lane and the poll each on its own, so that none waits for another."""
        async with asyncio.TaskGroup() as tasks:
            for lane in Lane:
                tasks.create_task(self._keep_pushing(lane))
            tasks.create_task(self._keep_polling())

    async def _keep_pushing(self, lane: Lane) -> None:
        with self._wakeup.watch(lane=lane.value) as watch:
            while True:
                pause = await self._attempt(lambda: self.push(lane))
                await watch.wait(IDLE_SECONDS if pause is None else pause)

    async def _keep_polling(self) -> None:
        with self._wakeup.watch() as watch:
            while True:
                pause = await self._attempt(lambda: self.poll(self._settings.poll_seconds))
                if pause is not None:
                    await watch.wait(pause)

    async def _attempt(self, act: Callable[[], Awaitable[int]]) -> float | None:
        """Try once; returns after how many seconds to try again if it failed."""
        try:
            if (seconds := await self._seconds_to_retry()) > 0:
                return seconds
            await self._agree()
            await act()
        except NotEnrolled:
            return IDLE_SECONDS
        except LinkDown as error:
            return await self._pause_after(error)
        except Exception:
            log.exception("the link to the parent failed for an unexpected reason")
            return SHORTEST_BACKOFF
        return None

    async def _pause_after(self, error: LinkDown) -> float:
        """Return how many seconds to wait after a failure, by its kind."""
        match error:
            case ParentBusy():
                log.info("the parent is busy", seconds=error.seconds)
                return error.seconds * random.uniform(1, 2)  # noqa: S311 - jitter is no secret
            case LaneStands():
                log.warning("a lane is stopped", error=str(error))
                return IDLE_SECONDS
            case LanesDisagree():
                log.warning("this node and its parent disagree; they reconcile", error=str(error))
                async with self._agreeing:
                    was_agreed, self._agreed = self._agreed, False
                if was_agreed:
                    return 0.0
        # Also where reconciling did not help: the two must not spin.
        await self._note_failure(str(error))
        return max(await self._seconds_to_retry(), 0.05)

    async def _agree(self) -> None:
        """Reconcile unless that has been done; the lanes wait for one another here."""
        async with self._agreeing:
            if not self._agreed:
                await self.reconcile()
                self._agreed = True

    async def _seconds_to_retry(self) -> float:
        async with self._database.transaction() as session:
            parent = await repository.parent(session)
        if parent is None or parent.retry_at is None:
            return 0.0
        return (parent.retry_at - self._clock.now()).total_seconds()

    async def _note_failure(self, error: str) -> None:
        """Keep the failure with the peer, once for all tasks that meet it at the same time."""
        now = self._clock.now()
        async with self._database.transaction() as session:
            parent = await repository.parent(session)
            if parent is None or (parent.retry_at is not None and parent.retry_at > now):
                return
            retry_at = now + timedelta(seconds=backoff(parent.failures, random.random()))  # noqa: S311 - jitter is no secret
            await repository.note_failure(session, parent.code, error=error, retry_at=retry_at)
        log.warning(
            "the parent cannot be reached",
            error=error,
            retry_at=retry_at.isoformat(timespec="seconds"),
        )

    async def _parent(self, session: AsyncSession) -> Peer:
        parent = await repository.parent(session)
        if parent is None:
            raise NotEnrolled(
                f"Node {self._post.code} has not joined a parent yet: `guanxi node enrol`."
            )
        return parent

    def _callee(self, parent: Peer) -> Callee:
        key = PublicKey.from_text(parent.public_key)
        url = self._settings.parent_url or parent.url or ""
        return Callee(url, parent.code, lambda _: (parent.code, key))
