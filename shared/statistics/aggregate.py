"""Putting the slices of provinces and of the nation together, so that questions read few rows.

An *aggregate* is made of a set of slices that it names, and slices never change: so it is never wrong, it can only be
no longer of what is current. Whoever makes another slice current notes that in the same transaction
(:func:`shared.statistics.standing.note_change`), by a row that nobody waits for; from then on questions read the
cities of that province themselves, until :func:`put_together` has run. Nothing is ever added to or subtracted from
what is there, so extrema need no other way than sums, and the order in which slices came does not matter.

What is put together at once, in a transaction of its own, is a *lot*: a dataset in one partition, provinces and nation,
which depend on nothing outside of it. Several connections take lots from one list. An interruption undoes the lots
that were under way, whose changes stay noted, and leaves those that were done. Whoever puts a lot together holds it, so
that another who wants it finds nothing left to do; what concerns all lots waits for every one (:func:`take_all_lots`).

Sketches of distinct people are merged; of distributions there are none, for an answer merges those of the slices.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import Database, copy_rows, driver_connection
from shared.kernel.tier import Tier
from shared.organisation.division import HQ_CODE
from shared.statistics.facts import SKETCH_COLUMNS
from shared.statistics.models import StatisticsSketch
from shared.statistics.period import Period
from shared.statistics.sketches import DISTINCT_FAMILY, Distinct, merged
from shared.statistics.standing import CURRENT, FINGERPRINT, begin_generation

LINGERS = timedelta(hours=1)
"""How long an aggregate that was replaced stays, for questions that are being answered."""
MEMORY = "64MB"
"""What one sort or hash may use before it goes to disk."""
IMAGES_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class _Group:
    dataset: str
    period: str
    region: str


@dataclass(frozen=True, slots=True, order=True)
class _Lot:
    dataset: str
    volume: int


async def put_together(
    database: Database, tier: Tier, *, now: datetime, connections: int = 1
) -> int:
    """Make the aggregates of all regions of which other slices have become current; returns how many.

    A lot that fails ends the work of its connection alone; the others take what is left. Then the failure is raised.

    Args:
        database: the node's; each lot is committed by itself.
        tier: the node's: HQ has provinces and the nation, a province itself, a city nothing to put together.
        now: the present moment.
        connections: how many lots are put together at once.
    """
    async with database.transaction() as session:
        connection = await driver_connection(session)
        changed = await connection.fetch(_CHANGED)
    cells: dict[_Lot, int] = defaultdict(int)
    for row in changed:
        cells[_Lot(row["dataset"], Period.parse(row["period"]).volume)] += row["cells"]
    # The largest first, so that nobody waits for one at the end.
    waiting = iter(sorted(cells, key=lambda lot: (-cells[lot], lot)))

    async def work() -> int:
        made = 0
        for lot in waiting:
            async with database.transaction() as session:
                made += await _put_lot_together(session, tier, lot, now)
        return made

    ended = await asyncio.gather(*(work() for _ in range(connections)), return_exceptions=True)
    made = 0
    for each in ended:
        if isinstance(each, BaseException):
            raise each
        made += each
    async with database.transaction() as session:
        await _forget(session, now - LINGERS)
    return made


async def take_all_lots(session: AsyncSession) -> None:
    """Wait until nobody puts anything together, and let nobody begin until the transaction ends."""
    connection = await driver_connection(session)
    await connection.execute(_TAKE_ALL)


async def _put_lot_together(session: AsyncSession, tier: Tier, lot: _Lot, now: datetime) -> int:
    connection = await driver_connection(session)
    await connection.execute(_TAKE_LOT, lot.dataset, str(lot.volume))
    await connection.execute(_SETTINGS)
    noted = await connection.fetch(_CHANGED_PERIODS, lot.dataset)
    periods = [each for (each,) in noted if Period.parse(each).volume == lot.volume]
    groups = {_Group(*row) for row in await connection.fetch(_TAKE_CHANGES, lot.dataset, periods)}
    if not groups:
        return 0
    made = 0
    if tier is not Tier.CITY:
        made += await _make(session, groups, lot.volume, now, _FROM_SLICES)
    if tier is Tier.HQ:
        nation = {_Group(each.dataset, each.period, HQ_CODE) for each in groups}
        made += await _make(session, nation, lot.volume, now, _FROM_PROVINCES)
    await begin_generation(connection)  # last: its one row would keep the other lots waiting
    return made


async def note_all_changed(session: AsyncSession) -> None:
    """Note that everything is to be put together anew."""
    connection = await driver_connection(session)
    await connection.execute(_NOTE_ALL)


async def _make(
    session: AsyncSession,
    groups: Iterable[_Group],
    volume: int,
    now: datetime,
    sources: "_Sources",
) -> int:
    connection = await driver_connection(session)
    columns = list(zip(*((each.dataset, each.period, each.region) for each in groups), strict=True))
    await connection.execute(_REPLACE, *columns, now)
    made = await connection.fetch(_REGISTER, *columns)
    ids = [row["id"] for row in made]
    for statement in sources.numbers:
        await connection.execute(statement, ids, volume)
    images = connection.cursor(
        sources.sketches, ids, volume, DISTINCT_FAMILY, prefetch=IMAGES_AT_ONCE
    )
    people = [
        (*key, volume, DISTINCT_FAMILY, each.image())
        async for key, each in merged(images, Distinct)
    ]
    await copy_rows(session, StatisticsSketch.__tablename__, SKETCH_COLUMNS, people)
    return len(ids)


async def _forget(session: AsyncSession, before: datetime) -> None:
    await take_all_lots(session)
    connection = await driver_connection(session)
    gone = await connection.fetch(
        "DELETE FROM statistics_aggregate WHERE replaced_at < $1 RETURNING id, period", before
    )
    by_volume: dict[int, list[int]] = defaultdict(list)
    for row in gone:
        by_volume[Period.parse(row["period"]).volume].append(row["id"])
    for volume, ids in by_volume.items():
        for table in ("statistics_margin", "statistics_aggregate_fact", "statistics_sketch"):
            await connection.execute(
                f"DELETE FROM {table} WHERE part_id = ANY($1) AND volume = $2",  # noqa: S608 - the two names
                ids,
                volume,
            )


_ALL_LOTS = "hashtextextended('statistics aggregate', 0)"
_TAKE_ALL = f"SELECT pg_advisory_xact_lock({_ALL_LOTS})"
_TAKE_LOT = f"""
SELECT pg_advisory_xact_lock_shared({_ALL_LOTS}),
       pg_advisory_xact_lock(hashtextextended('statistics aggregate ' || $1::text || ' ' || $2::text, 0))
