"""Exporting all customers to CSV and to Parquet, against ``COPY (SELECT ...) TO STDOUT`` of the same columns.

The ceiling is PostgreSQL's own CSV, written to a file as it comes. The export checks each customer's unit, counts
first, keeps formulas out of spreadsheets, and makes typed, compressed columns for Parquet. The slower of both counts.
"""

import asyncio
import json
import sys
import tempfile
from statistics import median

from bench import Benchmark, Result
from bench.city import CITY
from bench.processes import clean_environment

ROWS, ROWS_QUICK = 1_000_000, 100_000
ROUNDS = 3
MOST_MB = 300.0


async def _run(environment: dict[str, str], *command: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, command
    return output


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Make a city, and let a process of its own export it."""
    rows = ROWS_QUICK if quick else ROWS
    with tempfile.TemporaryDirectory(prefix="guanxi-bench-") as home:
        environment = clean_environment(GUANXI_HOME=home, GUANXI_LOG_LEVEL="error")
        make = ["generate", "city", "--node", CITY, "--customers", str(rows)]
        few = ["--months", "1", "--no-usage", "--json"]
        await _run(environment, "-m", "shared.node.command", *make, *few)
        told = json.loads(await _run(environment, "-m", "bench.export_host", home, str(ROUNDS)))
    assert told["rows"] == rows
    assert told["peak_mb"] < MOST_MB, told["peak_mb"]
    speed = {way: rows / median(seconds) for way, seconds in told["seconds"].items()}
    return Result(
        min(speed["csv"], speed["parquet"]),
        speed["copy"],
        {"csv": speed["csv"], "parquet": speed["parquet"], "peak MB": told["peak_mb"]},
    )


BENCHMARK = Benchmark(
    name="export-customers",
    summary="export of all customers to CSV and Parquet, against COPY TO STDOUT",
    unit="customers/s",
    target=0.5,
    run=run,
)
