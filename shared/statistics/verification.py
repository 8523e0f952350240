"""Checking the store: whether margins and aggregates are what the facts of the slices give, counted anew.

One statement a partition recomputes all of it from the facts and names what differs; nothing is changed. Aggregates'
sketches are merged anew from those of the slices.
"""

from dataclasses import dataclass

import asyncpg

from shared.kernel.database import Database, driver_connection
from shared.kernel.tier import Tier
from shared.organisation.division import HQ_CODE
from shared.statistics.aggregate import IMAGES_AT_ONCE, SKETCHES_OF_SLICES
from shared.statistics.period import month_of_volume
from shared.statistics.sketches import DIGEST, DISTINCT_FAMILY, Distinct, digest, merged
from shared.statistics.standing import CURRENT

MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it should be.

    Attributes:
        what: ``margin``, ``cell``, ``sketch``, or ``slices`` for an aggregate that is not made of what is current.
        dataset, period, region: of the slice or aggregate.
        measure: code; nothing for ``slices``.
        place: the dimension's value or the cell, nothing for the whole.
        stored: what is there; of a sketch its digest.
        recomputed: what should be.
    """

    what: str
    dataset: str
    period: str
    region: str
    measure: str | None
    place: str | None
    stored: int | None
    recomputed: int | None


async def differences(database: Database, tier: Tier) -> list[Difference]:
    """Return what differs, at most so many of each partition.

    Args:
        database: the node's.
        tier: the node's: a city has no aggregates, and a province none of the nation.
    """
    found: list[Difference] = []
    pool = await database.pool()
    volumes = await pool.fetch("SELECT volume FROM statistics_volume ORDER BY volume")
    for row in volumes:
        async with database.transaction() as session:
            connection = await driver_connection(session)
            month = str(month_of_volume(row["volume"]))
            rows = await connection.fetch(_statement(tier), row["volume"], month, MOST_NAMED)
            found += [Difference(*each) for each in rows]
            found += await _sketches(connection, row["volume"], month)
    return found


async def _sketches(connection: asyncpg.Connection, volume: int, month: str) -> list[Difference]:
    """Merge the sketches of the current aggregates of a partition anew, and return those that differ."""
    ids = [row["id"] for row in await connection.fetch(_AGGREGATES, volume, month)]
    stored = {
        (row["part_id"], row["cell_id"], row["measure_id"]): row["digest"]
        for row in await connection.fetch(_STORED_SKETCHES, ids, volume)
    }
    images = connection.cursor(
        SKETCHES_OF_SLICES, ids, volume, DISTINCT_FAMILY, prefetch=IMAGES_AT_ONCE
    )
    anew = {key: digest(each.image()) async for key, each in merged(images, Distinct)}
    keys = sorted(each for each in {*stored, *anew} if stored.get(each) != anew.get(each))
    found = []
    for key in keys[:MOST_NAMED]:
        named = await connection.fetchrow(_NAMED, *key)
        rest = [*named.values(), stored.get(key), anew.get(key)]
        found.append(Difference("sketch", *rest))
    return found


_AGGREGATES = """
SELECT a.id FROM statistics_aggregate a
WHERE a.replaced_at IS NULL AND left(a.period, 7) = $2 AND (length(a.period) > 7) = ($1 < 0)
"""
_STORED_SKETCHES = f"""
SELECT f.part_id, f.cell_id, f.measure_id, {DIGEST.format("f.image")} AS digest
FROM statistics_sketch f WHERE f.part_id = ANY($1::bigint[]) AND f.volume = $2::smallint
"""  # noqa: S608 - a constant
_NAMED = """
SELECT a.dataset, a.period, a.region, m.code, c.dims::text
FROM statistics_aggregate a, statistics_cell c, statistics_measure m WHERE (a.id, c.id, m.id) = ($1, $2, $3)
"""


def _statement(tier: Tier) -> str:
    regions = _REGIONS[tier]
    slices = _SLICES.format(regions=regions, current=CURRENT, nation=HQ_CODE) if regions else ""
    return _RECOMPUTE.replace("/* slices */", slices)


_PROVINCE = "(left(s.node, 2) || '0000')"
_REGIONS = {
    Tier.CITY: "",
    Tier.PROVINCE: _PROVINCE,
    Tier.HQ: f"{_PROVINCE}, ('{HQ_CODE}')",
}
"""Of which regions a node has aggregates; in SQL, for a slice ``s``."""
_SLICES = """
    UNION ALL
    SELECT 'slices', g.dataset, g.period, g.region, NULL, NULL, g.stored, g.recomputed
    FROM (
        SELECT dataset, period, region, cardinality(a.slice_ids) AS stored, cardinality(e.slice_ids) AS recomputed
        FROM (
            SELECT s.dataset, s.period, r.region, array_agg(s.id ORDER BY s.node) AS slice_ids
            FROM statistics_slice s CROSS JOIN LATERAL (VALUES {regions}) AS r (region)
            WHERE {current} AND s.id IN (SELECT part_id FROM part)
            GROUP BY s.dataset, s.period, r.region
        ) e FULL JOIN (
            SELECT * FROM statistics_aggregate WHERE id IN (SELECT part_id FROM part)
        ) a USING (dataset, period, region)
        WHERE a.slice_ids IS DISTINCT FROM e.slice_ids
    ) g
    WHERE NOT EXISTS (SELECT FROM statistics_change c WHERE c.dataset = g.dataset AND c.period = g.period
                      AND (c.region = g.region OR g.region = '{nation}'))
