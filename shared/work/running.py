"""Doing long work: taking it from the line, keeping its lease, settling how it ended."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.capability import NodeContext, Requester, WorkKind
from shared.kernel.database import is_away
from shared.kernel.language import Language
from shared.kernel.problems import Problem
from shared.kernel.tracing import Tracer
from shared.kernel.watching import Watch
from shared.work import repository
from shared.work.models import Work, WorkState
from shared.work.problems import WorkBroken, WorkInterrupted

log = structlog.get_logger("work")

HEARTBEAT = timedelta(seconds=5)
LEASE = timedelta(seconds=30)
"""Work that has not been heard of for this long has lost its process."""
REPORT = timedelta(seconds=1)
"""Progress is written no more often than this."""
MOST_ATTEMPTS = 5
IDLE_SECONDS = 15.0
"""How often the line is looked at without being woken: for leases that ran out, and lost notifications."""


class WorkCancelled(Exception):
    """Somebody cancelled the work: it ends here."""


class WorkLost(Exception):
    """The work's lease ran out and it may be under way elsewhere: it ends here."""


class Handle:
    """What a running piece of work holds; see :class:`~shared.capability.WorkHandle`."""

    def __init__(self, context: NodeContext, work: Work) -> None:
        self.id = work.id
        self.attempt = work.attempt
        self.parameters: Mapping[str, Any] = work.parameters
        held = work.requester_permissions
        self.requester = Requester(
            work.requested_by,
            work.requester_id,
            work.unit_code,
            None if held is None else frozenset(held),
        )
        self.finished = False
        self._context = context
        self._told_at = work.heartbeat_at
        self._progress: dict[str, Any] = {"progress_done": 0}
        self._is_unwanted: bool | None = False

    async def progress(self, done: int, total: int | None = None, unit: str | None = None) -> None:
        """Tell how far the work is.

        Raises:
            WorkCancelled, WorkLost: if it is no longer wanted here.
        """
        told = {"progress_done": done, "progress_total": total, "progress_unit": unit}
        self._progress |= {name: value for name, value in told.items() if value is not None}
        await self.checkpoint()

    async def checkpoint(self) -> None:
        """Go on only if the work is still wanted here.

        Raises:
            WorkCancelled, WorkLost: if it is not.
        """
        now = self._context.clock.now()
        if self._told_at is None or now - self._told_at >= REPORT:
            await self.beat()
        self._require(self._is_unwanted)

    async def finish(self, session: AsyncSession, result: Mapping[str, Any]) -> None:
        """Declare the work done in the transaction of ``session``.

        Raises:
            WorkCancelled, WorkLost: if it is no longer wanted here, so that the transaction is undone.
        """
        self._require(await self.settle(session, WorkState.DONE, result=dict(result)))
        self.finished = True

    async def beat(self) -> None:
        """Renew the lease, write the progress, and learn whether the work is still wanted."""
        now = self._context.clock.now()
        self._told_at = now
        values = {**self._progress, "heartbeat_at": now}
        async with self._context.database.transaction() as session:
            self._is_unwanted = await repository.note(session, self.id, self.attempt, values)

    async def settle(self, session: AsyncSession, state: WorkState, **values: Any) -> bool | None:
        """Note how this attempt ended; tells whether somebody had cancelled it, ``None`` if it is another's now."""
        now = self._context.clock.now()
        ended = {**self._progress, "state": state, "finished_at": now, **values}
        return await repository.note(session, self.id, self.attempt, ended)

    async def give_back(self) -> None:
        """Put the work back into the line: this process ends."""
        async with self._context.database.transaction() as session:
            await repository.note(session, self.id, self.attempt, {"state": WorkState.QUEUED})

    @staticmethod
    def _require(is_unwanted: bool | None) -> None:  # noqa: FBT001 - as the table answers it
        if is_unwanted is None:
            raise WorkLost
        if is_unwanted:
            raise WorkCancelled


class Worker:
    """Does the work of a node, in one process.

    Args:
        context: the node's.
        kinds: what it knows to do; work of other kinds waits.
        tracer: opens a span for each piece.
    """

    def __init__(
        self, context: NodeContext, kinds: Sequence[WorkKind], tracer: Tracer | None = None
    ) -> None:
        self._context = context
        self._kinds = {kind.name: kind for kind in kinds}
        self._tracer = tracer or Tracer()
        self._watches: list[tuple[str, Watch]] = []

    def wake(self, kind: str) -> None:
        """Look at the line of ``kind`` now; at every line if it is empty."""
        for name, watch in self._watches:
            if kind in {"", name}:
                watch.set()

    async def run(self) -> None:
        """Do what there is to do, kind beside kind, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for kind in self._kinds.values():
                for _ in range(kind.at_once):
                    tasks.create_task(self._keep_working(kind.name))
            await asyncio.Event().wait()

    async def _keep_working(self, kind: str) -> None:
        watch = Watch()
        self._watches.append((kind, watch))
        try:
            while True:
                try:
                    while await self.step(kind):
                        pass
                except Exception:
                    log.exception("work cannot be taken; it is tried again", kind=kind)
                await watch.wait(IDLE_SECONDS)
        finally:
            self._watches.remove((kind, watch))

    async def step(self, kind: str) -> bool:
        """Do the next piece of work of a kind, to its end; tells whether there was one."""
        now = self._context.clock.now()
        async with self._context.database.transaction() as session:
            work = await repository.take(session, kind, now=now, lost_before=now - LEASE)
            if work is None:
                return False
            handle = Handle(self._context, work)
            if (end := _end_before_beginning(work)) is not None:
                await handle.settle(session, **end)
                return True
        with (
            self._tracer.span(f"work {kind}") as span,
            structlog.contextvars.bound_contextvars(work=str(handle.id), attempt=handle.attempt),
        ):
            beating = asyncio.create_task(_keep_beating(handle))
            try:
                await self._do(self._kinds[kind], handle)
            except Exception as error:
                span.fail(type(error).__name__)
                raise
            finally:
                beating.cancel()
                await asyncio.gather(beating, return_exceptions=True)
        return True

    async def _do(self, kind: WorkKind, handle: Handle) -> None:
        end: dict[str, Any]
        try:
            result = await kind.run(self._context, handle)
            if handle.finished:
                return
            end = {"state": WorkState.DONE, "result": dict(result or {})}
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):  # the lease runs out anyway
                await handle.give_back()
            raise
        except WorkLost:
            log.warning("the lease of this work ran out; it may be under way again")
            return
        except WorkCancelled:
            end = {"state": WorkState.CANCELLED}
        except Problem as problem:
            end = _failed(problem)
        except Exception as error:
            if is_away(error):
                raise  # taken up again when its lease has run out
            log.exception("work failed")
            end = _failed(WorkBroken(error=type(error).__name__, work=handle.id))
        async with self._context.database.transaction() as session:
            await handle.settle(session, **end)


def _end_before_beginning(work: Work) -> dict[str, Any] | None:
    if work.cancel_requested:
        return {"state": WorkState.CANCELLED}
    if work.attempt > MOST_ATTEMPTS:
        return _failed(WorkInterrupted(attempts=MOST_ATTEMPTS, work=work.id))
    return None


def _failed(problem: Problem) -> dict[str, Any]:
    error = {language.value: problem.as_details(language) for language in Language}
    return {"state": WorkState.FAILED, "error": error}


async def _keep_beating(handle: Handle) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT.total_seconds())
        try:
            await handle.beat()
        except Exception:
            log.exception("the heartbeat of work could not be written")
