"""When a child dials: every lane and the poll on its own, woken by what is posted, and what follows when it fails.

What fails is tried again after a time that is kept with the peer, for operators to see: full jitter, from a second
doubling to five minutes, and cleared by the first answer; a node that is started tries at once. A parent that nobody
can connect to is knocked at every few seconds, however long it is away: that costs it nothing, and when it comes back
nobody keeps it waiting. The minutes are for a parent that takes a request and fails it, which fewer requests may
help. A parent that is busy says when to come again, which is no failure. Before anything else, and again whenever the
two disagree about a lane, the child reconciles with its parent (:mod:`shared.federation.reconciliation`). Exactly one
process of a node dials at a time (:mod:`shared.node.background` sees to that); were there two, the lanes' row locks
and sequence numbers would still keep every message single and in order.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from shared.federation import repository
from shared.federation.dialler import Dialler, NotEnrolled
from shared.federation.link import (
    LanesDisagree,
    LaneStands,
    LinkDown,
    NotServed,
    ParentAway,
    ParentBusy,
)
from shared.federation.models import Lane
from shared.federation.wakeup import Wakeup
from shared.kernel.backoff import LONGEST_BACKOFF, SHORTEST_BACKOFF, backoff
from shared.kernel.clock import Clock
from shared.kernel.database import Database, is_away
from shared.kernel.watching import Watch

log = structlog.get_logger("federation.dialling")

LONGEST_AWAY = 10.0
"""What it grows to while the parent cannot even be connected to."""
IDLE_SECONDS = 60.0
"""How often a lane looks without being woken, should a notification ever be lost."""
NOBODY = "nobody"
"""Whom a node without a parent watches."""


class Dialling:
    """The dialling of one process.

    Args:
        dialler: takes the steps.
        database, clock: the node's.
        wakeup: tells when there is something to push.
        poll_seconds: how long the parent may hold a poll open.
    """

    def __init__(
        self,
        dialler: Dialler,
        *,
        database: Database,
        clock: Clock,
        wakeup: Wakeup,
        poll_seconds: float,
    ) -> None:
        self._dialler = dialler
        self._database = database
        self._clock = clock
        self._wakeup = wakeup
        self._poll_seconds = poll_seconds
        self._retry_at: datetime | None = None
        self._failed = 0
        self._was_away = False
        self._agreed = False
        self._agreeing = asyncio.Lock()

    async def run(self) -> None:
        """Dial until cancelled: every lane and the poll each on its own, so that none waits for another."""
        async with asyncio.TaskGroup() as tasks:
            for lane in Lane:
                tasks.create_task(self._keep_pushing(lane))
            tasks.create_task(self._keep_polling())

    async def _keep_pushing(self, lane: Lane) -> None:
        with self._wakeup.watch(lane=lane.value) as watch:
            while True:
                pause = await self.attempt(lambda: self._dialler.push(lane))
                if pause is None and lane is Lane.BULK:
                    pause = self._dialler.seconds_until_bulk() or None
                self._wait_for_parent(watch, lane.value)
                await watch.wait(IDLE_SECONDS if pause is None else min(pause, IDLE_SECONDS))

    async def _keep_polling(self) -> None:
        with self._wakeup.watch() as watch:
            while True:
                pause = await self.attempt(lambda: self._dialler.poll(self._poll_seconds))
                if pause is not None:
                    self._wait_for_parent(watch)
                    await watch.wait(pause)

    def _wait_for_parent(self, watch: Watch, lane: str = "") -> None:
        """Let what is posted to the children wake only their polls; a new parent wakes everybody."""
        self._wakeup.narrow(watch, peer=self._dialler.parent or NOBODY, lane=lane)

    async def attempt(self, act: Callable[[], Awaitable[int]]) -> float | None:
        """Try once; returns after how many seconds to try again if it failed."""
        try:
            return await self._attempt(act)
        except Exception as error:
            if is_away(error):
                log.warning("the link to the parent waits for the database", error=str(error)[:200])
            else:
                log.exception("the link to the parent failed for an unexpected reason")
            return SHORTEST_BACKOFF

    async def _attempt(self, act: Callable[[], Awaitable[int]]) -> float | None:
        try:
            if (seconds := self._seconds_to_retry()) > 0:
                return seconds
            await self._agree()
            await act()
            self._retry_at, self._failed = None, 0
        except NotEnrolled:
            return IDLE_SECONDS
        except LinkDown as error:
            return await self._pause_after(error)
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
        await self._note_failure(error)
        return max(self._seconds_to_retry(), 0.05)

    async def _agree(self) -> None:
        """Reconcile unless that has been done; the lanes wait for one another here."""
        async with self._agreeing:
            if not self._agreed:
                try:
                    await self._dialler.reconcile()
                except NotServed:
                    log.info("the parent runs a release that does not reconcile; upgrade it soon")
                    await self._dialler.high_water.trust()
                self._agreed = True

    def _seconds_to_retry(self) -> float:
        if self._retry_at is None:
            return 0.0
        seconds = (self._retry_at - self._clock.now()).total_seconds()
        # Further off than it is ever set: the clock has been put back since.
        return seconds if seconds <= LONGEST_BACKOFF else 0.0

    async def _note_failure(self, error: LinkDown) -> None:
        """Keep the failure with the peer, once for all tasks that meet it at the same time."""
        if self._seconds_to_retry() > 0:
            return
        is_away = isinstance(error, ParentAway)
        # One that is back is not kept waiting for the time that it was away.
        self._failed = self._failed + 1 if is_away == self._was_away else 1
        self._was_away = is_away
        longest = LONGEST_AWAY if is_away else LONGEST_BACKOFF
        pause = backoff(self._failed - 1, random.random(), longest)  # noqa: S311 - jitter is no secret
        # Set before anything is awaited, so that the other tasks see it; one of them may clear it meanwhile.
        self._retry_at = retry_at = self._clock.now() + timedelta(seconds=pause)
        async with self._database.transaction() as session:
            parent = await repository.parent(session)
            if parent is None:
                return
            await repository.note_failure(session, parent.code, error=str(error), retry_at=retry_at)
        log.warning(
            "the parent cannot be reached",
            error=str(error),
            retry_at=retry_at.isoformat(timespec="seconds"),
        )
