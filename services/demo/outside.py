"""The systems outside of the demo: simulators in one process of their own, and what they were asked."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from services.demo.nodes import SIMULATED, SIMULATOR
from shared.commandline import CommandFailed

READY_SECONDS = 60.0
ANSWER_SECONDS = 60.0
PAUSE_SECONDS = 0.1

Called = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outside:
    """The simulators, as the demo speaks to them.

    Attributes:
        client: for their address.
    """

    client: httpx.AsyncClient

    async def lose_answers(self, port: str, *, lost: bool) -> None:
        """Let a system do what it is asked and answer with an error, or well again."""
        faults = {"lost_answer_rate": 1} if lost else {}
        (await self.client.put(f"/{port}/faults", json=faults)).raise_for_status()

    async def called(self, port: str, outcome: str | None = None) -> list[Called]:
        """Return the calls that a system has had, all or those of one outcome."""
        calls: list[Called] = (await self.client.get(f"/{port}/calls")).json()["calls"]
        return [{"port": port, **each} for each in calls if outcome in {None, each["outcome"]}]

    async def await_called(self, port: str, outcome: str) -> None:
        """Wait until a system has had a call with that outcome.

        Raises:
            CommandFailed: if none comes in time.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while not await self.called(port, outcome):  # noqa: ASYNC110 - another process is asked
                    await asyncio.sleep(PAUSE_SECONDS)
        except TimeoutError:
            raise CommandFailed(
                f"The simulated port {port} has had no call ({outcome}) after {ANSWER_SECONDS:.0f} s: `guanxi port list` at a city shows why."
            ) from None

    async def told_of(self, *ports: str) -> list[Called]:
        """Return what several systems were asked since they were started."""
        return [call for port in ports for call in await self.called(port)]


@contextlib.asynccontextmanager
async def simulated(home: Path, url: str, environment: Mapping[str, str]) -> AsyncIterator[Outside]:
    """Run the simulators for as long as the context is open.

    Args:
        home: the demo's home.
        url: where they listen.
        environment: the variables that their process inherits.

    Raises:
        CommandFailed: if they do not start.
    """
    log = home / SIMULATOR / "simulator.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "services.simulator.command", *SIMULATED, "--attended"),
            *("--port", url.rpartition(":")[2], "--data", str(log.parent)),
            env=environment,
            stdin=asyncio.subprocess.PIPE,  # they end when it is closed, however this process ends
            stdout=handle,
            stderr=handle,
            start_new_session=True,  # Ctrl-C is for us
        )
    finally:
        os.close(handle)
    try:
        async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client:
            await _ready(client, process, log)
            yield Outside(client)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _ready(client: httpx.AsyncClient, process: asyncio.subprocess.Process, log: Path) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY_SECONDS):
            while process.returncode is None:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"/{SIMULATED[0]}/faults")).is_success:
                        return
                await asyncio.sleep(PAUSE_SECONDS)
    raise CommandFailed(f"The simulated ports did not start; {log} says why.")


def told(called: Sequence[Called]) -> Iterator[str]:
    """Say what each system was asked and what became of it."""
    for call in called:
        content = ", ".join(f"{name} {value}" for name, value in call["content"].items())
        yield f"  {call['port']} {call['operation']}, {call['outcome']}: {content}"


def counted(called: Sequence[Called]) -> str:
    """Say how often systems were asked, and how often they did something."""
    done = [call for call in called if call["outcome"].startswith("done")]
    return (
        f"{len(called)} calls under {len({call['key'] for call in called})} keys had {len(done)} effects: "
        "an answer was lost on purpose, and the call was made again under its key."
    )
