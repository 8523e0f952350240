"""What a city node takes of memory when it has nothing to do."""

import sys
import tempfile
from pathlib import Path

from bench import Benchmark, Result
from bench.processes import clean_environment, free_port, process

LIMIT_MB = 150.0


async def run(quick: bool) -> Result:  # noqa: ARG001, FBT001 - there is nothing to make smaller
    """Start a city node as a process, wait until it is ready, and read its resident set."""
    with tempfile.TemporaryDirectory(prefix="guanxi-bench-") as home:
        port = free_port()
        environment = clean_environment(
            GUANXI_HOME=home, GUANXI_PORT=str(port), GUANXI_LOG_LEVEL="error"
        )
        command = [str(Path(sys.executable).with_name("guanxi")), "node", "run", "--node", "440300"]
        async with process(command, environment, f"http://127.0.0.1:{port}/health/ready") as node:
            return Result(_resident_mb(node.pid), LIMIT_MB)


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
