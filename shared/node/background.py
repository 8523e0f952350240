"""What a node does besides answering: scheduled work and dialling, in exactly one of its processes at a time.

Every process asks for the same PostgreSQL advisory lock; the one that has it leads. The lock lives as long as its
connection, so when the leader dies, however it dies, another takes over within seconds. A node that was restored from a
backup dials first, and works once it knows again what it had done. APScheduler is the clock
alone: what is due is decided by the tables, so a job that was interrupted is simply run again. Long work that somebody
asked for (:mod:`shared.work`) is done beside it, and so is what ports are asked (:mod:`shared.port`).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import asyncpg
import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from shared.capability import Capability, Daily, Every, Job, NodeContext
from shared.federation import evidence, forgetting, verification
from shared.federation import repository as federation
from shared.federation.dialling import Dialling
from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.idempotency import forget_old_keys
from shared.kernel.language import Text
from shared.kernel.tracing import Tracer
from shared.node.job_record import note_run
from shared.port.dispatching import Dispatcher
from shared.work.running import Worker

log = structlog.get_logger("background")

LEADER_LOCK = 0x6C6561646572
"""Key of the advisory lock of the leading process: ``leader`` in ASCII."""
RETRY_SECONDS = 2.0
OUTBOX_RETENTION = timedelta(days=30)
PORTION = 10_000
CHECKED_AGAIN = timedelta(hours=26)
"""The signatures of so long are checked once a day: nothing is left out when one day's run is late."""


async def _tidy(context: NodeContext, now: datetime) -> None:
    async with context.database.transaction() as session:
        await forget_old_keys(session, now=now)
        await federation.forget_nonces(session, now=now)
        await forgetting.forget_acknowledged(session, before=now - OUTBOX_RETENTION)
    before = now - timedelta(days=context.settings.inbox_retention_days)
    while True:
        async with (
            context.database.transaction() as session
        ):  # each portion by itself: no long locks
            if await forgetting.forget_settled(session, before=before, most=PORTION) < PORTION:
                break


TIDY = Job(
    "tidy",
    Text(
        "Forget used nonces, old idempotency keys and acknowledged messages",
        "清理过期的随机数、幂等键与已确认消息",
    ),
    Every(timedelta(hours=1)),
    _tidy,
)


async def _tell_heads(context: NodeContext, now: datetime) -> None:
    async with context.database.transaction() as session:
        await evidence.tell_parent(session, context.post, now=now)


HEADS = Job(
    "exchange-heads",
    Text(
        "Tell the parent where each lane stands, and keep its word for it",
        "与上级互换各通道的链头，留作证据",
    ),
    Daily("00:20"),
    _tell_heads,
)


class EvidenceBroken(Exception):
    """What neighbours have sent does not carry their signatures."""


async def _check_arrivals(context: NodeContext, now: datetime) -> None:
    async with context.database.transaction() as session:
        found = await verification.false_arrivals(session, since=now - CHECKED_AGAIN)
    if found:
        first = found[0]
        raise EvidenceBroken(
            f"{len(found)} messages of neighbours do not carry their signatures, the first {first.number} of lane "
            f"{first.lane} from {first.peer}: `guanxi federation verify` names them all."
        )


CHECK = Job(
    "check-signatures",
    Text(
        "Check the signatures of what neighbours have sent, beside their word for whole batches",
        "逐条核验相邻节点当日所发消息的签名",
    ),
    Daily("01:40"),
    _check_arrivals,
)