"""
_SETTINGS = f"""
SET LOCAL work_mem = '{MEMORY}'; SET LOCAL enable_memoize = off; SET LOCAL enable_incremental_sort = off;
SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL synchronous_commit = off
"""
"""No slice is read twice, so there is nothing to memoize; to sort takes longer than to find groups by a hash; what is
read of another lot is in another partition; a lot that is lost when the power fails is still noted as changed."""
_CHANGED = f"""
SELECT dataset, period, (SELECT coalesce(sum(row_count), 0)::bigint FROM statistics_slice s
                         WHERE s.dataset = c.dataset AND s.period = c.period AND {CURRENT}) AS cells
FROM (SELECT DISTINCT dataset, period FROM statistics_change) c
"""  # noqa: S608 - a constant
_CHANGED_PERIODS = "SELECT DISTINCT period FROM statistics_change WHERE dataset = $1"
_TAKE_CHANGES = """
DELETE FROM statistics_change WHERE dataset = $1 AND period = ANY($2::text[]) RETURNING dataset, period, region
"""
_NOTE_ALL = f"""
INSERT INTO statistics_change
SELECT DISTINCT s.dataset, s.period, left(s.node, 2) || '0000' FROM statistics_slice s WHERE {CURRENT}
"""  # noqa: S608 - a constant
_REPLACE = """
UPDATE statistics_aggregate a SET replaced_at = $4
FROM unnest($1::text[], $2::text[], $3::text[]) AS g (dataset, period, region)
WHERE (a.dataset, a.period, a.region) = (g.dataset, g.period, g.region) AND a.replaced_at IS NULL
"""
_REGISTER = f"""
INSERT INTO statistics_aggregate (id, dataset, period, region, slice_ids, cities, measures, fingerprint, as_of, row_count)
SELECT nextval(pg_get_serial_sequence('statistics_slice', 'id')), m.dataset, m.period, m.region, m.slice_ids, m.cities,
       ARRAY(SELECT code FROM statistics_slice s CROSS JOIN LATERAL jsonb_object_keys(s.control_totals) AS code
             WHERE s.id = ANY(m.slice_ids) GROUP BY code HAVING count(*) = cardinality(m.slice_ids)),
       m.fingerprint, m.as_of, m.row_count
