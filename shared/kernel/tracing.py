"""Traces: what belongs to one request, at whichever node it is done, carries one id.

A *trace context* (W3C Trace Context) names a trace and the span of it that is under way. It comes in the header
``traceparent``, goes out in the ``traceparent`` of messages, and stands in each log line as ``trace_id``. A *span* is
one piece of work in a trace.

A :class:`Tracer` opens spans. This one keeps the context and nothing else: it passes on the one that it is given, so
that the spans of nodes that do export hang together across it, and begins a trace where there is none. The one that
exports (:mod:`shared.kernel.span_export`) is imported only where the settings name a receiver.

What a span says of a request are names, codes and types: no path, no query and no message of an exception, which may
hold personal data.
"""

import contextlib
import re
import secrets
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog

HEADER = "traceparent"

_FORM = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?",
    re.ASCII,
)
_SAMPLED = 0x01

Attributes = Mapping[str, str | int]


class SpanKind(StrEnum):
    """Which side of an exchange a span is, in OpenTelemetry's words."""

    SERVER = "server"
    CLIENT = "client"
    CONSUMER = "consumer"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A trace and the span of it that is under way.

    Attributes:
        trace_id: 32 hexadecimal digits, not all zero.
        span_id: 16 hexadecimal digits, not all zero.
        sampled: whether somebody upstream records the trace.
    """

    trace_id: str
    span_id: str
    sampled: bool = False

    @classmethod
    def new(cls) -> "TraceContext":
        """Begin a trace."""
        return cls(secrets.token_hex(16), secrets.token_hex(8))

    @classmethod
    def parse(cls, traceparent: str | None) -> "TraceContext | None":
        """Read a ``traceparent`` (W3C Trace Context, section 3.2); ``None`` if it is missing or not valid."""
        found = _FORM.fullmatch(traceparent or "")
        if (
            found is None
            or (found["version"] == "00" and found["more"])  # only a later version may say more
            or not int(found["trace"], 16)
            or not int(found["span"], 16)
        ):
            return None
        return cls(found["trace"], found["span"], bool(int(found["flags"], 16) & _SAMPLED))

    @property
    def traceparent(self) -> str:
        """The context as it is sent."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"


_current: ContextVar[TraceContext | None] = ContextVar("trace_context", default=None)


def current() -> TraceContext | None:
    """Return the context of the span that is under way in this task, if there is one."""
    return _current.get()


def current_traceparent() -> str | None:
    """Return the ``traceparent`` to send on, if a span is under way."""
    context = _current.get()
    return context.traceparent if context else None


def traceparent_within(given: str | None) -> str | None:
    """Return the ``traceparent`` of the span under way if that is of the trace of ``given``; otherwise ``given``."""
    context, wanted = _current.get(), TraceContext.parse(given)
    if context and wanted and context.trace_id == wanted.trace_id:
        return context.traceparent
    return given


class Span:
    """A piece of work in a trace, of which nothing is kept but its context."""

    def __init__(self, context: TraceContext) -> None:
        self.context = context

    def describe(self, attributes: Attributes, *, name: str | None = None) -> None:
        """Add what became known on the way, and the name if it is a better one than at the beginning."""

    def fail(self, kind: str) -> None:
        """Note that the work failed, and by what kind of error."""

    def end(self) -> None:
        """Note that the work is over."""


class Tracer:
    """Opens the spans of one node, and exports none of them."""

    exports = False
    """Whether anybody reads what spans say."""

    @contextlib.contextmanager
    def span(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: TraceContext | None = None,
        attributes: Attributes | None = None,
    ) -> Iterator[Span]:
        """Open a span for the work of the block, and bind its ``trace_id`` to the block's log lines.

        Args:
            name: what is done; of few kinds, such as ``POST /customers/{customer_id}``.
            kind: which side of an exchange it is.
            parent: what it belongs to; the span under way, or a new trace, without it.
            attributes: what is known about it.
        """
        span = self._begin(name, kind, parent, attributes or {})
        token = _current.set(span.context)
        try:
            with structlog.contextvars.bound_contextvars(trace_id=span.context.trace_id):
                yield span
        except BaseException as error:
            span.fail(type(error).__name__)
            raise
        finally:
            _current.reset(token)
            span.end()

    def _begin(
        self,
        name: str,  # noqa: ARG002 - for those who export
        kind: SpanKind,  # noqa: ARG002
        parent: TraceContext | None,
        attributes: Mapping[str, Any],  # noqa: ARG002
    ) -> Span:
        return Span(parent or current() or TraceContext.new())

    def start(self) -> None:
        """Begin to export."""

    def close(self) -> None:
        """Export what is left and end; may take some seconds."""
