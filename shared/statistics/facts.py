"""Writing the facts of a slice: its values cell by cell, its margins, and its sketches.

A *margin* is a measure over all cells of a slice, or over those with one value of one dimension: what most questions
ask. Both are loaded by ``COPY`` into the partition of the period's month, which is made when it is needed first.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.copy_columns import as_numeric, copy_columns
from shared.kernel.database import copy_rows, driver_connection
from shared.statistics import sketches
from shared.statistics import volumes as _volumes  # noqa: F401 - for its functions of the database
from shared.statistics.models import StatisticsFact, StatisticsMargin, StatisticsSketch
from shared.statistics.slices import GREATEST_VALUE, LEAST_VALUE, Content

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = "np.ndarray[Any, Any]"

WHOLE = 0
"""The member that stands for all cells: identities begin at 1."""

Member: TypeAlias = tuple[str, str]
"""A dimension and one of its values."""
_CellKey: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""Dimensions and the values of a cell."""


async def load(session: AsyncSession, contents: Mapping[int, Content]) -> None:
    """Write the facts, margins and sketches of slices, by their ids, in the session's transaction."""
    import numpy as np  # noqa: PLC0415 - a large library, for whoever stores figures

    ids = await _find_ids(await driver_connection(session), contents.values())
    slices = [_Numbers(id_, content, ids) for id_, content in contents.items() if content.cells]
    for table, parts in (
        (StatisticsFact.__tablename__, [each.facts() for each in slices]),
        (StatisticsMargin.__tablename__, [each.margins() for each in slices]),
    ):
        if parts:
            columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            await copy_columns(session, table, columns)
    images = [image for each in slices for image in each.sketches()]
    if images:
        await copy_rows(session, StatisticsSketch.__tablename__, SKETCH_COLUMNS, images)


@dataclass(frozen=True, slots=True)
class _Ids:
    measures: Mapping[str, int]
    cells: Mapping[_CellKey, int]
    members: Mapping[Member | None, int]


class _Numbers:
    """What is written of one slice that has cells: its numbers measure by measure and cell by cell, as arrays."""

    def __init__(self, slice_id: int, content: Content, ids: _Ids) -> None:
        import numpy as np  # noqa: PLC0415 - as above

        self._slice_id, self._content, self._ids = slice_id, content, ids
        self._measures = np.array([ids.measures[code] for code in content.measures], np.int16)
        dimensions = content.dimensions
        self._cells = np.array(
            [ids.cells[dimensions, cell.key] for cell in content.cells], np.int32
        )
        shape = len(self._measures), len(self._cells)
        self._values, self._known = np.zeros(shape, np.int64), np.ones(shape, np.bool_)
        self._images: list[tuple[int, int, bytes]] = []
        for at, column in enumerate(content.columns()):
            types = set(map(type, column))
            if types == {int}:
                self._values[at] = cast("Sequence[int]", column)
                continue
            known = self._known[at] = [isinstance(value, int) for value in column]
            self._values[at, known] = [value for value in column if isinstance(value, int)]
            if bytes in types:
                self._images += [
                    (at, place, value)
                    for place, value in enumerate(column)
                    if isinstance(value, bytes)
                ]

    def facts(self) -> "dict[str, Array]":
        """Return the columns of its facts, in the order of the index: a question reads a measure of all cells."""
        import numpy as np  # noqa: PLC0415 - as above

        in_order = np.ix_(np.argsort(self._measures), np.argsort(self._cells))
        known = self._known[in_order]
        by_measure, by_cell = np.nonzero(known)
        return {
            **self._same("slice_id", len(by_cell)),
            "value": self._values[in_order][known],
            "cell_id": np.sort(self._cells)[by_cell],
            "measure_id": np.sort(self._measures)[by_measure],
        }

    def margins(self) -> "dict[str, Array]":
        """Return the columns of its margins: cells are put in order member by member, and added up in runs."""
        import numpy as np  # noqa: PLC0415 - as above

        members = _members(self._content)
        order = np.fromiter(chain.from_iterable(members.values()), np.intp)
        lengths = np.fromiter(map(len, members.values()), np.intp)
        begins = np.cumsum(lengths) - lengths
        values, known = self._values[:, order], self._known[:, order]
        low = high = values
        if not known.all():
            low = np.where(known, values, GREATEST_VALUE)
            high = np.where(known, values, LEAST_VALUE)
        least = np.minimum.reduceat(low, begins, axis=1)
        greatest = np.maximum.reduceat(high, begins, axis=1)
        there = np.logical_or.reduceat(known, begins, axis=1)
        by_measure, by_member = np.nonzero(there)
        return {
            **self._same("part_id", len(by_member)),
            "least": least[there],
            "greatest": greatest[there],
            "member_id": np.array([self._ids.members[each] for each in members], np.int32)[
                by_member
            ],
            "measure_id": self._measures[by_measure],
            "total": as_numeric(np.add.reduceat(values, begins, axis=1)[there]),
        }

    def sketches(self) -> list[tuple[Any, ...]]:
        """Return the rows of its sketches."""
        volume = self._content.period.volume
        return [
            (
                self._slice_id,
                int(self._cells[place]),
                int(self._measures[at]),
                volume,
                sketches.family(image),
                image,
            )
            for at, place, image in self._images
        ]

    def _same(self, slice_column: str, count: int) -> "dict[str, Array]":
        import numpy as np  # noqa: PLC0415 - as above

        return {
            slice_column: np.full(count, self._slice_id, np.int64),
            "volume": np.full(count, self._content.period.volume, np.int16),
        }


