"""What a city node takes of memory when it has nothing to do."""

import asyncio
import os
import socket
import sys
import tempfile
from pathlib import Path

import httpx

from bench import Benchmark, Result

LIMIT_MB = 150.0


async def run(quick: bool) -> Result:  # noqa: ARG001, FBT001 - there is nothing to make smaller
    """Start a city node as a process, wait until it is ready, and read its resident set."""
    with tempfile.TemporaryDirectory(prefix="guanxi-bench-") as home, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GUANXI_")},
            "GUANXI_HOME": home,
            "GUANXI_PORT": str(port),
            "GUANXI_LOG_LEVEL": "error",
        }
        command = [str(Path(sys.executable).with_name("guanxi")), "node", "run", "--node", "440300"]
        node = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            await _until_ready(node, f"http://127.0.0.1:{port}/health/ready")
            return Result(_resident_mb(node.pid), LIMIT_MB)
        finally:
            if node.returncode is None:
                node.terminate()
            await node.wait()


async def _until_ready(node: asyncio.subprocess.Process, url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(60):
        while node.returncode is None:
            try:
                if (await client.get(url)).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.2)
    raise RuntimeError(f"The node ended with exit code {node.returncode} before it was ready.")


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


BENCHMARK = Benchmark(
    name="node-memory",
    summary="resident memory of a city node at rest, against 150 MB",
    unit="MB",
    target=1.0,
    run=run,
    smaller_is_better=True,
)
