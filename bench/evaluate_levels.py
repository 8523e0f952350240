"""Evaluating the levels of a whole city, against one bare statement that computes the same levels.

The statement is what an analyst would write: the mean monthly spend of each customer and the level it gives. The
evaluation besides looks for appointments and groups, minds the grace, compares with the results that hold, and writes
those that differ, of the customers whose bills changed before each round.
"""

from bench import Benchmark, Result
from bench.big_city import size
from bench.evaluation import ROUNDS, ROUNDS_QUICK, against, by_rule
from services.city_node.level.rule import RULE

BARE = """
    SELECT level, count(*) FROM (
        SELECT CASE WHEN months < 3 THEN 'standard' WHEN mean >= 170000 THEN 'diamond' WHEN mean >= 70000 THEN 'gold'
                    WHEN mean >= 30000 THEN 'silver' ELSE 'standard' END AS level
        FROM (
            SELECT c.id, h.months, coalesce(b.billed, 0) / nullif(h.months, 0) AS mean
            FROM customer c
            CROSS JOIN LATERAL (SELECT least(6, greatest(0, 2026 * 12 + 11 - (
                date_part('year', c.entry_date)::int * 12 + date_part('month', c.entry_date)::int))) AS months) h
            LEFT JOIN (
                SELECT customer_id, sum(charge_fen)::bigint AS billed FROM bill
                WHERE period >= DATE '2026-05-01' AND period < DATE '2026-11-01' GROUP BY customer_id) b ON b.customer_id = c.id
            WHERE c.library = 'in_network') m) l
    GROUP BY level ORDER BY level"""
COUNTED = "SELECT entitled, count(*) FROM level_result WHERE until IS NULL GROUP BY entitled ORDER BY entitled"


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    rounds = ROUNDS_QUICK if quick else ROUNDS
    found = await against(by_rule(RULE), RULE.table, BARE, COUNTED, size(quick=quick), rounds)
    return Result(1000 * found.evaluation, 1000 * found.bare, {"first": 1000 * found.first})


BENCHMARK = Benchmark(
    name="evaluate-levels",
    summary="levels of a whole city, against one bare statement that computes the same",
    unit="ms",
    target=0.5,
    run=run,
    smaller_is_better=True,
)
