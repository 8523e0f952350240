"""Writing the facts of a slice: its values cell by cell, its margins, and its sketches.

A *margin* is a measure over all cells of a slice, or over those with one value of one dimension: what most questions
ask. Both are loaded by ``COPY`` into the partition of the period's month, which is made when it is needed first.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import copy_rows, driver_connection
from shared.statistics import sketches
from shared.statistics import volumes as _volumes  # noqa: F401 - for its functions of the database
from shared.statistics.models import StatisticsFact, StatisticsMargin, StatisticsSketch
from shared.statistics.slices import Content

WHOLE = 0
"""The member that stands for all cells: identities begin at 1."""

Member: TypeAlias = tuple[str, str]
"""A dimension and one of its values."""
Margin: TypeAlias = tuple[Member | None, str, int, int, int]
"""A member, or none for the whole; a measure; its total, least and greatest value."""


def margins(content: Content) -> Iterator[Margin]:
    """Return the margins of a slice, of whatever has a value."""
    of_member = _places_of_members(content)
    # Without cells there are no columns.
    for measure, column in zip(content.measures, content.columns(), strict=False):
        is_whole = set(map(type, column)) == {int}
        for member, places in of_member.items():
            values: Sequence[Any] = [column[at] for at in places]
            if not is_whole:
                values = [value for value in values if isinstance(value, int)]
            if values:
                yield member, measure, sum(values), min(values), max(values)


def _places_of_members(content: Content) -> dict[Member | None, Sequence[int]]:
    places: dict[Member | None, Sequence[int]] = {None: range(content.row_count)}
    for at, dimension in enumerate(content.dimensions):
        by_value: dict[str, list[int]] = defaultdict(list)
        for place, cell in enumerate(content.cells):
            by_value[cell.key[at]].append(place)
        places.update(((dimension, value), found) for value, found in by_value.items())
    return places


async def load(session: AsyncSession, slice_id: int, content: Content) -> None:
    """Write the facts, margins and sketches of a slice in the session's transaction."""
    volume = content.period.volume
    ids = await _find_ids(await driver_connection(session), content)
    cells = sorted(zip(ids.cells, (cell.values for cell in content.cells), strict=True))
    facts = (
        (slice_id, value, cell_id, measure_id, volume)
        # In the order of the index: a question reads a measure of all cells.
        for measure_id, at in sorted(zip(ids.measures, range(len(ids.measures)), strict=True))
        for cell_id, values in cells
        if isinstance(value := values[at], int)
    )
    await copy_rows(
        session,
        StatisticsFact.__tablename__,
        ("slice_id", "value", "cell_id", "measure_id", "volume"),
        facts,
    )
    by_code = dict(zip(content.measures, ids.measures, strict=True))
    rows = (
        (slice_id, least, greatest, ids.members[member], by_code[code], volume, Decimal(total))
        for member, code, total, least, greatest in margins(content)
    )
    await copy_rows(
        session,
        StatisticsMargin.__tablename__,
        ("part_id", "least", "greatest", "member_id", "measure_id", "volume", "total"),
        rows,
    )
    images = [
        (slice_id, cell_id, ids.measures[at], volume, sketches.family(value), value)
        for cell, cell_id in zip(content.cells, ids.cells, strict=True)
        for at, value in enumerate(cell.values)
        if isinstance(value, bytes)
    ]
    if images:
        await copy_rows(session, StatisticsSketch.__tablename__, SKETCH_COLUMNS, images)


async def drop(session: AsyncSession, slice_ids: Sequence[int], volume: int) -> None:
    """Delete the facts, margins and sketches of slices of one partition."""
    connection = await driver_connection(session)
    for table, column in _OF_SLICES.items():
        await connection.execute(
            f"DELETE FROM {table} WHERE {column} = ANY($1::bigint[]) AND volume = $2::smallint",  # noqa: S608 - constants
            slice_ids,
            volume,
        )


