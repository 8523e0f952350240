"""What the federation's work is measured and traced by: counters of one process, and spans.

Counters and histograms are of the process that does the work; what the tables say is in
:mod:`shared.federation.metrics`. A message's span belongs to the trace that its origin put into the envelope, at every
node that it comes through, so one trace shows a request's whole way and, since answers go on under the same trace, its
way back.
"""

import contextlib
import time
from collections import Counter as Counts
from collections.abc import Awaitable, Iterator, Sequence

import httpx
import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.arrival import Arrival
from shared.federation.models import InboxState, Lane
from shared.kernel import tracing
from shared.kernel.tracing import Span, SpanKind, TraceContext, Tracer

log = structlog.get_logger("federation.messages")

_ARRIVALS = "federation.telemetry.arrivals"
_EXCHANGE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds. A poll may be held open for up to two minutes."""


class Telemetry:
    """Observes one node's receiver and dialler.

    Args:
        tracer: opens the spans; without it they are not exported.
        registry: where the metrics are; without it nobody reads them.
    """

    def __init__(
        self, tracer: Tracer | None = None, registry: CollectorRegistry | None = None
    ) -> None:
        self._tracer = tracer or Tracer()
        self._received = Counter(
            "guanxi_messages_received",
            "Messages that arrived, by what became of them at once. Counted when that is committed.",
            ("peer", "lane", "outcome"),
            registry=registry,
        )
        self._exchanges = Histogram(
            "guanxi_exchange_duration_seconds",
            "Exchanges with the parent, as the child sees them. A poll waits for something to come.",
            ("operation", "outcome"),
            buckets=_EXCHANGE_BUCKETS,
            registry=registry,
        )

    @contextlib.contextmanager
    def handling(self, row: Arrival) -> Iterator[Span]:
        """Open a span for what this node does with a message, in the message's trace.

        A message without a trace is done in that of the exchange that brought it.
        """
        if not self._tracer.exports and row.traceparent is None:
            yield Span(tracing.current() or TraceContext.new())
            return
        attributes = self._tracer.exports and {
            "messaging.system": "guanxi",
            "messaging.operation.type": "process",
            "messaging.message.id": str(row.message_id),
            "guanxi.message.type": row.type,
            "guanxi.message.origin": row.origin,
            "guanxi.message.destination": row.destination,
            "guanxi.peer": row.peer,
            "guanxi.lane": row.lane,
        }
        with self._tracer.span(
            f"process {row.type}",
            kind=SpanKind.CONSUMER,
            parent=_trace_of(row),
            attributes=attributes or {},
        ) as span:
            yield span

    async def settling(
        self, row: Arrival, work: Awaitable[tuple[InboxState, str | None]]
    ) -> tuple[InboxState, str | None]:
        """Do ``work``, which settles a message and tells what became of it, in a span as :meth:`handling` opens it."""
        with self.handling(row) as span:
            state, reason = await work
            span.describe({"guanxi.message.outcome": state.value})
            if state is InboxState.PARKED:
                span.fail("parked")
            return state, reason

    def received(self, session: AsyncSession, rows: Sequence[Arrival]) -> None:
        """Count and log messages that arrived, once the transaction of ``session`` is committed."""
        info = session.sync_session.info
        if _ARRIVALS not in info:
            info[_ARRIVALS] = []

            def tell(_: object) -> None:
                # Also called when a savepoint is released, which commits nothing.
                if not session.sync_session.in_nested_transaction():
                    self._tell(info.pop(_ARRIVALS, ()))

            event.listen(session.sync_session, "after_commit", tell)
        info[_ARRIVALS].extend(rows)

    def _tell(self, rows: Sequence[Arrival]) -> None:
        for labels, count in Counts((row.peer, row.lane, row.state.value) for row in rows).items():
            self._received.labels(*labels).inc(count)
        for row in rows:
            if row.lane not in {Lane.CONTROL, Lane.REQUEST}:
                continue  # a storm of figures is counted, and not told one by one
            trace = _trace_of(row)
            log.info(
                "message received",
                message_id=str(row.message_id),
                type=row.type,
                origin=row.origin,
                destination=row.destination,
                peer=row.peer,
                lane=row.lane,
                outcome=row.state.value,
                **({"trace_id": trace.trace_id} if trace else {}),
            )

    @contextlib.contextmanager
    def exchange(self, path: str) -> Iterator[None]:
        """Time one exchange with the parent, and open a span for it.

        Args:
            path: where it goes; its last part, such as ``batches`` or ``poll``, names the operation.
        """
        operation = path.rpartition("/")[2]
        outcome = "failed"
        began = time.perf_counter()
        try:
            with self._tracer.span(operation, kind=SpanKind.CLIENT):
                yield
            outcome = "done"
        finally:
            elapsed = time.perf_counter() - began
            self._exchanges.labels(operation, outcome).observe(elapsed)


async def carry_trace(request: httpx.Request) -> None:
    """Tell the called node the trace of the span under way (an httpx request hook)."""
    traceparent = tracing.current_traceparent()
    if traceparent is not None:
        request.headers[tracing.HEADER] = traceparent


def _trace_of(row: Arrival) -> TraceContext | None:
    """Return the trace that a message belongs to, if it says so."""
    return TraceContext.parse(row.traceparent) if row.traceparent else None
