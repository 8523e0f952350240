"""What must be in order before the nodes of a topology are started: nobody else runs them, ports, databases."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from shared.commandline import CommandFailed
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.node.pidfile import NAME as PID_FILE
from shared.node.pidfile import holder, is_open_in
from shared.node.plan import PlannedNode
from shared.node.serve import FINISHING_SECONDS, PortTaken, listen

STOP_SECONDS = FINISHING_SECONDS + 10.0
"""How long a node may take to end, beyond what requests under way may take."""

Say = Callable[[str], None]
"""Tells a person what happens, a sentence at a time."""


@contextlib.asynccontextmanager
async def embedded_server(home: Path) -> AsyncIterator[None]:
    """Use the embedded PostgreSQL as long as the nodes do, so that it ends with them even if they are killed."""
    server = EmbeddedPostgres(home / "postgres")
    await asyncio.to_thread(server.start)
    try:
        yield
    finally:
        await asyncio.to_thread(server.release)


async def end_left_behind(node: PlannedNode, say: Say) -> None:
    """End the process of an earlier run that still runs ``node``, and see that the port is free.

    Raises:
        CommandFailed: if the process does not end, or it cannot be seen that it is the node's.
        PortTaken: if the port is somebody else's.
    """
    file = node.directory / PID_FILE
    process = holder(file)
    if process is None:
        _require_port(node)
        return
    if not is_open_in(file, process):
        raise CommandFailed(
            f"Node {node.name} is running already, as process {process}, and it cannot be seen whether that is ours. Stop it first: kill {process}"
        )
    say(f"Node {node.name} is still running from before, as process {process}: it is ended.")
    for number in (signal.SIGTERM, signal.SIGKILL):
        if holder(file) == process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                # Neither a lock nor a port tells when it becomes free.
                while holder(file) == process or not _has_port(node):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                return
    raise CommandFailed(f"Process {process}, which runs node {node.name}, does not end.")


def _require_port(node: PlannedNode) -> None:
    listen(node.settings()).close()


def _has_port(node: PlannedNode) -> bool:
    try:
        _require_port(node)
    except PortTaken:
        return False
    return True


async def make_database(node: PlannedNode) -> None:
    """Make the database of ``node`` on the server of ``DATABASE_URL``, unless it is there or was named by the topology.

    Raises:
        CommandFailed: if the server cannot be reached or does not allow it.
    """
    if node.server is None:
        return
    name = urlsplit(str(node.values["database_url"])).path.removeprefix("/")
    try:
        connection = await asyncpg.connect(node.server)
        try:
            if not await connection.fetchval(
                "SELECT count(*) FROM pg_database WHERE datname = $1", name
            ):
                with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                    await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        server = urlsplit(node.server)
        raise CommandFailed(
            f"The database {name} of node {node.name} cannot be made on {server.hostname}:{server.port or 5432}: {error}. "
            "Check DATABASE_URL, or name a database for each node in the topology."
        ) from None
