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
CUSTOMERS_OF_A_MONTH = 100_000
"""How many customers' usage one statement makes: PostgreSQL keeps its checks in memory until it ends."""

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
) -> Made:
    """Make ``customers`` customers in the session's transaction.

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
    slices = await _people(connection, city, customers, made, on_progress)
    if usage:
        await session.execute(text("ANALYZE bill"))
        await _usage(connection, city, slices, made, on_progress)
    made.seconds = time.monotonic() - begun
    return made


async def _people(
    connection: asyncpg.Connection, city: City, customers: int, made: Made, on_progress: Progress
) -> list[Slice]:
    """Make the customers, drawing a batch while the one before is copied; return their ids in slices."""
    first, line = await connection.fetchrow(_MADE_BEFORE, SOURCE)
    # Nobody makes a customer meanwhile: the table is locked.
    numbered = await connection.fetchval(_RESERVE_NUMBERS, customers) - customers + 1
    slices: list[Slice] = []
    copying: asyncio.Task[None] | None = None
    for done in range(0, customers, BATCH):
        size, rows = min(BATCH, customers - done), no_rows()
        batch = Batch(city, rows, first + done, line)
        await asyncio.to_thread(_draw, batch, range(numbered + done, numbered + done + size))
        line = batch.next_line
        if copying is not None:
            await copying
        copying = asyncio.create_task(_copy(connection, rows, made))
        ids = rows["customer"][0][0], rows["customer"][-1][0]
        if done % CUSTOMERS_OF_A_MONTH:
            slices[-1] = slices[-1][0], ids[1]
        else:
            slices.append(ids)
        on_progress("customers", done + size, customers)
    if copying is not None:
        await copying
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
    # A slice's months one after another: its part of the index stays in memory, and each run of a month is long enough
    # for the block-range index.
    steps = [(month, slice_) for slice_ in slices for month in city.months]
    for done, (month, (first, last)) in enumerate(steps, 1):
        made.add("usage_month", await add_usage(connection, first, last, month, city.seed))
        on_progress("usage by month", done, len(steps))
