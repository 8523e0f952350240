"""Importing a year of bills from CSV, against ``COPY`` of the same rows into the same tables with the same indexes.

The customers are there. The import reads and converts, finds each bill's line by its number and the bills that are
known already, brings the customers' charges up to date and writes their history; the ceiling copies bills and history.
"""

import csv
import io
import random
import tempfile
from pathlib import Path

import asyncpg

from bench import Benchmark, Result
from bench.big_city import asked_size
from bench.bulk import Comparison, copy, measured, read_back, rounds_of
from bench.city import load_file, mapping, open_city, owner_url, people
from services.city_node.customer_import.mapping import read_mapping

CUSTOMERS, CUSTOMERS_QUICK = 20_000, 2_000
MONTHS = 12
MAPPING = """
[source]
name = "billing"
records = "bills"
[subscription.msisdn]
column = "msisdn"
[bill.period]
column = "month"
convert = "date"
format = "%Y%m"
[bill.charge_fen]
column = "charge"
convert = "yuan"
[bill.paid_on]
column = "paid"
"""


def bills(customers: int) -> bytes:
    """Return the CSV of a year's bills of every line, sorted by line as billing systems write them."""
    dice = random.Random(customers)  # noqa: S311 - repeatable, and nobody's secret
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["msisdn", "month", "charge", "paid"])
    for n in range(customers):
        for month in range(1, MONTHS + 1):
            charge = f"{dice.randint(1800, 12_000) / 100:.2f}"
            paid = f"2025-{month:02d}-{dice.randint(10, 28)}"
            writer.writerow([f"138{n:08d}", f"2025{month:02d}", charge, paid])
    return text.getvalue().encode()


async def measure(customers: int, rounds: int = 1) -> Comparison:
    """Compare alternating rounds of both."""
    content, how, rows = bills(customers), read_mapping(MAPPING), customers * MONTHS
    with tempfile.TemporaryDirectory(prefix="guanxi-bench-") as home:
        async with open_city(Path(home)) as context:
            connection = await asyncpg.connect(owner_url(context))

            async def imported() -> None:
                loaded = await load_file(context, content, how)
                assert loaded.created == loaded.rows == rows

            try:
                await load_file(context, _entered_long_ago(people(customers)), mapping())
                last = await connection.fetchval("SELECT max(id) FROM customer_change")
                await connection.execute("TRUNCATE bill")
                await connection.execute("VACUUM FULL ANALYZE")
                await imported()
                copied = {
                    "bill": await read_back(connection, "bill"),
                    "customer_change": await read_back(
                        connection, "customer_change", f"id > {last}"
                    ),
                }
                imports, copies = [], []
                for _ in range(rounds):
                    await _empty(connection, last)
                    copies.append(await measured(connection, lambda: copy(connection, copied)))
                    await _empty(connection, last)
                    imports.append(await measured(connection, imported))
            finally:
                await connection.close()
    return Comparison(rows, imports, copies)


def _entered_long_ago(content: bytes) -> bytes:
    """Return the same people, all of them with a tenure of five years."""
    rows = list(csv.reader(io.StringIO(content.decode())))
    place = rows[0].index("tenure")
    text = io.StringIO()
    csv.writer(text).writerows(
        [rows[0], *([*row[:place], "60", *row[place + 1 :]] for row in rows[1:])]
    )
    return text.getvalue().encode()


async def _empty(connection: asyncpg.Connection, last: int) -> None:
    await connection.execute("TRUNCATE bill")
    await connection.execute("DELETE FROM customer_change WHERE id > $1", last)
    await connection.execute("UPDATE customer SET monthly_charge_fen = 0, total_charge_fen = 0")
    await connection.execute("VACUUM FULL customer, customer_change")


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    customers = asked_size() or (CUSTOMERS_QUICK if quick else CUSTOMERS)
    found = await measure(customers, rounds_of(customers * MONTHS, quick=quick))
    return Result(*found.speeds, details=found.details)


BENCHMARK = Benchmark(
    name="import-bills",
    summary="import of a year of bills, with the charges of the customers, against raw COPY of the same rows",
    unit="bills/s",
    target=0.5,
    run=run,
)
