"""Twenty questions to HQ over a long store, against the same in a materialised view and in DuckDB.

The store has months of two datasets and days of one, of every city: two years of months and three months of days, or
as many years of both as the environment variable ``STATS_YEARS`` says; ten is the whole. It is filled by SQL, and put
together by the program. The questions go from one number to tables by period, province and two dimensions. The program
answers each with its provenance. The view holds what an analyst would prepare: sums and extrema by month or day,
province, measure and cell, indexed; DuckDB reads Parquet with every fact of every city. Both are asked the same SQL,
and the best of them is the ceiling of a question. What counts is the 95th percentile over the questions. All three come
to the same figures, which is checked.
"""

import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import orjson
import structlog

from bench import Benchmark, Result
from bench.city import owner_url
from bench.lanes import percentile
from bench.nation_figures import COMPUTED, cities, open_hq
from bench.stats_filling import fill
from shared.capability import NodeContext
from shared.kernel.tier import Tier
from shared.statistics.aggregate import put_together
from shared.statistics.indicators import CATALOGUE
from shared.statistics.privacy import Terms
from shared.statistics.question import Words, read_question
from shared.statistics.service import Manner, answer

# ruff: noqa: S608 - put together from the texts of this module
YEARS = "STATS_YEARS"
DAYS = 92
ROUNDS, ROUNDS_QUICK = 7, 3
_M, _Y, _D = ("2026-11", "2026-11"), ("2025-12", "2026-11"), ("2026-09-01", "2026-11-30")
_ALL = ("{first}", "2026-11")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the fixed set."""

    measures: tuple[str, ...]
    bounds: tuple[str, str]
    by: tuple[str, ...] = ("period",)
    level: str = "nation"
    where: tuple[tuple[str, str], ...] = ()


_CHANGE = ("new_customers", "lost_customers")
QUESTIONS = (
    Asked(("customers",), _M),
    Asked(("customers", *_CHANGE), _M),
    Asked(("new_customers",), _Y),
    Asked(("new_customers",), _ALL),
    Asked(_CHANGE, _ALL, ("region",)),
    Asked(("customers",), _Y, where=(("level", "gold"),)),
    Asked(("customers",), _M, ("region",), "province"),
    Asked(_CHANGE, _Y, ("period", "region"), "province"),
    Asked(("new_customers",), _ALL, ("period", "region"), "province"),
    Asked(("customers",), _M, ("level",)),
    Asked(("customers",), _Y, ("period", "level")),
    Asked(_CHANGE, _ALL, ("period", "level")),
    Asked(("new_customers",), _Y, ("region", "sex"), "province"),
    Asked(("customers",), _M, ("level", "sex")),
    Asked(_CHANGE, _Y, ("period", "level", "contract_term")),
    Asked(("new_customers",), _Y, ("region", "level", "sex"), "province"),
    Asked(("highest_monthly_charge_fen",), _ALL, ("period",)),
    Asked(("interactions",), _D, ("period",)),
    Asked(("interactions",), _D, ("period", "channel")),
    Asked(("interactions",), _D, ("period", "region"), "province"),
)


def _sql(asked: Asked, bounds: tuple[str, str], table: str) -> str:
    columns = ["province" if each == "region" else each for each in asked.by if each != "region" or asked.level == "province"]  # fmt: skip
    values = [
        f"max(greatest) FILTER (WHERE measure = '{code}') AS {code}"
        if code.startswith("highest")
        else f"sum(total) FILTER (WHERE measure = '{code}') AS {code}"
        for code in asked.measures
    ]
    measures = ", ".join(f"'{code}'" for code in asked.measures)
    conditions = [
        f"measure IN ({measures})",
        f"period BETWEEN '{bounds[0]}' AND '{bounds[1]}'",
        f"length(period) = {len(bounds[0])}",
        *(f"{dimension} = '{value}'" for dimension, value in asked.where),
    ]
    group = f" GROUP BY {', '.join(columns)}" if columns else ""
    return f"SELECT {', '.join([*columns, *values])} FROM {table} WHERE {' AND '.join(conditions)}{group}"


async def _ask(context: NodeContext, asked: Asked, bounds: tuple[str, str]) -> list[Any]:
    words = Words(
        indicators=asked.measures,
        first=bounds[0],
        last=bounds[1],
        by=asked.by,
        region_level=asked.level,
        filters={dimension: [value] for dimension, value in asked.where},
    )
    question = read_question(words, CATALOGUE, scope="000000", now=COMPUTED)
    async with context.database.transaction() as session:
        found = await answer(
            session, question, Terms(CATALOGUE, None), here="000000", manner=Manner(in_full=False)
        )
    rows: list[Any] = orjson.loads(found.body or b"")["rows"]
    return [[row["values"][code] for code in asked.measures] for row in rows]


async def _timed(ask: Callable[[], Awaitable[list[Any]]], rounds: int) -> tuple[float, list[Any]]:
    times = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        found = await ask()
        times.append(1000 * (time.perf_counter() - began))
    return median(times[1:]), found


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    years = int(os.environ.get(YEARS, "1" if quick else "2"))
    days = years * 365 if YEARS in os.environ else 31 if quick else DAYS
    rounds = ROUNDS_QUICK if quick else ROUNDS
    first = f"{2026 - years}-12"
    async with open_hq() as (context, home):
        owner = await asyncpg.connect(owner_url(context))
        facts = await fill(owner, cities(), years, days)
        await put_together(context.database, Tier.HQ, now=COMPUTED)
        await owner.execute("VACUUM ANALYZE")
        duck = await _bare(owner, home)
        ours: list[float] = []
        bare: list[float] = []
        times: dict[str, float] = {}
        for number, asked in enumerate(QUESTIONS, 1):
            bounds = (asked.bounds[0].format(first=first), asked.bounds[1])

            async def through_view(sql: str = _sql(asked, bounds, "bare")) -> list[Any]:
                whole = await owner.fetchval(f"SELECT json_agg(r) FROM ({sql}) r")
                return [list(row.values()) for row in orjson.loads(whole)]

            async def through_duck(sql: str = _sql(asked, bounds, "fact")) -> list[Any]:
                return [list(row) for row in duck.execute(sql).fetchall()]

            mine, found = await _timed(partial(_ask, context, asked, bounds), rounds)
            view, same = await _timed(through_view, rounds)
            lake, also = await _timed(through_duck, rounds)
            count = len(asked.measures)
            told = [
                sorted(tuple(map(int, row[-count:])) for row in each)
                for each in (found, same, also)
            ]
            assert told[0] == told[1] == told[2], (asked, [each[:3] for each in told])
            ours.append(mine)
            bare.append(min(view, lake))
            times |= {f"{number}": mine, f"{number} view": view, f"{number} duckdb": lake}
        await owner.close()
    return Result(
        percentile(ours, 95), percentile(bare, 95), {"facts": facts, "years": years, **times}
    )


async def _bare(owner: asyncpg.Connection, home: Path) -> Any:
    import duckdb  # noqa: PLC0415 - of the benchmark alone

    dims = "level contract_term sex channel".split()  # noqa: SIM905 - read as a list
    columns = ", ".join(f"c.dims->>'{each}' AS {each}" for each in dims)
    flat = f"""
        SELECT s.period, left(s.node, 2) || '0000' AS province, s.node AS city, m.code AS measure, {columns}, f.value
        FROM statistics_slice s JOIN statistics_fact f ON f.slice_id = s.id
        JOIN statistics_measure m ON m.id = f.measure_id JOIN statistics_cell c ON c.id = f.cell_id
        WHERE s.superseded_at IS NULL"""
    names = ", ".join(dims)
    await owner.execute(
        f"""CREATE MATERIALIZED VIEW bare AS
        SELECT period, province, measure, {names}, sum(value) AS total, min(value) AS least, max(value) AS greatest
        FROM ({flat}) f GROUP BY period, province, measure, {names}"""
    )
    await owner.execute("CREATE INDEX ON bare (measure, period)")
    await owner.execute("VACUUM ANALYZE bare")
    csv, parquet = home / "facts.csv", home / "facts.parquet"
    await owner.copy_from_query(
        f"{flat} ORDER BY measure, period, city", output=str(csv), format="csv"
    )
    duck = duckdb.connect()
    names_of = ["period", "province", "city", "measure", *dims, "value"]
    duck.execute(
        f"COPY (SELECT *, value AS total, value AS greatest FROM read_csv('{csv}', header=false, names={names_of}, "
        f"types={{'period': 'VARCHAR', 'province': 'VARCHAR', 'city': 'VARCHAR'}})) TO '{parquet}' (FORMAT parquet)"
    )
    csv.unlink()
    duck.execute(f"CREATE VIEW fact AS SELECT * FROM '{parquet}'")
    return duck


BENCHMARK = Benchmark(
    name="stats-questions",
    summary="p95 of twenty national questions over years, against the best of a materialised view and DuckDB",
    unit="ms",
    target=0.5,
    run=run,
    smaller_is_better=True,
)
