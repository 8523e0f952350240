"""What the gate withholds, decided before anybody reads: no view can solve equations.

The finest cells of each dataset and month are decided as those of an answer are
(:mod:`shared.statistics.withholding`), so that the star, the lake and all answers together tell no more than answers
do. Until that is done, and of what is never decided, the gate lets nothing through: figures by day, whose month would
have to be decided as a whole whenever one comes; revisions that are no longer current; measures that this program does
not know. Where there is no rule, nothing of this is looked at.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache

import asyncpg
import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.capability import NodeContext
from shared.kernel.database import driver_connection
from shared.organisation.division import division
from shared.statistics.aggregation import Aggregation
from shared.statistics.analysis import Analysis
from shared.statistics.catalogue import Catalogue
from shared.statistics.cost import Limits
from shared.statistics.hiding import Withheld
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period
from shared.statistics.privacy import Rule, rule_in_force
from shared.statistics.problems import DisclosureTooCostly, QuestionTooCostly
from shared.statistics.question import Question, RegionLevel
from shared.statistics.standing import CURRENT
from shared.statistics.withholding import count, decide, people_of

log = structlog.get_logger("analysis")

MOST_CELLS = 2_000_000
"""Of one dataset and month; nobody waits for it."""
MOST_TABLES = 40
"""So many datasets and months are decided at once; the others next time."""
LOCK = 0x77697468
"""Key of the advisory lock under which it is decided: ``with`` in ASCII."""
_ENDLESS = Limits(values=2**62)

# ruff: noqa: S608 - constants alone


async def withhold(context: NodeContext, *, now: datetime) -> int:
    """Decide what has not been decided by the rule in force, the latest months first, some; returns how many tables."""
    async with context.database.transaction() as session:
        rule = await rule_in_force(session, context.settings.code, now)
        connection = await driver_connection(session)
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await _keep_rule(connection, rule, now)
        waiting = await _waiting(connection) if rule else []
    if rule is None:
        return 0
    decided = 0
    for row in waiting:
        async with context.database.transaction() as session:
            decided += await _decide(session, rule, row["dataset"], Period.parse(row["period"]))
    return decided


async def _waiting(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    known = list(CATALOGUE.datasets)
    found: list[asyncpg.Record] = await connection.fetch(
        _WAITING, len("2026-11"), known, MOST_TABLES
    )
    return found


async def _keep_rule(connection: asyncpg.Connection, rule: Rule | None, now: datetime) -> None:
    """Note by which rule the gate withholds; what was decided by another is forgotten."""
    kept = await connection.fetchval("SELECT rule FROM analysis_rule")
    text = rule and f"{rule!r} {_about_whom()}"
    if kept == text:
        return
    for table in ("rule", "decided", "withheld", "about"):
        await connection.execute(f"DELETE FROM analysis_{table}")
    if rule is not None:
        await connection.execute("INSERT INTO analysis_rule VALUES ($1, $2)", text, now)


@cache
def _about_whom() -> str:
    """Return what changes when the datasets of the program are about others."""
    said = [
        (each.code, each.people, sorted(each.others.items())) for each in CATALOGUE.dataset_list
    ]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


async def _decide(session: AsyncSession, rule: Rule, dataset: str, period: Period) -> bool:
    """Decide a dataset's month; tells whether it has few enough cells."""
    connection = await driver_connection(session)
    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
    question = _finest(CATALOGUE, rule, dataset, period)
    people = await people_of(session, question, CATALOGUE, rule)
    slices = [part.slice_ids[0] for each in people for part in each.parts]
    try:
        counted = await count(session, people, CATALOGUE, _ENDLESS)
        found = await asyncio.to_thread(
            decide, question, CATALOGUE, rule, people, counted, most=MOST_CELLS
        )
    except (DisclosureTooCostly, QuestionTooCostly):
        log.warning("too many cells to decide", dataset=dataset, period=str(period))
        return False
    await connection.execute(_FORGET, dataset, str(period))
    await connection.execute(_ABOUT, *_about(CATALOGUE, dataset))
    await connection.execute(_UNKNOWN, list(CATALOGUE.indicators))
    if people:
        await _keep(connection, slices, period, question, found)
        await connection.execute(_DECIDED, slices)
    else:  # about nobody: nothing is withheld
        await connection.execute(_ALL_DECIDED, dataset, str(period))
    return True


