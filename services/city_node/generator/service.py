"""Making a city: batches drawn and copied side by side, then usage, in one transaction."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import customer_number_sequence
from services.city_node.generator.people import SOURCE, Batch, City
from services.city_node.generator.problems import CityInhabited, SeedUsed
from services.city_node.generator.tables import COLUMNS, Rows, no_rows
from services.city_node.generator.usage import add_usage
from services.city_node.personal_data.service import hold_keys_for_bulk
from shared.kernel.database import driver_connection

BATCH = 5_000
SLICE = 4 * BATCH
"""Customers whose usage one statement makes: their part of the index stays in memory, and the rows of each month lie
together for long enough that the block-range index finds them."""

_MADE_BEFORE = """
    SELECT (SELECT count(*) FROM customer WHERE source = $1),
           (SELECT count(*) FROM subscription s JOIN customer c ON c.id = s.customer_id WHERE c.source = $1)"""
_RESERVE_NUMBERS = f"SELECT setval('{customer_number_sequence.name}', nextval('{customer_number_sequence.name}') + $1 - 1)"

Slice = tuple[UUID, UUID]
"""The first and the last of customers whose ids follow one another."""
Progress = Callable[[str, int, int], None]
"""Told what is made, how much of it is done, and how much there will be."""


@dataclass(slots=True)
class Made:
    """What a run has made: rows by table, and how long it took."""

    rows: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, table: str, rows: int) -> None:
        """Count rows of a table."""
        self.rows[table] = self.rows.get(table, 0) + rows


def months_before(day: date, number: int) -> list[date]:
    """Return the first days of the last ``number`` whole months before ``day``, in order."""
    months = []
    for _ in range(number):
        day = date(day.year - (day.month == 1), (day.month - 2) % 12 + 1, 1)
        months.append(day)
    return months[::-1]


async def generate(
    session: AsyncSession,
    city: City,
    customers: int,
    *,
    append: bool,
    usage: bool,
    on_progress: Progress,
    batch_customers: int = BATCH,
) -> Made:
    """Make ``customers`` customers in the session's transaction.

    Args:
        session: the transaction.
        city: what the customers have in common.
        customers: how many.
        append: whether the node may have customers.
        usage: whether to make usage, too.
        on_progress: told after each batch.
        batch_customers: customers in a batch: what the run holds in memory. Other batches make another city.

    Raises:
        CityInhabited: if there are customers and none are to be added to them (409).
        SeedUsed: if customers of the same seed are there (409).
    """
    begun, made = time.monotonic(), Made()
    await hold_keys_for_bulk(session)
    connection = await driver_connection(session)
    await connection.execute("LOCK TABLE customer IN SHARE ROW EXCLUSIVE MODE")
    if not append and await connection.fetchval("SELECT EXISTS (SELECT FROM customer)"):
        raise CityInhabited(node=city.node)
    if await connection.fetchval(
        "SELECT EXISTS (SELECT FROM customer WHERE source = $1 AND starts_with(source_key, $2))",
        SOURCE,
        f"{city.seed}-",
    ):
        raise SeedUsed(node=city.node, seed=city.seed)
    slices = await _people(
        connection,
        city,
        customers,
        made,
        batch_customers=batch_customers,
        on_progress=on_progress,
    )
    if usage:
        await session.execute(text("ANALYZE bill"))
        await _usage(connection, city, slices, made, on_progress)
    made.seconds = time.monotonic() - begun
    return made


async def _people(
    connection: asyncpg.Connection,
    city: City,
    customers: int,
    made: Made,
    *,
    batch_customers: int,
    on_progress: Progress,
) -> list[Slice]:
    """Make the customers, drawing a batch while the one before is copied; return their ids in slices."""
    first, line = await connection.fetchrow(_MADE_BEFORE, SOURCE)
    # Nobody makes a customer meanwhile: the table is locked.
    numbered = await connection.fetchval(_RESERVE_NUMBERS, customers) - customers + 1
    slices: list[Slice] = []
    copying: asyncio.Task[None] | None = None
    try:
        for done in range(0, customers, batch_customers):
            size, rows = min(batch_customers, customers - done), no_rows()
            batch = Batch(city, rows, first + done, line)
            await asyncio.to_thread(_draw, batch, range(numbered + done, numbered + done + size))
            line = batch.next_line
            if copying is not None:
                await copying
            copying = asyncio.create_task(_copy(connection, rows, made))
            ids = rows["customer"][0][0], rows["customer"][-1][0]
            if done // SLICE == (done - batch_customers) // SLICE:
                slices[-1] = slices[-1][0], ids[1]
            else:
                slices.append(ids)
            on_progress("customers", done + size, customers)
        if copying is not None:
            await copying
    finally:
        # Whatever went wrong, the connection is left to nobody else before it is done with.
        if copying is not None:
            copying.cancel()
            await asyncio.gather(copying, return_exceptions=True)
    return slices


def _draw(batch: Batch, customer_numbers: range) -> None:
    for number in customer_numbers:
        batch.add(number)


async def _copy(connection: asyncpg.Connection, rows: Rows, made: Made) -> None:
    for table, columns in COLUMNS.items():
        await connection.copy_records_to_table(table, columns=columns, records=rows[table])
        made.add(table, len(rows[table]))


async def _usage(
    connection: asyncpg.Connection,
    city: City,
    slices: Sequence[Slice],
    made: Made,
    on_progress: Progress,
) -> None:
    for done, (first, last) in enumerate(slices, 1):
        made.add("usage_month", await add_usage(connection, first, last, city.seed))
        on_progress("usage", done, len(slices))