FROM (
    SELECT g.dataset, g.period, g.region, array_agg(s.id ORDER BY s.node) AS slice_ids,
           string_agg(s.node, ' ' ORDER BY s.node) AS cities, sum({FINGERPRINT}) AS fingerprint,
           min(s.computed_at) AS as_of, sum(s.row_count) AS row_count
    FROM unnest($1::text[], $2::text[], $3::text[]) AS g (dataset, period, region)
    JOIN statistics_slice s ON s.dataset = g.dataset AND s.period = g.period AND {CURRENT}
     AND (g.region = '{HQ_CODE}' OR left(s.node, 2) = left(g.region, 2))
    GROUP BY g.dataset, g.period, g.region
) m
RETURNING id
"""  # noqa: S608 - constants alone


@dataclass(frozen=True, slots=True)
class _Sources:
    """Of what aggregates are made: statements that write numbers, and one that gives sketches."""

    numbers: tuple[str, str]
    sketches: str


SKETCHES_OF_SLICES = """
SELECT a.id, f.cell_id, f.measure_id, f.image
FROM statistics_aggregate a CROSS JOIN LATERAL unnest(a.slice_ids) AS s (id)
JOIN statistics_sketch f ON f.part_id = s.id AND f.volume = $2::smallint AND f.family = $3::smallint
WHERE a.id = ANY($1::bigint[]) ORDER BY 1, 2, 3
"""
_NUMBERS_OF_SLICES = (
    # Slice by slice, aggregate by aggregate: each slice comes as it is sorted already, which makes sorting cheap.
    """
INSERT INTO statistics_aggregate_fact (part_id, measure_id, volume, cell_id, total, least, greatest)
SELECT a.id, f.measure_id, f.volume, f.cell_id, sum(f.value), min(f.value), max(f.value)
FROM statistics_aggregate a CROSS JOIN LATERAL unnest(a.slice_ids) AS s (id) CROSS JOIN LATERAL (
    SELECT * FROM statistics_fact f WHERE f.slice_id = s.id AND f.volume = $2::smallint OFFSET 0) f
WHERE a.id = ANY($1::bigint[])
GROUP BY a.id, f.measure_id, f.volume, f.cell_id ORDER BY a.id, f.measure_id, f.cell_id
""",
    """
INSERT INTO statistics_margin (part_id, measure_id, volume, member_id, total, least, greatest)
SELECT a.id, f.measure_id, f.volume, f.member_id, sum(f.total), min(f.least), max(f.greatest)
FROM statistics_aggregate a CROSS JOIN LATERAL unnest(a.slice_ids) AS s (id)
JOIN statistics_margin f ON f.part_id = s.id AND f.volume = $2::smallint
WHERE a.id = ANY($1::bigint[])
GROUP BY a.id, f.measure_id, f.volume, f.member_id ORDER BY a.id, f.measure_id, f.member_id
""",
)
_PROVINCES = f"""
FROM statistics_aggregate a
JOIN statistics_aggregate p ON p.dataset = a.dataset AND p.period = a.period AND p.replaced_at IS NULL
 AND p.region <> '{HQ_CODE}'
"""
_NUMBERS_OF_PROVINCES = (
    f"""
INSERT INTO statistics_aggregate_fact (part_id, measure_id, volume, cell_id, total, least, greatest)
SELECT a.id, f.measure_id, f.volume, f.cell_id, sum(f.total), min(f.least), max(f.greatest)
{_PROVINCES} JOIN statistics_aggregate_fact f ON f.part_id = p.id AND f.volume = $2::smallint
WHERE a.id = ANY($1::bigint[])
GROUP BY a.id, f.measure_id, f.volume, f.cell_id ORDER BY a.id, f.measure_id, f.cell_id
""",
    f"""
INSERT INTO statistics_margin (part_id, measure_id, volume, member_id, total, least, greatest)
SELECT a.id, f.measure_id, f.volume, f.member_id, sum(f.total), min(f.least), max(f.greatest)
{_PROVINCES} JOIN statistics_margin f ON f.part_id = p.id AND f.volume = $2::smallint
WHERE a.id = ANY($1::bigint[])
GROUP BY a.id, f.measure_id, f.volume, f.member_id ORDER BY a.id, f.measure_id, f.member_id
""",
)
_FROM_SLICES = _Sources(_NUMBERS_OF_SLICES, SKETCHES_OF_SLICES)
_FROM_PROVINCES = _Sources(
    _NUMBERS_OF_PROVINCES,
    f"""
SELECT a.id, f.cell_id, f.measure_id, f.image
{_PROVINCES} JOIN statistics_sketch f ON f.part_id = p.id AND f.volume = $2::smallint AND f.family = $3::smallint
WHERE a.id = ANY($1::bigint[]) ORDER BY 1, 2, 3
""",
)