def _finest(catalogue: Catalogue, rule: Rule, dataset: str, period: Period) -> Question:
    """Return the question for the people of a dataset by everything that its facts tell apart."""
    own, counts_of = catalogue.datasets[dataset].dimensions, catalogue.datasets[dataset].counts_of
    counts = {code for each in catalogue.measures_of(dataset) for code in counts_of(each.code)}
    return Question(
        indicators=tuple(catalogue.indicators[code] for code in sorted(counts)),
        periods=(period,),
        by_period=True,
        dimensions=tuple(each for each in catalogue.dimension_list if each.code in own),
        region=division(rule.node),
        region_level=RegionLevel.CITY,
        filters=(),
        as_known_at=None,
        scope=rule.node,
        analysis=Analysis(),
    )


def _about(catalogue: Catalogue, dataset: str) -> tuple[list[str], list[str], list[bool]]:
    """Return by which counts each measure of a dataset is withheld, and whether everywhere."""
    counts_of = catalogue.datasets[dataset].counts_of
    rows = [
        (each.code, code, each.aggregation in {Aggregation.MAX, Aggregation.MIN})
        for each in catalogue.measures_of(dataset)
        for code in counts_of(each.code)
    ]
    return [x for x, _, _ in rows], [x for _, x, _ in rows], [x for _, _, x in rows]


async def _keep(
    connection: asyncpg.Connection,
    slices: Sequence[int],
    period: Period,
    question: Question,
    found: Withheld,
) -> None:
    names = [each.code for each in question.dimensions]
    rows = [
        (str(region), orjson.dumps(dict(zip(names, values, strict=True))).decode(), code)
        for (_, region, *values), codes in found.rows.items()
        for code in codes
    ]
    columns: Sequence[list[str]] = [list(each) for each in zip(*rows, strict=True)] or [[], [], []]
    await connection.execute(_ADD_CELLS, columns[1])
    await connection.execute(_KEEP, slices, period.volume, *columns)


async def run_withholding(context: NodeContext, now: datetime) -> None:
    """Decide what the star and the lake withhold; by the clock."""
    if decided := await withhold(context, now=now):
        log.info("decided what is withheld", tables=decided)


# A month of a dataset is decided anew when any of its slices has come or gone.
_WAITING = f"""
SELECT s.dataset, s.period FROM statistics_slice s LEFT JOIN analysis_decided d ON d.slice_id = s.id
WHERE length(s.period) = $1 AND s.dataset = ANY($2::text[])
  AND ((({CURRENT}) AND d.slice_id IS NULL) OR (NOT ({CURRENT}) AND d.slice_id IS NOT NULL))
GROUP BY s.dataset, s.period ORDER BY s.period DESC, s.dataset LIMIT $3
"""
_FORGET = """
WITH gone AS (
    DELETE FROM analysis_decided d USING statistics_slice s
    WHERE s.id = d.slice_id AND s.dataset = $1 AND s.period = $2 RETURNING d.slice_id
)
DELETE FROM analysis_withheld w USING gone WHERE w.slice_id = gone.slice_id
"""
_ABOUT = """
INSERT INTO analysis_about (measure_id, count_id, always)
SELECT m.id, c.id, a.always FROM unnest($1::text[], $2::text[], $3::boolean[]) AS a (measure, count, always)
JOIN statistics_measure m ON m.code = a.measure JOIN statistics_measure c ON c.code = a.count
ON CONFLICT DO NOTHING
"""
_UNKNOWN = """
INSERT INTO analysis_about (measure_id, count_id, always)
SELECT m.id, m.id, true FROM statistics_measure m WHERE m.code <> ALL($1::text[]) ON CONFLICT DO NOTHING
"""
_ADD_CELLS = """
INSERT INTO statistics_cell (dims) SELECT DISTINCT w.dims::jsonb FROM unnest($1::text[]) AS w (dims)
WHERE NOT EXISTS (SELECT FROM statistics_cell c WHERE c.dims = w.dims::jsonb) ON CONFLICT DO NOTHING
"""
_KEEP = """
INSERT INTO analysis_withheld (slice_id, cell_id, count_id, volume)
SELECT s.id, c.id, m.id, $2::smallint
FROM unnest($3::text[], $4::text[], $5::text[]) AS w (city, dims, count)
JOIN statistics_slice s ON s.id = ANY($1::bigint[]) AND s.node = w.city
JOIN statistics_cell c ON c.dims = w.dims::jsonb
JOIN statistics_measure m ON m.code = w.count
"""
_DECIDED = "INSERT INTO analysis_decided SELECT DISTINCT unnest($1::bigint[])"
_ALL_DECIDED = f"""
INSERT INTO analysis_decided SELECT s.id FROM statistics_slice s
WHERE s.dataset = $1 AND s.period = $2 AND {CURRENT}
"""