"""
_RECOMPUTE = """
WITH part AS MATERIALIZED (
    SELECT s.id AS part_id, s.id AS slice_id, s.dataset, s.period, s.node AS region FROM statistics_slice s
    WHERE s.rolled_off_at IS NULL AND left(s.period, 7) = $2 AND (length(s.period) > 7) = ($1 < 0)
    UNION ALL
    SELECT a.id, unnest(a.slice_ids), a.dataset, a.period, a.region FROM statistics_aggregate a
    WHERE a.replaced_at IS NULL AND left(a.period, 7) = $2 AND (length(a.period) > 7) = ($1 < 0)
), named AS (
    SELECT DISTINCT part_id, dataset, period, region FROM part
), place AS MATERIALIZED (
    SELECT c.id AS cell_id, m.id AS member_id FROM statistics_cell c
    CROSS JOIN LATERAL jsonb_each_text(c.dims) d
    JOIN statistics_member m ON m.dimension = d.key AND m.value = d.value
    UNION ALL SELECT id, 0 FROM statistics_cell
), fact AS MATERIALIZED (
    SELECT p.part_id, p.part_id <> p.slice_id AS is_aggregate, f.measure_id, f.cell_id, f.value
    FROM part p JOIN statistics_fact f ON f.slice_id = p.slice_id AND f.volume = $1::smallint
), margin AS (
    SELECT part_id, measure_id, member_id, sum(value) AS total, min(value) AS least, max(value) AS greatest
    FROM fact JOIN place USING (cell_id) GROUP BY part_id, measure_id, member_id
), cell AS (
    SELECT part_id, measure_id, cell_id, sum(value) AS total, min(value) AS least, max(value) AS greatest
    FROM fact WHERE is_aggregate GROUP BY part_id, measure_id, cell_id
)
SELECT d.what, d.dataset, d.period, d.region, d.measure, d.place, d.stored, d.recomputed FROM (
    SELECT 'margin' AS what, n.dataset, n.period, n.region, x.code AS measure, m.dimension || '=' || m.value AS place,
           k.total AS stored, r.total AS recomputed
    FROM margin r
    FULL JOIN (SELECT * FROM statistics_margin WHERE volume = $1::smallint AND part_id IN (SELECT part_id FROM part)) k
        USING (part_id, measure_id, member_id)
    JOIN named n USING (part_id) JOIN statistics_measure x ON x.id = measure_id
    LEFT JOIN statistics_member m ON m.id = member_id
    WHERE (k.total, k.least, k.greatest) IS DISTINCT FROM (r.total, r.least, r.greatest)
    UNION ALL
    SELECT 'cell', n.dataset, n.period, n.region, x.code, c.dims::text, k.total, r.total
    FROM cell r
    FULL JOIN (SELECT * FROM statistics_aggregate_fact WHERE volume = $1::smallint
               AND part_id IN (SELECT part_id FROM part)) k USING (part_id, measure_id, cell_id)
    JOIN named n USING (part_id) JOIN statistics_measure x ON x.id = measure_id
    JOIN statistics_cell c ON c.id = cell_id
    WHERE (k.total, k.least, k.greatest) IS DISTINCT FROM (r.total, r.least, r.greatest)
    /* slices */
) d ORDER BY 1, 2, 3, 4, 5, 6 LIMIT $3
"""