def _members(content: Content) -> dict[Member | None, Sequence[int]]:
    """Return, by member, at which places in the content its cells are; the whole has all."""
    places: dict[Member | None, Sequence[int]] = {None: range(content.row_count)}
    for dimension, column in _keys(content):
        by_value: dict[str, list[int]] = defaultdict(list)
        for place, value in enumerate(column):
            by_value[value].append(place)
        places.update(((dimension, value), found) for value, found in by_value.items())
    return places


def _keys(content: Content) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Return the dimensions with their value in each cell; none without cells."""
    return zip(
        content.dimensions, zip(*(cell.key for cell in content.cells), strict=True), strict=False
    )


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


async def _find_ids(connection: asyncpg.Connection, contents: Collection[Content]) -> _Ids:
    """Return the ids of measures, cells and members, adding those that are new, and see to the partitions."""
    volumes = sorted({content.period.volume for content in contents})
    measures = sorted({code for content in contents for code in content.measures})
    cells = list(
        {(content.dimensions, cell.key): None for content in contents for cell in content.cells}
    )
    members = sorted(
        {
            (dimension, value)
            for content in contents
            for dimension, column in _keys(content)
            for value in set(column)
        }
    )
    words = (
        measures,
        orjson.dumps([dict(zip(*cell, strict=True)) for cell in cells]).decode(),
        [dimension for dimension, _ in members],
        [value for _, value in members],
    )
    found = await connection.fetchrow(_FIND, volumes, *words)
    for volume in found["unopened"]:
        await connection.execute("SELECT statistics_open_volume($1)", volume)
    if any(None in found[kind] for kind in ("measures", "cells", "members")):
        # Each in one order: two lanes that bring the same new ones wait for one another and do not deadlock.
        await connection.execute(_ADD_MEASURES, words[0])
        await connection.execute(_ADD_CELLS, words[1])
        await connection.execute(_ADD_MEMBERS, *words[2:])
        found = await connection.fetchrow(_FIND, volumes, *words)
    return _Ids(
        dict(zip(measures, found["measures"], strict=True)),
        dict(zip(cells, found["cells"], strict=True)),
        {None: WHOLE, **dict(zip(members, found["members"], strict=True))},
    )


_FIND = """
SELECT ARRAY(SELECT volume FROM unnest($1::smallint[]) AS w (volume)
             WHERE NOT EXISTS (SELECT FROM statistics_volume v WHERE v.volume = w.volume) ORDER BY 1) AS unopened,
       ARRAY(SELECT m.id FROM unnest($2::text[]) WITH ORDINALITY AS w (code, place)
             LEFT JOIN statistics_measure m ON m.code = w.code ORDER BY w.place) AS measures,
       ARRAY(SELECT c.id FROM jsonb_array_elements($3::text::jsonb) WITH ORDINALITY AS w (dims, place)
             LEFT JOIN LATERAL (SELECT c.id FROM statistics_cell c WHERE c.dims = w.dims OFFSET 0) c ON true
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
SELECT w.dims FROM jsonb_array_elements($1::text::jsonb) AS w (dims)
WHERE NOT EXISTS (SELECT FROM statistics_cell c WHERE c.dims = w.dims)
ORDER BY w.dims ON CONFLICT DO NOTHING
"""
_ADD_MEMBERS = """
INSERT INTO statistics_member (dimension, value)
SELECT w.dimension, w.value FROM unnest($1::text[], $2::text[]) AS w (dimension, value)
WHERE NOT EXISTS (SELECT FROM statistics_member m WHERE m.dimension = w.dimension AND m.value = w.value)
ORDER BY w.dimension, w.value ON CONFLICT DO NOTHING
"""
