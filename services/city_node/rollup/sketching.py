"""Sketches of the live tables, by one statement a dataset, which hashes, groups and orders all rows.

Of distinct people the database finds the registers, as :mod:`shared.statistics.sketches` says what they are; of a
distribution the values in order that stand for others, and how many there are up to each. Both are a few thousand
numbers for each measure and cell, however many customers there are.
"""

from collections.abc import Sequence

import asyncpg

from shared.statistics.aggregation import Aggregation
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.period import Period
from shared.statistics.sketches import MOST_RANK, REGISTER_BITS, VALUES, Distribution, Registers

Key = tuple[str, ...]

_HASH = "('x' || encode(substr(sha256(uuid_send({})), 1, 8), 'hex'))::bit(64)"
_REGISTER = f"substring(bits, 1, {REGISTER_BITS})::bit({REGISTER_BITS})::int"
_RANK = f"coalesce(nullif(position(B'1' IN substring(bits, {REGISTER_BITS + 1})), 0), {MOST_RANK})"
_RUN = f"CASE WHEN whole <= {VALUES} THEN 1 ELSE 1::bigint << (65 - position(B'1' IN (whole / {VALUES + 1})::bit(64))) END"
"""How many values the longest runs have."""


def statement(dataset: Dataset, measures: Sequence[Indicator]) -> str:
    """Return the statement: the place of a measure, a cell, items, a number of each, and how many values there are."""
    dimensions = ", ".join(dataset.dimensions)
    columns = ", ".join(f"{each.sql} AS {each.code}" for each in measures)
    gathered = " UNION ALL ".join(
        (_people if each.aggregation is Aggregation.DISTINCT else _values)(at, dimensions, each)
        for at, each in enumerate(measures)
    )
    # The first line gives both parameters their type, whichever of them the rows speak of.
    return f"""
        WITH period AS (SELECT :first, :after),
        fact AS MATERIALIZED (SELECT {dimensions}, {columns} FROM ({dataset.rows}) AS fact)
        {gathered}
    """  # noqa: S608 - the catalogue's own texts


def _people(place: int, dimensions: str, measure: Indicator) -> str:
    """Return the registers that somebody is in, and the rank of each."""
    return f"""
        SELECT {place} AS place, ARRAY[{dimensions}]::text[] AS key, array_agg(register) AS items,
               array_agg(rank::bigint) AS numbers, 0::bigint AS whole
        FROM (
            SELECT {dimensions}, {_REGISTER}::bigint AS register, max({_RANK}) AS rank
            FROM (SELECT {dimensions}, {_HASH.format(measure.code)} AS bits FROM fact WHERE {measure.code} IS NOT NULL) h
            GROUP BY {dimensions}, register
        ) r GROUP BY {dimensions}"""  # noqa: S608 - as above


def _values(place: int, dimensions: str, measure: Indicator) -> str:
    """Return the first and the last value, those in the middle of a longest run, and those after these runs."""
    return f"""
        SELECT {place} AS place, ARRAY[{dimensions}]::text[] AS key, array_agg(value::bigint ORDER BY value) AS items,
               array_agg(reached ORDER BY value) AS numbers, max(whole) AS whole
        FROM (
            SELECT *, {_RUN} AS run FROM (
                SELECT {dimensions}, {measure.code} AS value, count(*) AS times,
                       (sum(count(*)) OVER (PARTITION BY {dimensions} ORDER BY {measure.code}))::bigint AS reached,
                       (sum(count(*)) OVER (PARTITION BY {dimensions}))::bigint AS whole
                FROM fact WHERE {measure.code} IS NOT NULL GROUP BY {dimensions}, {measure.code}
            ) c
        ) v
        WHERE (reached + run - run / 2 - 1) / run > (reached - times + run - run / 2 - 1) / run
           OR reached > whole / run * run OR reached IN (times, whole)
        GROUP BY {dimensions}"""  # noqa: S608 - as above


async def sketch(
    connection: asyncpg.Connection, text: str, measures: Sequence[Indicator], period: Period
) -> dict[Key, dict[str, bytes]]:
    """Return the images of a period by cell and measure.

    Args:
        connection: in the transaction of the snapshot.
        text: the statement, with its bounds in place.
        measures: those that the statement is of.
        period: which.
    """
    images: dict[Key, dict[str, bytes]] = {}
    for row in await connection.fetch(text, period.start, period.end):
        measure = measures[row["place"]]
        is_people = measure.aggregation is Aggregation.DISTINCT
        made = Registers() if is_people else Distribution(row["whole"])
        for item, number in zip(row["items"], row["numbers"], strict=True):
            made.add(item, number)
        images.setdefault(tuple(row["key"]), {})[measure.code] = made.image()
    return images
