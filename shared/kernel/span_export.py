"""Spans for a collector: OpenTelemetry over OTLP/HTTP.

Imported only by a node whose settings name a collector, because the libraries are large. Nothing here is
OpenTelemetry's global state: each node has a provider of its own, so that the nodes of one process do not mix.

Which traces are kept follows from the trace id and one ratio, so that nodes with the same ratio keep the same
traces whole; a trace that is recorded upstream is always kept. A collector that is away costs spans and nothing else.
"""

from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from shared.kernel import tracing
from shared.kernel.settings import Settings
from shared.kernel.tracing import Attributes, Span, SpanKind, TraceContext, Tracer

EXPORT_SECONDS = 5.0
"""How long one export may take, and so how long a node may take longer to end while its collector is away."""

_KINDS = {kind: trace.SpanKind[kind.name] for kind in SpanKind}


class _ExportedSpan(Span):
    """A span that the collector will get."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        context = span.get_span_context()
        super().__init__(
            TraceContext(
                trace.format_trace_id(context.trace_id),
                trace.format_span_id(context.span_id),
                context.trace_flags.sampled,
            )
        )

    def describe(self, attributes: Attributes, *, name: str | None = None) -> None:
        self._span.set_attributes(dict(attributes))
        if name is not None:
            self._span.update_name(name)

    def fail(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(trace.StatusCode.ERROR)

    def end(self) -> None:
        self._span.end()


class ExportingTracer(Tracer):
    """Opens the spans of one node and exports them to its collector.

    Args:
        settings: the node's, with ``trace_export_url``.
    """

    exports = True

    def __init__(self, settings: Settings) -> None:
        self._url = settings.trace_export_url
        by_id = TraceIdRatioBased(settings.trace_ratio)
        self._provider = TracerProvider(
            sampler=ParentBased(
                by_id, remote_parent_not_sampled=by_id, local_parent_not_sampled=by_id
            ),
            resource=Resource(
                {
                    "service.name": "guanxi",
                    "service.instance.id": settings.code,
                    "guanxi.tier": settings.tier.value,
                }
            ),
            shutdown_on_exit=False,
        )
        self._tracer = self._provider.get_tracer("guanxi")

    def _begin(
        self,
        name: str,
        kind: SpanKind,
        parent: TraceContext | None,
        attributes: Mapping[str, Any],
    ) -> Span:
        around = tracing.current()
        above = parent or around
        # The handling of a message belongs to the message's trace; the batch that brought it is only linked.
        links = (
            [trace.Link(_as_remote(around))]
            if around and parent and around.trace_id != parent.trace_id
            else None
        )
        span = self._tracer.start_span(
            name,
            trace.set_span_in_context(NonRecordingSpan(_as_remote(above))) if above else None,
            _KINDS[kind],
            attributes,
            links,
        )
        return _ExportedSpan(span)

    def add(self, processor: SpanProcessor) -> None:
        """Give every span that ends from now on to ``processor`` as well."""
        self._provider.add_span_processor(processor)

    def start(self) -> None:
        """Begin to export, from a thread of its own."""
        self.add(BatchSpanProcessor(OTLPSpanExporter(endpoint=self._url, timeout=EXPORT_SECONDS)))

    def close(self) -> None:
        """Export what is left, within :data:`EXPORT_SECONDS`, and end."""
        self._provider.shutdown()


def _as_remote(context: TraceContext) -> SpanContext:
    return SpanContext(
        int(context.trace_id, 16),
        int(context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT),
    )
