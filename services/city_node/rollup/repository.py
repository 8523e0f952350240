"""Counting the live tables: one statement a dataset, made from the catalogue, and the snapshot that they are run in.

A dataset's sketches are made by a second one (:mod:`services.city_node.rollup.sketching`).
"""

import contextlib
import re
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.rollup import sketching
from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.database import Database, driver_connection
from shared.statistics.aggregation import Aggregation
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period
from shared.statistics.slices import Value

MEMORY = "64MB"
"""What one sort or hash of a count may use before it goes to disk."""

_BOUNDS = {
    "first": "$1::date",
    "after": "$2::date",
    "first_at": f"($1::date::timestamp AT TIME ZONE '{BUSINESS_ZONE.key}')",
    "after_at": f"($2::date::timestamp AT TIME ZONE '{BUSINESS_ZONE.key}')",
}
_BOUND = re.compile(r"(?<![:\w]):(first_at|after_at|first|after)\b")


@cache
def statement(dataset: str) -> str:
    """Return the statement that counts a dataset: the catalogue's rows and formulas, grouped by its dimensions."""
    declared = CATALOGUE.datasets[dataset]
    numbers = [each for each in CATALOGUE.measures_of(dataset) if not each.is_sketch]
    columns = [*declared.dimensions, *(f"{each.sql} AS {each.code}" for each in numbers)]
    # The first line gives both parameters their type, whichever of them the rows speak of.
    text_ = f"""
        WITH period AS (SELECT :first, :after)
        SELECT {", ".join(columns)} FROM ({declared.rows}) AS fact GROUP BY {", ".join(declared.dimensions)}
    """  # noqa: S608 - the catalogue's own texts
    return bounded(text_)


@cache
def sketching_statement(dataset: str) -> str:
    """Return the statement by which a dataset's sketches are made."""
    sketches = [each for each in CATALOGUE.measures_of(dataset) if each.is_sketch]
    return bounded(sketching.statement(CATALOGUE.datasets[dataset], sketches))


def bounded(text_: str) -> str:
    """Put the bounds of a period in their places: the statement's two parameters."""
    return _BOUND.sub(lambda bound: _BOUNDS[bound[1]], text_)


@contextlib.asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[AsyncSession]:
    """Open a transaction that sees the tables as of one moment and is alone in making slices.

    The lock comes first, because a repeatable-read transaction sees the moment of its first query, and taking a table's
    lock is none: whoever waited sees what the one before has made.
    """
    async with database.transaction() as session:
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        await session.execute(text("LOCK TABLE statistics_slice IN SHARE ROW EXCLUSIVE MODE"))
        await session.execute(text(f"SET LOCAL work_mem = '{MEMORY}'"))
        yield session


async def count(
    session: AsyncSession, dataset: Dataset, measures: tuple[Indicator, ...], period: Period
) -> list[tuple[tuple[str, ...], tuple[Value, ...]]]:
    """Count a dataset's cells for a period: dimension values and measures of each, in the catalogue's order."""
    connection = await driver_connection(session)
    numbers = [each for each in measures if not each.is_sketch]
    sketches = [each for each in measures if each.is_sketch]
    cells: dict[tuple[str, ...], dict[str, Value]] = {}
    if numbers:
        for row in await connection.fetch(statement(dataset.code), period.start, period.end):
            key = tuple(row[dimension] for dimension in dataset.dimensions)
            cells[key] = {each.code: _value(each, row[each.code]) for each in numbers}
    if sketches:
        text_ = sketching_statement(dataset.code)
        for key, images in (await sketching.sketch(connection, text_, sketches, period)).items():
            cells.setdefault(key, {}).update(images)
    return [
        (key, tuple(values.get(each.code) for each in measures)) for key, values in cells.items()
    ]


def _value(measure: Indicator, counted: Any) -> int | None:
    """Return a value as slices have it: what adds up and is zero is left out, a least or greatest of zero is not."""
    if counted is None or (
        counted == 0 and measure.aggregation in {Aggregation.SUM, Aggregation.SNAPSHOT}
    ):
        return None
    return int(counted)
