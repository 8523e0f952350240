"""Structured logs: one line an event, each with the ids of the request or message it belongs to."""

import logging
import sys
import time
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import Processor

from shared.kernel.database import is_away
from shared.kernel.ids import new_id
from shared.kernel.language import preferred_language
from shared.kernel.problems import DatabaseUnavailable, InternalError, Problem, problem_response
from shared.kernel.settings import Settings

LONGEST_REQUEST_ID = 64


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


class RequestLog:
    """ASGI middleware: gives each request an id, logs its end, and turns what escapes into problem details."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = structlog.get_logger("http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = (
            given
            if given.isascii() and given.isprintable() and 0 < len(given) <= LONGEST_REQUEST_ID
            else str(new_id())
        )
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status = 0
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
            self._log.exception("request failed", method=scope["method"], path=scope["path"])
            if status:
                raise
            problem: Problem = (
                DatabaseUnavailable() if is_away(error) else InternalError(request_id=request_id)
            )
            language = preferred_language(headers.get(b"accept-language", b"").decode("latin-1"))
            await problem_response(problem, language)(scope, receive, send_with_id)
        finally:
            if not scope["path"].startswith("/health/"):
                self._log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    milliseconds=round((time.perf_counter() - started) * 1000, 1),
                )
