"""The systems outside of the chaos nation: simulated ports, in a process that can be killed."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from services.simulator.faults import Faults
from tests.chaos.schedule import PORTS

LOOK_SECONDS = 0.1
PATIENCE = 5.0
READY_SECONDS = 60.0


class Outside:
    """The process of the simulators.

    Args:
        home: where their journals and their log are.
        port: where they listen.
    """

    def __init__(self, home: Path, port: int) -> None:
        self._home = home
        self._port = port
        self._process: asyncio.subprocess.Process | None = None
        self._client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE
        )

    @property
    def url(self) -> str:
        """Where they are, each under its name."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start them, and wait until they answer."""
        self._home.mkdir(exist_ok=True)
        with (self._home / "simulators.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.simulator.command", *PORTS),
                *("--port", str(self._port), "--data", str(self._home)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(os.environ),
                start_new_session=True,  # Ctrl-C is for the harness
            )
        async with asyncio.timeout(READY_SECONDS):
            await self._ask("GET", f"/{PORTS[0]}/faults")

    async def kill(self) -> None:
        """Kill them; what they have done is in their journals."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    async def stop(self) -> None:
        """End them for good."""
        await self.kill()
        await self._client.aclose()

    async def switch(self, port: str, faults: Faults) -> None:
        """Let a port fail so from now on, or not any more."""
        await self._ask("PUT", f"/{port}/faults", json=faults.model_dump())

    async def effects(self, port: str) -> AsyncIterator[dict[str, Any]]:
        """Give everything that a port has done, in order."""
        after: int | None = 0
        while after is not None:
            page = await self._ask("GET", f"/{port}/effects", params={"after": after})
            for effect in page["effects"]:
                yield effect
            after = page["next"]

    async def _ask(self, method: str, path: str, **how: Any) -> Any:
        """Ask until there is an answer: they may just be killed."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await self._client.request(method, path, **how)
                return answer.raise_for_status().json()
            await asyncio.sleep(LOOK_SECONDS)
