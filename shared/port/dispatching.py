"""Sending calls after their commit: taking the next, asking the port, settling what came of it.

Every port that is on has a few *senders* beside one another, in the process that leads. Each takes the call that is
due longest, if nothing open comes before it in its order, and in one short transaction puts off when it is due next:
until the attempt counts as lost. It asks the port outside of any transaction, and settles the answer in another one.

Times to wait for are kept by the node's clock. When it is set back, nothing waits any more, rather than for as long as
the clock was wrong; a call that is under way then may be made a second time, with its key.

A port that is in trouble is left alone until a time that is kept in memory, so that a node that is started tries at
once, and in a table for people to see; then one call tries it, and the others follow when it answers.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import structlog
from prometheus_client import CollectorRegistry

from shared.capability import NodeContext
from shared.kernel.backoff import LONGEST_BACKOFF, SHORTEST_BACKOFF, backoff
from shared.kernel.database import is_away
from shared.kernel.tracing import SpanKind, Tracer
from shared.kernel.watching import Watch
from shared.port import repository
from shared.port.declaration import Call, Effect, Port
from shared.port.metrics import Attempts
from shared.port.models import CallState, PortCall
from shared.port.sending import Answered, Declined, Failed, Outcome, Sender
from shared.port.service import is_on

log = structlog.get_logger("port")

GRACE = timedelta(seconds=5)
"""So long after its timeout an attempt counts as lost: the process that made it has died."""
TOLERATED = 10
"""So many attempts may fail one after the other before the port, rather than the calls, counts as in trouble."""
SET_BACK = timedelta(seconds=5)
"""So far back the clock of a machine is not moved without being set."""
IDLE_SECONDS = 30.0
"""How often a queue is looked at without being woken, should a notification ever be lost."""
FAILED_SECONDS = 1.0


@dataclass(slots=True)
class _Standing:
    """How this process has found a port to be."""

    failures: int = 0
    """Attempts since the last answer."""
    retry_at: datetime | None = None
    """The port is in trouble and left alone until then."""
    is_tried: bool = False
    """A call tries whether it answers again."""
    is_noted: bool = True
    """The table may say that it is in trouble: this process has not looked yet, or has noted it."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A call that was taken from the queue."""

    id: UUID
    cause: UUID
    number: int
    effect: Effect[Any, Any]
    content_cipher: bytes


