"""Structured logs: one line an event, each with the ids of the request or message it belongs to."""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import Processor

from shared.kernel import tracing
from shared.kernel.database import is_away
from shared.kernel.ids import new_id
from shared.kernel.language import preferred_language
from shared.kernel.problems import (
    DatabaseUnavailable,
    InternalError,
    Problem,
    of_breach,
    problem_response,
)
from shared.kernel.settings import Settings
from shared.kernel.tracing import Span, SpanKind, TraceContext, Tracer

LONGEST_REQUEST_ID = 64
TRACEPARENT = tracing.HEADER.encode()
UNLOGGED = ("/health/", "/metrics")
"""What is asked every few seconds and says nothing new: it gets no log line, and no span is exported."""
UNTRACED = Tracer()
UNMATCHED = "unmatched"
SERVER_ERROR = 500


def configure(settings: Settings) -> None:
    """Send the logs of this process to standard output, in the form the settings ask for."""
    render: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=render, foreign_pre_chain=shared)
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


Observe = Callable[[Scope, int, float], None]
"""Is told of each request that ended: its scope, the status of its answer and the seconds it took."""


def _see_nothing(_scope: Scope, _status: int, _seconds: float) -> None:
    """Observe nothing."""


class RequestLog:
    """ASGI middleware: each request gets an id and a span, its end is logged, and what escapes becomes problem details.

    Args:
        app: what serves the requests.
        tracer: opens the requests' spans, within the trace that the header ``traceparent`` names.
        observe: is told of each request.
    """

    def __init__(
        self, app: ASGIApp, tracer: Tracer | None = None, observe: Observe = _see_nothing
    ) -> None:
        self._app = app
        self._tracer = tracer or Tracer()
        self._observe = observe
        self._log = structlog.get_logger("http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = (
            given
            if given.isascii() and given.isprintable() and 0 < len(given) <= LONGEST_REQUEST_ID
            else str(new_id())
        )
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        tracer = UNTRACED if scope["path"].startswith(UNLOGGED) else self._tracer
        with tracer.span(
            scope["method"],
            kind=SpanKind.SERVER,
            parent=TraceContext.parse(headers.get(TRACEPARENT, b"").decode("latin-1")),
            attributes={"http.request.method": scope["method"], "guanxi.request_id": request_id},
        ) as span:
            await self._serve(scope, receive, send, request_id=request_id, span=span)

    def _refusal(
        self, error: Exception, scope: Scope, request_id: str, *, begun: bool
    ) -> tuple[Problem, str | None]:
        """Return what a failure is answered with, and what a trace calls it; a defect is logged with its cause."""
        breach = of_breach(error)
        if breach is not None and not begun:
            return breach, None
        failure = type(error).__name__
        if is_away(error) and not begun:  # no defect: the reason says all
            said = str(error).partition("\n")[0]
            self._log.warning("database unavailable", path=scope["path"], error=said)
            return DatabaseUnavailable(), failure
        self._log.exception("request failed", method=scope["method"], path=scope["path"])
        return InternalError(request_id=request_id), failure

    async def _serve(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        request_id: str,
        span: Span,
    ) -> None:
        status = 0
        failure: str | None = None
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            problem, failure = self._refusal(error, scope, request_id, begun=bool(status))
            if status:
                raise
            spoken = dict(scope["headers"]).get(b"accept-language", b"")
            language = preferred_language(spoken.decode("latin-1"))
            await problem_response(problem, language)(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            route = route_of(scope)
            span.describe(
                {"http.route": route, "http.response.status_code": status},
                name=f"{scope['method']} {route}",
            )
            if status >= SERVER_ERROR:
                span.fail(failure or str(status))
            self._observe(scope, status, seconds)
            if not scope["path"].startswith(UNLOGGED):
                self._log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    milliseconds=round(seconds * 1000, 1),
                )


def route_of(scope: Scope) -> str:
    """Return the template of the route that a request took, such as ``/customers/{customer_id}``.

    What matched no route is one word, so that nobody can make names without end.
    """
    return getattr(scope.get("route"), "path", UNMATCHED)
