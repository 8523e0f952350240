"""Filling HQ's store with years of figures by SQL, as if every city had told them."""

import asyncpg
import orjson

from bench.nation_figures import cell_keys
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period, PeriodKind

_CELLS = 40
_LAST = {PeriodKind.MONTH: Period.parse("2026-11"), PeriodKind.DAY: Period.parse("2026-11-30")}
TOLD = (
    (
        PeriodKind.MONTH,
        "customer",
        ("customers", "new_customers", "lost_customers", "highest_monthly_charge_fen"),
    ),
    (PeriodKind.MONTH, "interaction", ("interactions", "complaints")),
    (PeriodKind.DAY, "interaction", ("interactions",)),
)
"""What is told: by month or day, of which dataset, which measures."""
_SLICES = """
INSERT INTO statistics_slice (dataset, node, period, revision, hash, row_count, control_totals, computed_at, received_at)
SELECT $1::text, node, period, 1, md5(node || period), $4, $5::text::jsonb, '2026-12-01', '2026-12-01'
FROM unnest($2::text[]) AS node, unnest($3::text[]) AS period
"""
_FACTS = """
INSERT INTO statistics_fact (slice_id, value, cell_id, measure_id, volume)
SELECT s.id, 1 + abs(hashint8(s.id * 1000 + c.id * 10 + m.id)) % 1000, c.id, m.id, $2::smallint
FROM statistics_slice s, statistics_cell c, statistics_measure m
WHERE s.dataset = $1::text AND s.period = ANY($3::text[]) AND c.dims ?& $4::text[] AND m.code = ANY($5::text[])
"""
_MARGINS = """
INSERT INTO statistics_margin (part_id, measure_id, volume, member_id, total, least, greatest)
SELECT f.slice_id, f.measure_id, f.volume, p.id, sum(f.value), min(f.value), max(f.value)
FROM statistics_fact f JOIN statistics_slice s ON s.id = f.slice_id AND s.dataset = $2::text JOIN (
    SELECT c.id AS cell_id, m.id FROM statistics_cell c CROSS JOIN LATERAL jsonb_each_text(c.dims) d
    JOIN statistics_member m ON m.dimension = d.key AND m.value = d.value
    UNION ALL SELECT id, 0 FROM statistics_cell
) p USING (cell_id)
WHERE f.volume = $1::smallint GROUP BY f.slice_id, f.measure_id, f.volume, p.id
"""
_AFTER = (
    """INSERT INTO statistics_change
    SELECT DISTINCT dataset, period, left(node, 2) || '0000' FROM statistics_slice""",
    "ANALYZE",
)


async def fill(owner: asyncpg.Connection, cities: list[str], years: int, days: int) -> int:
    """Fill the store with so many years of months and so many days; returns how many facts there are."""
    await owner.execute("SET work_mem = '256MB'")
    for dataset in {each for _, each, _ in TOLD}:
        dimensions = CATALOGUE.datasets[dataset].dimensions
        for key in cell_keys(CATALOGUE.datasets[dataset], _CELLS):
            dims = dict(zip(dimensions, key, strict=True))
            await owner.execute(
                "INSERT INTO statistics_cell (dims) VALUES ($1) ON CONFLICT DO NOTHING",
                orjson.dumps(dims).decode(),
            )
    await owner.execute(
        """INSERT INTO statistics_member (dimension, value)
        SELECT DISTINCT d.key, d.value FROM statistics_cell c CROSS JOIN LATERAL jsonb_each_text(c.dims) d"""
    )
    for kind, dataset, measures in TOLD:
        await owner.execute(
            "INSERT INTO statistics_measure (code) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
            list(measures),
        )
        for volume, periods in _periods(
            kind, years * 12 if kind is PeriodKind.MONTH else days
        ).items():
            await owner.execute("SELECT statistics_open_volume($1::smallint)", volume)
            totals = orjson.dumps(dict.fromkeys(measures, 0)).decode()
            await owner.execute(_SLICES, dataset, cities, periods, _CELLS, totals)
            by = list(CATALOGUE.datasets[dataset].dimensions)
            await owner.execute(_FACTS, dataset, volume, periods, by, list(measures))
            await owner.execute("ANALYZE statistics_slice")
            await owner.execute(_MARGINS, volume, dataset)
    for statement in _AFTER:
        await owner.execute(statement)
    facts: int = await owner.fetchval("SELECT count(*) FROM statistics_fact")
    return facts


def _periods(kind: PeriodKind, count: int) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    period = _LAST[kind]
    for _ in range(count):
        found.setdefault(period.volume, []).append(str(period))
        period = period.previous
    return found
