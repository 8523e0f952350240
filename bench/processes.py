"""Processes that a measurement starts: nodes and their bare counterparts, on free ports of loopback."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import IO, Any

import httpx

READY_SECONDS = 300
"""How long a process may take to answer; many nodes in one take minutes."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(**more: str) -> dict[str, str]:
    """Return this process's environment without anybody's own settings of nodes, and with ``more``."""
    foreign = ("GUANXI_", "DATABASE_URL")
    return {k: v for k, v in os.environ.items() if not k.startswith(foreign)} | more


def uvicorn_command(application: str, port: int, *options: str) -> list[str]:
    """Return the command that serves ``application`` as the program serves a node."""
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port)]
    command += ["--http", "httptools", "--no-access-log", "--no-server-header"]
    return [*command, "--log-level", "warning", *options]


@contextlib.asynccontextmanager
async def process(
    command: Sequence[str],
    environment: Mapping[str, str],
    ready: str,
    *,
    output: IO[Any] | int = asyncio.subprocess.DEVNULL,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``command`` until the URL ``ready`` answers 200, give it, and end it afterwards.

    Args:
        command: program and arguments.
        environment: its environment, whole.
        ready: what it answers with 200 once it can be used.
        output: where its standard output goes, which nobody reads otherwise.

    Raises:
        RuntimeError: if it ends before it is ready.
    """
    started = await asyncio.create_subprocess_exec(*command, env=environment, stdout=output)
    try:
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(READY_SECONDS):
            while not await _answers(client, ready):
                if started.returncode is not None:
                    raise RuntimeError(
                        f"{' '.join(command)} ended with exit code {started.returncode} before it was ready."
                    )
                await asyncio.sleep(0.1)
        yield started
    finally:
        if started.returncode is None:
            started.terminate()
        await started.wait()


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
