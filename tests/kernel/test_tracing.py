"""Trace contexts, and the two tracers: both do the same for who uses them."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind as ExportedKind
from opentelemetry.trace import StatusCode

from shared.kernel import tracing
from shared.kernel.settings import Settings
from shared.kernel.span_export import ExportingTracer
from shared.kernel.tracing import SpanKind, TraceContext, Tracer

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{SPAN}-01"


def exporting(**given: object) -> tuple[ExportingTracer, InMemorySpanExporter]:
    settings = Settings(code="440300", trace_export_url="http://127.0.0.1:4318/v1/traces", **given)  # type: ignore[arg-type]
    tracer, kept = ExportingTracer(settings), InMemorySpanExporter()
    tracer.add(SimpleSpanProcessor(kept))
    return tracer, kept


@pytest.fixture(params=["silent", "exporting"])
def tracer(request: pytest.FixtureRequest) -> Iterator[Tracer]:
    made = Tracer() if request.param == "silent" else exporting()[0]
    yield made
    made.close()


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (GIVEN, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"cc-{TRACE}-{SPAN}-01-what-a-later-version-adds", True),
    ],
)
def test_a_trace_context_is_read(header: str, *, sampled: bool) -> None:
    assert TraceContext.parse(header) == TraceContext(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f" {GIVEN}",
        f"{GIVEN}\n",
    ],
)
def test_what_is_no_trace_context_is_ignored(header: str | None) -> None:
    assert TraceContext.parse(header) is None


def test_a_trace_context_is_written_as_it_was_read() -> None:
    assert TraceContext(TRACE, SPAN, sampled=True).traceparent == GIVEN
    begun = TraceContext.new()
    assert TraceContext.parse(begun.traceparent) == begun


def test_a_span_goes_on_in_the_trace_that_it_is_given(tracer: Tracer) -> None:
    with tracer.span("work", parent=TraceContext.parse(GIVEN)) as span:
        assert tracing.current() == span.context
        assert span.context.trace_id == TRACE
        with tracer.span("part of it") as part:
            assert part.context.trace_id == TRACE
        assert tracing.current() == span.context
    assert tracing.current() is None


def test_spans_without_a_parent_are_traces_of_their_own(tracer: Tracer) -> None:
    with tracer.span("one") as one:
        pass
    with tracer.span("other") as other:
        pass
    assert one.context.trace_id != other.context.trace_id
    assert TraceContext.parse(one.context.traceparent) == one.context


def test_a_span_of_another_trace_does_not_belong_to_the_one_around_it(tracer: Tracer) -> None:
    with (
        tracer.span("a batch") as batch,
        tracer.span("a message", parent=TraceContext.parse(GIVEN)),
    ):
        assert batch.context.trace_id != TRACE
        assert tracing.traceparent_within(GIVEN) == tracing.current_traceparent()
        assert tracing.traceparent_within(batch.context.traceparent) == batch.context.traceparent
    assert tracing.traceparent_within(None) is None


def test_log_lines_carry_the_trace_while_it_lasts(tracer: Tracer) -> None:
    lines = structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars])
    with lines as said:
        log = structlog.get_logger()
        with tracer.span("work", parent=TraceContext.parse(GIVEN)):
            log.error("inside")
        log.error("outside")
    assert [line.get("trace_id") for line in said] == [TRACE, None]


def test_an_error_goes_through_and_ends_the_span(tracer: Tracer) -> None:
    with pytest.raises(ZeroDivisionError), tracer.span("work"):
        raise ZeroDivisionError
    assert tracing.current() is None


def test_a_silent_tracer_passes_on_the_span_that_somebody_exports() -> None:
    """The spans of nodes further on hang on it: a span of ours, which nobody sees, would cut them off."""
    with Tracer().span("work", parent=TraceContext.parse(GIVEN)):
        assert tracing.current_traceparent() == GIVEN


def test_what_is_exported_says_what_happened_and_no_words_of_an_error() -> None:
    tracer, kept = exporting()

    def work() -> None:
        with tracer.span(
            "work",
            kind=SpanKind.CONSUMER,
            parent=TraceContext.parse(GIVEN),
            attributes={"guanxi.lane": "request"},
        ) as span:
            span.describe({"guanxi.message.outcome": "parked"}, name="better name")
            raise ValueError("Zhang San's number is wrong")

    with pytest.raises(ValueError, match="Zhang San"):
        work()
    (done,) = kept.get_finished_spans()
    assert done.parent is not None
    assert (done.name, done.kind, done.parent.span_id) == (
        "better name",
        ExportedKind.CONSUMER,
        int(SPAN, 16),
    )
    assert dict(done.attributes or {}) == {
        "guanxi.lane": "request",
        "guanxi.message.outcome": "parked",
        "error.type": "ValueError",
    }
    assert done.status.status_code is StatusCode.ERROR
    assert "Zhang San" not in done.to_json()
    assert done.resource.attributes["service.instance.id"] == "440300"


def test_the_span_around_one_of_another_trace_is_linked() -> None:
    tracer, kept = exporting()
    with (
        tracer.span("a batch") as batch,
        tracer.span("a message", parent=TraceContext.parse(GIVEN)),
    ):
        pass
    message = kept.get_finished_spans()[0]
    assert [f"{link.context.trace_id:032x}" for link in message.links] == [batch.context.trace_id]


def test_the_ratio_chooses_traces_and_what_is_recorded_upstream_is_kept() -> None:
    tracer, kept = exporting(trace_ratio=0)
    with tracer.span("ours") as ours:
        assert not ours.context.sampled
    with tracer.span("unsampled", parent=TraceContext(TRACE, SPAN)):
        pass
    with tracer.span("sampled", parent=TraceContext.parse(GIVEN)):
        pass
    assert [span.name for span in kept.get_finished_spans()] == ["sampled"]
    all_kept, everything = exporting(trace_ratio=1)
    with all_kept.span("begun by a node that exports nothing", parent=TraceContext(TRACE, SPAN)):
        pass
    assert len(everything.get_finished_spans()) == 1


def test_a_node_that_exports_nothing_does_not_load_what_exports() -> None:
    program = (
        "import sys; from services.city_node.app import city_node; from shared.kernel.settings import Settings;"
        "city_node(Settings(code='440300'));"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
