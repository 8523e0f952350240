"""Every query of the export: which periods there are in which state, and the rows of a partition."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson

from shared.analysis.parquet import ROWS_AT_ONCE, Layout, Measured
from shared.statistics.period import Period
from shared.statistics.standing import CURRENT

# ruff: noqa: S608 - statements are put together from codes of the catalogue alone

LOCK = 0x6C616B65
"""Key of the advisory lock of an export: ``lake`` in ASCII."""

_CURRENT = f"s.dataset = $1 AND {CURRENT}"
_RULE = """coalesce((SELECT min(r.rule) FROM analysis_rule r) || count(d.slice_id), '')"""
_DECIDED = "LEFT JOIN analysis_decided d ON d.slice_id = s.id"
_SAID = """string_agg(s.node || ' ' || s.revision || ' ' || s.hash, ',' ORDER BY s.node)"""
_STATE = f"encode(sha256(convert_to({_SAID} || {_RULE}, 'UTF8')), 'hex')"
_STATES = f"""
    SELECT s.period, {_STATE} AS state FROM statistics_slice s {_DECIDED} WHERE {_CURRENT} GROUP BY s.period ORDER BY s.period"""
_MADE_OF = f"""
    SELECT {_STATE} AS state, count(*) AS cities,
           coalesce(json_object_agg(s.node, s.revision ORDER BY s.node) FILTER (WHERE s.revision > 1), '{{}}')::text
               AS restated
    FROM statistics_slice s {_DECIDED} WHERE {_CURRENT} AND s.period = $2 HAVING count(*) > 0"""
_ROW = """s.node, left(s.node, 2) || '0000',
           (CASE WHEN length(s.period) = 7 THEN s.period || '-01' ELSE s.period END)::date, s.revision"""
_SLICES = f"""
    SELECT {_ROW}, s.row_count, s.hash, s.reason, s.computed_at, s.received_at
    FROM statistics_slice s WHERE {_CURRENT} AND s.period = $2 ORDER BY s.node"""


@dataclass(frozen=True, slots=True)
class MadeOf:
    """The revisions that a partition is made of."""

    state: str
    cities: int
    restated: dict[str, int]


async def acquire(connection: asyncpg.Connection) -> bool:
    """Take the lock of an export for as long as the connection lives; tells whether nobody else has it."""
    taken: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK)
    return taken


async def states(connection: asyncpg.Connection, dataset: str) -> dict[str, str]:
    """Return the state of each period of a dataset that there are current slices of."""
    return {row["period"]: row["state"] for row in await connection.fetch(_STATES, dataset)}


async def made_of(connection: asyncpg.Connection, dataset: str, period: str) -> MadeOf | None:
    """Return the revisions that a partition is made of; nothing if there are none any more."""
    row = await connection.fetchrow(_MADE_OF, dataset, period)
    return row and MadeOf(row["state"], row["cities"], orjson.loads(row["restated"]))


async def slices(
    connection: asyncpg.Connection, dataset: str, period: str
) -> AsyncIterator[Sequence[Sequence[Any]]]:
    """Give the current slices of a dataset and period, some at a time."""
    async for rows in _some_at_a_time(connection, _SLICES, dataset, period):
        yield rows


async def facts(
    connection: asyncpg.Connection, layout: Layout, period: str
) -> AsyncIterator[Sequence[Sequence[Any]]]:
    """Give the cells of a dataset and period, a column for each measure, some at a time."""
    codes = [each.code for each in layout.measures]
    known = await connection.fetch(
        "SELECT code, id FROM statistics_measure WHERE code = ANY($1::text[])", codes
    )
    statement = _facts(layout, {row["code"]: row["id"] for row in known})
    async for rows in _some_at_a_time(
        connection, statement, layout.dataset, period, Period.parse(period).volume
    ):
        yield rows


def _facts(layout: Layout, ids: dict[str, int]) -> str:
    dimensions = [f"c.dims->>'{code}'" for code in layout.dimensions]
    order = ", ".join(["s.node", *dimensions])
    columns = [_ROW, *dimensions, *(_value(each, ids.get(each.code)) for each in layout.measures)]
    return f"""
        SELECT {", ".join(columns)}
        FROM statistics_slice s
        JOIN (SELECT * FROM analysis_fact WHERE volume = $3::smallint
              UNION ALL SELECT * FROM analysis_unsaid WHERE volume = $3::smallint) f ON f.slice_id = s.id
        JOIN statistics_cell c ON c.id = f.cell_id
        WHERE {_CURRENT} AND s.period = $2
        GROUP BY s.id, c.id ORDER BY {order}"""


def _value(measure: Measured, measure_id: int | None) -> str:
    """Return a measure's value in a cell: zero where its city counts it and says nothing, empty where it does not."""
    unsaid = f"s.control_totals ? '{measure.code}' THEN 0" if measure.adds_up else "false THEN 0"
    if measure_id is None:
        return f"(CASE WHEN {unsaid} END)::bigint"
    this = f"f.measure_id = {measure_id}"
    return f"(CASE WHEN bool_or({this}) THEN max(f.value) FILTER (WHERE {this}) WHEN {unsaid} END)::bigint"


async def _some_at_a_time(
    connection: asyncpg.Connection, statement: str, *values: Any
) -> AsyncIterator[Sequence[Sequence[Any]]]:
    cursor = await connection.cursor(statement, *values)
    while rows := await cursor.fetch(ROWS_AT_ONCE):
        yield rows