class Dispatcher:
    """Sends the calls of a node, in one process.

    Args:
        context: the node's.
        offers: what the node's capabilities offer; the effects among it are known, calls of others wait.
        tracer: opens a span for each attempt.
        registry: where attempts are counted.
        transport: how HTTP is carried; the network without it.
        chance: draws the jitter, from 0 to 1.
    """

    def __init__(
        self,
        context: NodeContext,
        offers: Iterable[object],
        *,
        tracer: Tracer | None = None,
        registry: CollectorRegistry | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._context = context
        self._effects = {each.name: each for each in offers if isinstance(each, Effect)}
        self._tracer = tracer or Tracer()
        self._attempts = Attempts(registry)
        self._sender = Sender(context.settings, transport)
        self._chance = chance
        ports = {effect.port.name: effect.port for effect in self._effects.values()}
        self.ports = [port for port in ports.values() if is_on(context, port)]
        self._standing = {port.name: _Standing() for port in self.ports}
        self._watches: list[tuple[str, Watch]] = []
        self._latest: datetime | None = None

    async def close(self) -> None:
        """Hang up."""
        await self._sender.close()

    def wake(self, port: str) -> None:
        """Look at the queue of ``port`` now; at every queue if it is empty."""
        for name, watch in self._watches:
            if port in {"", name}:
                watch.set()

    async def run(self) -> None:
        """Send what there is to send, until cancelled."""
        now = self._context.clock.now()
        longest = now + timedelta(seconds=LONGEST_BACKOFF)
        async with self._context.database.transaction() as session:
            await repository.clear_troubles(session)
            await repository.wait_no_longer(session, beyond=longest, now=now)
        async with asyncio.TaskGroup() as tasks:
            for port in self.ports:
                for _ in range(self._context.settings.port_calls_at_once):
                    tasks.create_task(self._keep_sending(port))
            await asyncio.Event().wait()

    async def _keep_sending(self, port: Port) -> None:
        watch = Watch()
        self._watches.append((port.name, watch))
        try:
            while True:
                try:
                    while await self.step(port):
                        pass
                    pause = await self._pause(port)
                except Exception:
                    log.exception(
                        "calls of a port cannot be sent; it is tried again", port=port.name
                    )
                    pause = FAILED_SECONDS
                await watch.wait(pause)
        finally:
            self._watches.remove((port.name, watch))

    async def _pause(self, port: Port) -> float:
        """Return for how many seconds there is nothing to do for a port."""
        now = self._context.clock.now()
        standing = self._standing[port.name]
        if standing.is_tried:
            return IDLE_SECONDS  # whoever tries wakes the others
        due = standing.retry_at
        if due is None or due <= now:
            async with self._context.database.transaction() as session:
                due = await repository.next_due(session, port.name, self._effects)
                is_later = due is not None and due > now
                if is_later and await repository.wait_for_no_clock(session, port.name, now=now):
                    return 0.0
        seconds = IDLE_SECONDS if due is None else (due - now).total_seconds()
        return min(max(seconds, 0.05), IDLE_SECONDS)

    async def step(self, port: Port) -> bool:
        """Make one attempt at the next call of a port; tells whether there was one."""
        now = await self._now()
        standing = self._standing[port.name]
        is_trial = standing.retry_at is not None
        if is_trial and (standing.is_tried or not _has_come(standing.retry_at, now)):
            return False
        standing.is_tried = is_trial
        try:
            attempt = await self._take(port, now)
            if attempt is None:
                return False
            outcome = await self._make(attempt, now)
            await self._settle(attempt, outcome)
        finally:
            if is_trial:
                standing.is_tried = False
        return True

    async def _now(self) -> datetime:
        """Read the clock, and let nothing wait any more if it was set back."""
        now = self._context.clock.now()
        latest, self._latest = self._latest, now
        if latest is not None and latest - now > SET_BACK:
            for standing in self._standing.values():
                standing.retry_at = None
            async with self._context.database.transaction() as session:
                await repository.wait_no_longer(session, beyond=now, now=now)
        return now

    async def _take(self, port: Port, now: datetime) -> _Attempt | None:
        lost_at = now + timedelta(seconds=port.timeout) + GRACE
        async with self._context.database.transaction() as session:
            row = await repository.take(session, port.name, self._effects, now=now, lost_at=lost_at)
            if row is None or row.content_cipher is None:
                return None
            effect = self._effects[row.effect]
            return _Attempt(row.id, row.cause_id, row.attempts, effect, row.content_cipher)

    async def _make(self, attempt: _Attempt, now: datetime) -> Outcome:
        operation = attempt.effect.operation
        began = time.perf_counter()
        outcome: Outcome = Failed("It was broken off.")
        with self._tracer.span(
            f"port {operation.port.name} {operation.name}", kind=SpanKind.CLIENT
        ) as span:
            try:
                content = self._context.cipher.decrypt(attempt.content_cipher).encode()
                outcome = await self._sender.send(operation, str(attempt.id), content, now=now)
            except asyncio.CancelledError:
                with contextlib.suppress(Exception):  # it counts as lost in a moment anyway
                    await self._give_back(attempt)
                raise
            except Exception as error:
                log.exception(
                    "call of a port failed for an unexpected reason", call=str(attempt.id)
                )
                outcome = Failed(f"{type(error).__name__}: see the node's log.")
            finally:
                name = type(outcome).__name__.lower()
                if not isinstance(outcome, Answered):
                    span.fail(name)
                seconds = time.perf_counter() - began
                self._attempts.observe(operation.port.name, operation.name, name, seconds)
        return outcome

    async def _give_back(self, attempt: _Attempt) -> None:
        now = self._context.clock.now()
        async with self._context.database.transaction() as session:
            await repository.give_back(session, attempt.id, attempt.number, now=now)

    async def _settle(self, attempt: _Attempt, outcome: Outcome) -> None:
        if not isinstance(outcome, Failed):
            await self._note_answer(attempt.effect.port)
            try:
                await self._end(attempt, outcome)
            except Exception as error:
                if is_away(error):
                    raise  # asked for again when the attempt counts as lost
                log.exception("what follows a call of a port failed", call=str(attempt.id))
                failed = Failed(f"What was to follow failed here: {type(error).__name__}.")
                await self._put_off(attempt, failed, None)
            return
        log.warning(
            "call of a port failed; it is tried again",
            port=attempt.effect.port.name,
            call=str(attempt.id),
            attempt=attempt.number,
            error=outcome.error,
        )
        await self._put_off(attempt, outcome, await self._note_failure(attempt, outcome))

    async def _end(self, attempt: _Attempt, outcome: Answered | Declined) -> None:
        """End a call, or hand it over, in one transaction with what follows."""
        now = self._context.clock.now()
        async with self._context.database.transaction() as session:
            row = await repository.lock(session, attempt.id)
            if row is None or row.content_cipher is None:
                return
            if not _is_under_way(row, attempt, outcome):
                return
            effect = attempt.effect
            content = self._context.cipher.decrypt(row.content_cipher)
            asked = effect.operation.request.model_validate_json(content)
            call = Call(attempt.id, attempt.cause, asked, now)
            match outcome:
                case Answered(answer):
                    row.answer, row.last_error = answer.model_dump(mode="json"), None
                    _close(row, CallState.DONE, now)
                    if effect.done is not None:
                        await effect.done(self._context, session, call, answer)
                case Declined(refusal):
                    is_settled = effect.refused is not None and await effect.refused(
                        self._context, session, call, refusal
                    )
                    row.refusal, row.last_error = asdict(refusal), f"Refused: {refusal.title}"
                    if is_settled:
                        _close(row, CallState.REFUSED, now)
                    else:
                        _hand_over(row)

    async def _put_off(self, attempt: _Attempt, failed: Failed, port_at: datetime | None) -> None:
        """Let a call be tried again: with its port, or by its own count of attempts."""
        now = self._context.clock.now()
        seconds = failed.retry_after
        if seconds is None:
            seconds = backoff(attempt.number - 1, self._chance())
        async with self._context.database.transaction() as session:
            row = await repository.lock(session, attempt.id)
            if row is not None and _is_under_way(row, attempt, failed):
                row.due_at = port_at or now + timedelta(seconds=seconds)
                row.last_error = failed.error

    async def _note_failure(self, attempt: _Attempt, failed: Failed) -> datetime | None:
        """Count a failure; returns until when the port is left alone, if it is the port that is in trouble."""
        port, now = attempt.effect.port.name, self._context.clock.now()
        standing = self._standing[port]
        standing.failures += 1
        if failed.longest is None and standing.failures <= TOLERATED:
            return None
        seconds = failed.retry_after
        if seconds is None:
            doubling = standing.failures - 1 - (0 if failed.longest else TOLERATED)
            longest = failed.longest or LONGEST_BACKOFF
            seconds = backoff(max(doubling, 0), self._chance(), longest)
        standing.retry_at = now + timedelta(seconds=max(seconds, SHORTEST_BACKOFF / 4))
        standing.is_noted = True
        async with self._context.database.transaction() as session:
            await repository.note_trouble(
                session,
                port,
                failures=standing.failures,
                retry_at=standing.retry_at,
                error=failed.error,
                now=now,
            )
        return standing.retry_at

    async def _note_answer(self, port: Port) -> None:
        """Take note that a port answers: what waits for it goes on."""
        standing = self._standing[port.name]
        standing.failures, standing.retry_at = 0, None
        if standing.is_noted:
            standing.is_noted = False
            async with self._context.database.transaction() as session:
                await repository.clear_trouble(session, port.name)
            self.wake(port.name)


def _has_come(moment: datetime | None, now: datetime) -> bool:
    """Tell whether ``moment`` has come; one that is further off than it is ever set was set by another clock."""
    return moment is None or moment <= now or moment - now > timedelta(hours=2)


def _is_under_way(row: PortCall, attempt: _Attempt, outcome: Outcome) -> bool:
    """Tell whether an outcome still counts: of an attempt that was thought lost only that it was done."""
    if row.state != CallState.WAITING:
        return False
    return row.attempts == attempt.number or isinstance(outcome, Answered)


def _close(row: PortCall, state: CallState, now: datetime) -> None:
    row.state, row.ended_at = state, now
    row.due_at = row.content_cipher = None


def _hand_over(row: PortCall) -> None:
    row.state, row.due_at = CallState.HANDED_OVER, None
    log.error(
        "call of a port refused; a person has to decide",
        port=row.port,
        call=str(row.id),
        effect=row.effect,
        refusal=row.last_error,
    )
