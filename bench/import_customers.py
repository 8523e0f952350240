"""Importing customers from CSV, against ``COPY`` of the same rows into the same tables with the same indexes.

The import reads, converts, checks and encrypts, looks for conflicts with every customer of the city, and writes
customer, subscription, sim, bill and the history; the ceiling copies the same five tables.
"""

import tempfile
from pathlib import Path

import asyncpg

from bench import Benchmark, Result
from bench.big_city import asked_size
from bench.bulk import Comparison, copy, measured, read_back, rounds_of
from bench.city import load_file, mapping, open_city, owner_url, people

ROWS, ROWS_QUICK = 50_000, 10_000
TABLES = ("customer", "subscription", "sim", "bill", "customer_change")


async def measure(rows: int, rounds: int = 1) -> Comparison:
    """Compare alternating rounds of both."""
    content = people(rows)
    with tempfile.TemporaryDirectory(prefix="guanxi-bench-") as home:
        async with open_city(Path(home)) as context:
            connection = await asyncpg.connect(owner_url(context))

            async def imported() -> None:
                loaded = await load_file(context, content, mapping())
                assert loaded.created == loaded.rows == rows

            try:
                await imported()
                copied = {table: await read_back(connection, table) for table in TABLES}
                assert all(len(records) == rows for _, records in copied.values())
                imports, copies = [], []
                for _ in range(rounds):
                    await _empty(connection)
                    copies.append(await measured(connection, lambda: copy(connection, copied)))
                    await _empty(connection)
                    imports.append(await measured(connection, imported))
            finally:
                await connection.close()
    return Comparison(rows, imports, copies)


async def _empty(connection: asyncpg.Connection) -> None:
    await connection.execute("TRUNCATE customer, customer_import CASCADE")


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    rows = asked_size() or (ROWS_QUICK if quick else ROWS)
    found = await measure(rows, rounds_of(rows, quick=quick))
    return Result(*found.speeds, details=found.details)


BENCHMARK = Benchmark(
    name="import-customers",
    summary="import of customers with lines, SIMs and bills, against raw COPY of the same rows",
    unit="customers/s",
    target=0.5,
    run=run,
)