class Background:
    """The scheduled work and the dialling of one process.

    Args:
        context: the node's.
        capabilities: whose jobs are to be done.
        dialling: the way to the parent.
        tracer: opens a span for each run of a job, so that what a job posts can be followed.
        dispatcher: sends the calls of ports.
    """

    def __init__(
        self,
        context: NodeContext,
        capabilities: Sequence[Capability],
        dialling: Dialling,
        tracer: Tracer | None = None,
        dispatcher: Dispatcher | None = None,
    ) -> None:
        self._context = context
        self._dialling = dialling
        self.dispatcher = dispatcher or Dispatcher(context, ())
        self._tracer = tracer or Tracer()
        self.jobs = {job.name: job for capability in capabilities for job in capability.jobs} | {
            job.name: job for job in (TIDY, HEADS, CHECK)
        }
        kinds = [kind for capability in capabilities for kind in capability.works]
        self.worker = Worker(context, kinds, self._tracer)

    async def run(self) -> None:
        """Lead whenever no other process does, until cancelled."""
        while True:
            try:
                async with self._leadership() as lost:
                    await self._lead(lost)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("cannot ask for leadership", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def run_job(self, name: str) -> None:
        """Do one job now, and note how it went. What goes wrong is logged; the job comes again at its time."""
        job = self.jobs[name]
        now = self._context.clock.now()
        began = time.perf_counter()
        succeeded = False
        with (
            self._tracer.span(f"job {name}") as span,
            structlog.contextvars.bound_contextvars(job=name),
        ):
            try:
                await job.run(self._context, now)
                succeeded = True
            except Exception as error:
                log.exception("job failed; it will be run again at its next time")
                span.fail(type(error).__name__)
            seconds = time.perf_counter() - began
            try:
                async with self._context.database.transaction() as session:
                    await note_run(session, name, began=now, seconds=seconds, succeeded=succeeded)
            except Exception:
                log.exception("how the job went could not be noted")

    @contextlib.asynccontextmanager
    async def _leadership(self) -> AsyncIterator[asyncio.Event]:
        """Wait for the lock and hold it; gives an event that is set when the connection, and so the lock, is lost."""
        connection = await asyncpg.connect(self._context.database.url)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", LEADER_LOCK)
            yield lost
        finally:
            connection.terminate()

    async def _lead(self, lost: asyncio.Event) -> None:
        log.info("this process leads: it runs the jobs and dials the parent")
        scheduler = AsyncIOScheduler(
            timezone=BUSINESS_ZONE,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600},
        )
        for job in self.jobs.values():
            scheduler.add_job(self._run_due, self._trigger(job), args=[job.name], id=job.name)
        scheduler.start()
        losing = asyncio.create_task(lost.wait())
        running: dict[asyncio.Task[None], str] = {
            asyncio.create_task(self._dialling.run()): "dialling",
            asyncio.create_task(self._once_recalled(self.worker.run)): "long work",
            asyncio.create_task(self._once_recalled(self.dispatcher.run)): "calls of ports",
        }
        try:
            await asyncio.wait({losing, *running}, return_when=asyncio.FIRST_COMPLETED)
            for task, what in running.items():
                if task.done():
                    log.error("work ended; it begins again", what=what, exc_info=task.exception())
            if losing.done():
                log.warning("the connection that holds leadership was lost")
        finally:
            scheduler.shutdown(wait=False)
            for each in (losing, *running):
                each.cancel()
            await asyncio.gather(losing, *running, return_exceptions=True)

    async def _run_due(self, name: str) -> None:
        await self._once_recalled(lambda: self.run_job(name))

    async def _once_recalled(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work as soon as the node knows again what it had done: after a restore it dials first."""
        await self._context.high_water.wait()
        await work()

    def _trigger(self, job: Job) -> CronTrigger | IntervalTrigger:
        if isinstance(job.schedule, Every):
            return IntervalTrigger(
                seconds=job.schedule.interval.total_seconds(), timezone=BUSINESS_ZONE
            )
        return _daily(job.schedule, self._context)


def _daily(schedule: Daily, context: NodeContext) -> CronTrigger:
    at = getattr(context.settings, schedule.setting) if schedule.setting else schedule.at
    hour, _, minute = str(at).partition(":")
    return CronTrigger(hour=int(hour), minute=int(minute), timezone=BUSINESS_ZONE)
