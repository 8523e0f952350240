"""Importing customers from CSV, against ``COPY`` of the same rows into the same tables with the same indexes.

The ceiling is PostgreSQL's own: the rows that the import made, read back, are copied in binary into customer,
subscription, sim and bill, and nothing else. The import reads, converts, checks and encrypts on top of that, looks
for conflicts with every customer of the city, and writes the history, which is a fifth table as large as the first.
"""

import io
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

from bench import Benchmark, Result
from bench.city import NOW, importer, mapping, open_city, owner_url, people
from services.city_node.customer_import.service import load_file
from shared.capability import NodeContext

ROWS, ROWS_QUICK = 50_000, 10_000
ROUNDS, ROUNDS_QUICK = 5, 3
TABLES = ("customer", "subscription", "sim", "bill")

Copied = Mapping[str, tuple[list[str], Sequence[tuple[Any, ...]]]]


async def measure(rows: int, rounds: int = ROUNDS) -> tuple[float, float]:
    """Return customers a second, imported and copied: medians of alternating rounds."""
    content = people(rows)
    with tempfile.TemporaryDirectory(prefix="guanxi-bench-") as home:
        async with open_city(Path(home)) as context:
            connection = await asyncpg.connect(owner_url(context))
            try:
                await _import(context, connection, content)
                copied = {table: await _read_back(connection, table) for table in TABLES}
                assert all(len(records) == rows for _, records in copied.values())
                imports, copies = [], []
                for _ in range(rounds):
                    copies.append(await _copy(connection, copied))
                    imports.append(await _import(context, connection, content))
            finally:
                await connection.close()
    return rows / median(imports), rows / median(copies)


async def _empty(connection: asyncpg.Connection) -> None:
    await connection.execute("TRUNCATE customer, customer_import CASCADE")
    await connection.execute("CHECKPOINT")


async def _import(context: NodeContext, connection: asyncpg.Connection, content: bytes) -> float:
    """Return the seconds that an import takes."""
    await _empty(connection)
    began = time.perf_counter()
    async with context.database.transaction() as session:
        loaded = await load_file(
            session,
            importer(context),
            io.BytesIO(content),
            name="people.csv",
            mapping=mapping(),
            now=NOW,
        )
    seconds = time.perf_counter() - began
    assert loaded.created == loaded.rows > 0
    return seconds


async def _read_back(
    connection: asyncpg.Connection, table: str
) -> tuple[list[str], Sequence[tuple[Any, ...]]]:
    columns = [
        row["column_name"]
        for row in await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND is_identity = 'NO'"
            " ORDER BY ordinal_position",
            table,
        )
    ]
    found = await connection.fetch(f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608 - names of the catalogue
    return columns, [tuple(row) for row in found]


async def _copy(connection: asyncpg.Connection, copied: Copied) -> float:
    """Return the seconds that the copy takes."""
    await _empty(connection)
    began = time.perf_counter()
    async with connection.transaction():
        for table, (columns, records) in copied.items():
            await connection.copy_records_to_table(table, columns=columns, records=records)
    return time.perf_counter() - began


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    rows, rounds = (ROWS_QUICK, ROUNDS_QUICK) if quick else (ROWS, ROUNDS)
    return Result(*await measure(rows, rounds))


BENCHMARK = Benchmark(
    name="import-customers",
    summary="import of customers with lines, SIMs and bills, against raw COPY of the same rows",
    unit="customers/s",
    target=0.3,
    run=run,
)
