"""Serves a node over HTTP: uvicorn, with as many worker processes as the settings say.

With one worker the process that was started serves by itself. With more it binds the port, starts the workers, puts
a new one in the place of one that dies, and ends them when it is told to end. A worker that has lost it ends by
itself, so that none is left behind holding the port. Every worker makes its own node from the same settings, which
it finds through ``GUANXI_HOME`` and ``GUANXI_NODE`` and the other variables of its environment.

What keeps a node from starting is said in a sentence; a traceback is for mistakes of the program.
"""

import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

import asyncpg
import structlog
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from shared.commandline import CommandFailed, node_settings
from shared.kernel import logging
from shared.kernel.embedded_postgres import EmbeddedPostgresError
from shared.kernel.language import Language
from shared.kernel.migrations import MigrationRefused
from shared.kernel.problems import Problem
from shared.kernel.settings import Settings
from shared.node.pidfile import NAME as PID_FILE
from shared.node.pidfile import held
from shared.node.tiers import composition

FINISHING_SECONDS = 20
"""How long requests under way may take to finish once the node is told to end."""
SILENCE_SECONDS = 30
"""How long a worker may be silent before it counts as hung and is replaced."""
BACKLOG = 2048

log = structlog.get_logger("serve")


class PortTaken(CommandFailed):
    """The node's port cannot be listened on; the message names both."""


def serve(settings: Settings) -> bool:
    """Serve the node of ``settings`` until the process is told to end; tells whether the node could start.

    Raises:
        AlreadyRunning: if another process of this machine runs the node.
        PortTaken: if its port cannot be listened on.
    """
    logging.configure(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    settings.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with held(settings.directory / PID_FILE, f"Node {settings.code}"), listen(settings) as listener:
        host, port = listener.getsockname()[:2]
        log.info("serving", node=settings.code, url=address(host, port), workers=settings.workers)
        config = uvicorn.Config(
            "shared.node.serve:application",
            factory=True,
            workers=settings.workers,
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,  # the logs are ours: shared.kernel.logging
            access_log=False,  # RequestLog tells of requests, with their ids
            server_header=False,
            timeout_graceful_shutdown=FINISHING_SECONDS,
            timeout_worker_healthcheck=SILENCE_SECONDS,
        )
        if settings.workers == 1:
            return _serve_here(config, listener)
        supervisor = Multiprocess(config, sockets=[listener])
        supervisor.run()
        return all(worker.exitcode != STARTUP_FAILURE for worker in supervisor.processes)


def _serve_here(config: uvicorn.Config, listener: socket.socket) -> bool:
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except SystemExit as end:
        return not end.code
    return True


def _end(_signal: int, _frame: object) -> NoReturn:
    """End as asked: before the server listens to signals itself, and after it, when it repeats the one it got."""
    raise SystemExit(0)


def listen(settings: Settings) -> socket.socket:
    """Return a socket bound to the node's address; ``port = 0`` takes a free one.

    Raises:
        PortTaken: if that is not possible.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise PortTaken(
            f"Node {settings.code} cannot listen on {settings.host} port {settings.port}: {os.strerror(error.errno or 0)}. "
            "Stop what uses the port, or give the node another one (--port, GUANXI_PORT)."
        ) from None


def address(host: str, port: int) -> str:
    """Return the base URL of a node that listens there."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def application() -> ASGIApp:
    """Make the node that this process serves; uvicorn calls it in each worker."""
    _end_with_starter()
    settings = node_settings(os.environ["GUANXI_NODE"])
    logging.configure(settings)
    made = _Application(composition(settings.tier)(settings).app, settings)
    gc.freeze()  # what was imported is there to the end: no collection of garbage has to look at it
    return made


def _end_with_starter() -> None:
    starter = multiprocessing.parent_process()
    if starter is None:
        return

    def watch() -> None:
        starter.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-with-starter", daemon=True).start()


class _Application:
    """The node's application, which says in a sentence why it cannot start."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        failures: list[MutableMapping[str, Any]] = []
        try:
            await self._app(scope, receive, _holding_back(failures, send))
        except Exception as error:
            sentence = reason(error, self._settings)
            if sentence is None:
                log.exception("the node failed")
            else:
                log.critical("the node cannot start", node=self._settings.code, reason=sentence)
                sys.stderr.write(f"{sentence}\n")
        for failure in failures:
            await send({"type": failure["type"], "message": ""})


def _holding_back(
    failures: list[MutableMapping[str, Any]], send: Send
) -> Callable[[MutableMapping[str, Any]], Awaitable[None]]:
    """Return a ``send`` that keeps what starlette says of a failure, a traceback, to itself."""

    async def send_unless_failed(message: MutableMapping[str, Any]) -> None:
        if message["type"].endswith(".failed"):
            failures.append(message)
        else:
            await send(message)

    return send_unless_failed


def reason(error: Exception, settings: Settings) -> str | None:
    """Return in a sentence why a node of ``settings`` cannot start; ``None`` if only a programmer can mend it."""
    if isinstance(error, Problem):
        return error.speak(Language.ENGLISH)
    if isinstance(error, EmbeddedPostgresError | MigrationRefused):
        return str(error)
    if (
        isinstance(error, OSError | asyncpg.PostgresError | asyncpg.InterfaceError)
        and settings.database_url
    ):
        server = urlsplit(settings.database_url)
        return (
            f"Node {settings.code} cannot use its database {server.path.removeprefix('/')} at {server.hostname}:{server.port or 5432}: "
            f"{error}. Check `database_url` (GUANXI_DATABASE_URL or DATABASE_URL) and the server."
        )
    return None