SKETCH_COLUMNS = ("part_id", "cell_id", "measure_id", "volume", "family", "image")
_OF_SLICES = {
    StatisticsFact.__tablename__: "slice_id",
    StatisticsMargin.__tablename__: "part_id",
    StatisticsSketch.__tablename__: "part_id",
}


@dataclass(frozen=True, slots=True)
class _Ids:
    measures: Sequence[int]
    cells: Sequence[int]
    members: dict[Member | None, int]


async def _find_ids(connection: asyncpg.Connection, content: Content) -> _Ids:
    """Return the ids of measures, cells and members, adding those that are new, and see to the partition."""
    members = sorted(
        {
            (dimension, value)
            for cell in content.cells
            for dimension, value in zip(content.dimensions, cell.key, strict=True)
        }
    )
    words = (
        list(content.measures),
        [
            orjson.dumps(dict(zip(content.dimensions, cell.key, strict=True))).decode()
            for cell in content.cells
        ],
        [dimension for dimension, _ in members],
        [value for _, value in members],
    )
    found = await connection.fetchrow(_FIND, content.period.volume, *words)
    if not found["is_open"]:
        await connection.execute("SELECT statistics_open_volume($1)", content.period.volume)
    if any(None in found[kind] for kind in ("measures", "cells", "members")):
        # Each in one order: two lanes that bring the same new ones wait for one another and do not deadlock.
        await connection.execute(_ADD_MEASURES, words[0])
        await connection.execute(_ADD_CELLS, words[1])
        await connection.execute(_ADD_MEMBERS, *words[2:])
        found = await connection.fetchrow(_FIND, content.period.volume, *words)
    return _Ids(
        found["measures"],
        found["cells"],
        {None: WHOLE, **dict(zip(members, found["members"], strict=True))},
    )


_FIND = """
SELECT EXISTS (SELECT FROM statistics_volume WHERE volume = $1::smallint) AS is_open,
       ARRAY(SELECT m.id FROM unnest($2::text[]) WITH ORDINALITY AS w (code, place)
             LEFT JOIN statistics_measure m ON m.code = w.code ORDER BY w.place) AS measures,
       ARRAY(SELECT c.id FROM unnest($3::text[]) WITH ORDINALITY AS w (dims, place)
             LEFT JOIN LATERAL (SELECT c.id FROM statistics_cell c WHERE c.dims = w.dims::jsonb OFFSET 0) c ON true
             ORDER BY w.place) AS cells,
       ARRAY(SELECT m.id FROM unnest($4::text[], $5::text[]) WITH ORDINALITY AS w (dimension, value, place)
             LEFT JOIN statistics_member m ON m.dimension = w.dimension AND m.value = w.value
             ORDER BY w.place) AS members
"""
_ADD_MEASURES = """
INSERT INTO statistics_measure (code) SELECT w.code FROM unnest($1::text[]) AS w (code)
WHERE NOT EXISTS (SELECT FROM statistics_measure m WHERE m.code = w.code) ORDER BY w.code ON CONFLICT DO NOTHING
"""
_ADD_CELLS = """
INSERT INTO statistics_cell (dims)
SELECT w.dims::jsonb FROM unnest($1::text[]) WITH ORDINALITY AS w (dims, place)
WHERE NOT EXISTS (SELECT FROM statistics_cell c WHERE c.dims = w.dims::jsonb)
ORDER BY w.place ON CONFLICT DO NOTHING
"""
_ADD_MEMBERS = """
INSERT INTO statistics_member (dimension, value)
SELECT w.dimension, w.value FROM unnest($1::text[], $2::text[]) AS w (dimension, value)
WHERE NOT EXISTS (SELECT FROM statistics_member m WHERE m.dimension = w.dimension AND m.value = w.value)
ORDER BY w.dimension, w.value ON CONFLICT DO NOTHING
"""
