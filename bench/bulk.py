"""Imports against ``COPY``: the rows that an import made, read back, are copied into the same tables.

The ceiling is PostgreSQL's own: binary ``COPY`` of every row that the import inserts, its history included, with the
same indexes, constraints and foreign keys; it neither reads a file nor looks anything up. Beside the times stand the
CPU seconds of both programs, which depend less on what else the machine does.
"""

import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

Copied = Mapping[str, tuple[list[str], Sequence[tuple[Any, ...]]]]
_TICKS = os.sysconf("SC_CLK_TCK")
_PER = 100_000
ROUNDS, ROUNDS_QUICK, ROUNDS_LARGE = 5, 3, 1
LARGE = 500_000
"""From so many rows on a round takes minutes, and varies little."""


def rounds_of(rows: int, *, quick: bool) -> int:
    """Return how many rounds are measured."""
    return ROUNDS_LARGE if rows >= LARGE else ROUNDS_QUICK if quick else ROUNDS


@dataclass(frozen=True, slots=True)
class Cost:
    """What one round took, in seconds: by the clock, of this program's CPU and of the server's."""

    elapsed: float
    program: float
    server: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians of the rounds of both."""

    rows: int
    imports: Sequence[Cost]
    copies: Sequence[Cost]

    @property
    def speeds(self) -> tuple[float, float]:
        """Rows a second, imported and copied."""
        return (
            self.rows / median(one.elapsed for one in self.imports),
            self.rows / median(one.elapsed for one in self.copies),
        )

    @property
    def details(self) -> dict[str, float]:
        """CPU seconds for 100,000 rows."""
        found = {}
        for name, costs in (("import", self.imports), ("copy", self.copies)):
            for side in ("program", "server"):
                spent = median(getattr(cost, side) for cost in costs)
                found[f"{name} {side} CPU s/100k"] = spent * _PER / self.rows
        return found


async def measured(connection: asyncpg.Connection, act: Callable[[], Awaitable[object]]) -> Cost:
    """Return what it costs to do something."""
    await connection.execute("CHECKPOINT")
    server = await connection.fetchval("SELECT pg_backend_pid()")
    postmaster = int(_stat(server)[1])
    before = _server_seconds(postmaster)
    began, spent = time.perf_counter(), time.process_time()
    await act()
    elapsed, spent = time.perf_counter() - began, time.process_time() - spent
    return Cost(elapsed, spent, _server_seconds(postmaster) - before)


def _stat(process: int) -> list[str]:
    """Return what the system says about a process, from its state on."""
    return Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()


def _server_seconds(postmaster: int) -> float:
    """Return the CPU seconds of a server's processes, those that have ended among them."""
    own = _stat(postmaster)
    ticks = sum(map(int, own[11:15]))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = _stat(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(stat[1]) == postmaster:
                ticks += int(stat[11]) + int(stat[12])
    return ticks / _TICKS


async def read_back(
    connection: asyncpg.Connection, table: str, where: str = "true"
) -> tuple[list[str], Sequence[tuple[Any, ...]]]:
    """Return the columns of a table that can be copied, and its rows."""
    columns = [
        row["column_name"]
        for row in await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND is_identity = 'NO'"
            " ORDER BY ordinal_position",
            table,
        )
    ]
    names = ", ".join(columns)
    found = await connection.fetch(f"SELECT {names} FROM {table} WHERE {where}")  # noqa: S608 - names of the catalogue
    return columns, [tuple(row) for row in found]


async def copy(connection: asyncpg.Connection, copied: Copied) -> None:
    """Copy rows into their tables, in one transaction."""
    async with connection.transaction():
        for table, (columns, records) in copied.items():
            await connection.copy_records_to_table(table, columns=columns, records=records)
