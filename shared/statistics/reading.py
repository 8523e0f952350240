"""Reading a slice back whole, as its city said it, and telling whether its facts are all there."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import driver_connection
from shared.statistics import sketches
from shared.statistics.indicators import CATALOGUE
from shared.statistics.models import StatisticsSlice
from shared.statistics.period import Period
from shared.statistics.slices import Content, Slice

_CELLS = """
SELECT c.dims::text AS dims, json_object_agg(m.code, f.value)::text AS values
FROM statistics_fact f JOIN statistics_cell c ON c.id = f.cell_id JOIN statistics_measure m ON m.id = f.measure_id
WHERE f.slice_id = $1 AND f.volume = $2::smallint GROUP BY c.id, c.dims
"""
_SKETCHES = """
SELECT c.dims::text AS dims, m.code, f.image
FROM statistics_sketch f JOIN statistics_cell c ON c.id = f.cell_id JOIN statistics_measure m ON m.id = f.measure_id
WHERE f.part_id = $1 AND f.volume = $2::smallint
"""
_DAMAGED = f"""
WITH kept AS (
    SELECT id, node, period, dataset, revision, row_count, control_totals FROM statistics_slice
    WHERE period = ANY($1::text[]) AND (superseded_at IS NULL OR in_force_at IS NULL) AND rolled_off_at IS NULL
), sketched AS MATERIALIZED (
    SELECT f.part_id AS slice_id, f.measure_id, f.cell_id, {sketches.DIGEST.format("f.image")} AS value
    FROM statistics_sketch f JOIN kept k ON k.id = f.part_id AND f.volume = ANY($2::smallint[])
), counted AS (
    SELECT slice_id, count(DISTINCT cell_id) AS cells
    FROM (
        SELECT f.slice_id, f.cell_id FROM statistics_fact f
        JOIN kept k ON k.id = f.slice_id AND f.volume = ANY($2::smallint[])
        UNION ALL SELECT slice_id, cell_id FROM sketched
    ) f
    GROUP BY 1
), told AS (
    SELECT f.slice_id, m.code, sum(f.value) AS total
    FROM sketched f JOIN statistics_measure m ON m.id = f.measure_id GROUP BY 1, 2
), added AS (
    SELECT f.slice_id, m.code, sum(f.value) AS total
    FROM statistics_fact f JOIN kept k ON k.id = f.slice_id AND f.volume = ANY($2::smallint[])
    JOIN statistics_measure m ON m.id = f.measure_id
    GROUP BY 1, 2
    UNION ALL SELECT slice_id, code, total FROM told
), margin AS (
    SELECT f.part_id AS slice_id, m.code, f.total
    FROM statistics_margin f JOIN kept k ON k.id = f.part_id AND f.volume = ANY($2::smallint[])
    JOIN statistics_measure m ON m.id = f.measure_id WHERE f.member_id = 0
    UNION ALL SELECT slice_id, code, total FROM told
)
SELECT k.node, k.period, k.dataset, k.revision FROM kept k LEFT JOIN counted c ON c.slice_id = k.id
WHERE k.row_count <> coalesce(c.cells, 0) OR EXISTS (
    SELECT FROM jsonb_each_text(k.control_totals) t LEFT JOIN added a ON a.slice_id = k.id AND a.code = t.key
    LEFT JOIN margin g ON g.slice_id = k.id AND g.code = t.key
    WHERE t.value::numeric <> coalesce(a.total, 0) OR t.value::numeric <> coalesce(g.total, 0))
ORDER BY 1, 2, 3, 4
"""  # noqa: S608 - a constant


async def load(
    session: AsyncSession, node: str, period: str, dataset: str, revision: int
) -> Slice | None:
    """Return a slice that is kept; nothing if it is not, or its facts are no longer those that its hash is of."""
    kept = await session.scalar(
        select(StatisticsSlice).where(
            StatisticsSlice.node == node,
            StatisticsSlice.period == period,
            StatisticsSlice.dataset == dataset,
            StatisticsSlice.revision == revision,
        )
    )
    if kept is None:
        return None
    connection = await driver_connection(session)
    volume = Period.parse(period).volume
    found: dict[str, dict[str, int | bytes]] = {
        row["dims"]: orjson.loads(row["values"])
        for row in await connection.fetch(_CELLS, kept.id, volume)
    }
    for row in await connection.fetch(_SKETCHES, kept.id, volume):
        found.setdefault(row["dims"], {})[row["code"]] = row["image"]
    cells = [(orjson.loads(dims), values) for dims, values in found.items()]
    measures = sorted(kept.control_totals)
    dimensions = _dimensions(dataset, [dims for dims, _ in cells])
    content = Content.of(
        dataset,
        node,
        Period.parse(period),
        dimensions=dimensions,
        measures=measures,
        cells=[
            ([dims[each] for each in dimensions], [values.get(each) for each in measures])
            for dims, values in cells
        ],
    )
    if content.hash != kept.hash:
        return None
    return Slice(content, kept.revision, kept.reason, kept.computed_at)


def _dimensions(dataset: str, dims: Sequence[dict[str, Any]]) -> Sequence[str]:
    """Return the dimensions of a slice: those of its cells, or, without any, those that the dataset has."""
    if dims:
        return sorted(dims[0])
    known = CATALOGUE.datasets.get(dataset)
    return known.dimensions if known else ()


async def damaged(session: AsyncSession, month: str) -> list[tuple[str, str, str, int]]:
    """Return the slices of a month and its days, in force or waiting, whose facts do not add up to what they say.

    Compared are the number of cells and the control totals, with facts and margins: node, period, dataset and revision
    of each that differs. Slices that were rolled off have no facts, and none are amiss.
    """
    connection = await driver_connection(session)
    periods = Period.parse(month).with_days
    volumes = sorted({each.volume for each in periods})
    rows = await connection.fetch(_DAMAGED, [str(each) for each in periods], volumes)
    return [tuple(row) for row in rows]
