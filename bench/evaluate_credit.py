"""Evaluating the credit of a whole city, against one bare statement that computes the same ratings and limits."""

from bench import Benchmark, Result
from bench.big_city import size
from bench.evaluation import ROUNDS, ROUNDS_QUICK, against, by_rule
from services.city_node.credit.scorecard import RULE

BARE = """
    SELECT rating, count(*), sum(score)::bigint, sum(limit_fen)::bigint FROM (
        SELECT score,
               CASE WHEN score >= 80 THEN 'A' WHEN score >= 65 THEN 'B' WHEN score >= 50 THEN 'C' WHEN score >= 35 THEN 'D' ELSE 'E' END AS rating,
               CASE WHEN score >= 80 THEN least(1000000, mean * 3) WHEN score >= 65 THEN least(500000, mean * 2)
                    WHEN score >= 50 THEN least(200000, mean) WHEN score >= 35 THEN least(50000, mean / 2) ELSE 0 END / 10000 * 10000 AS limit_fen
        FROM (
            SELECT mean,
                   CASE WHEN tenure >= 60 THEN 20 WHEN tenure >= 36 THEN 15 WHEN tenure >= 24 THEN 10 WHEN tenure >= 12 THEN 5 ELSE 0 END
                   + CASE WHEN mean >= 170000 THEN 20 WHEN mean >= 70000 THEN 16 WHEN mean >= 30000 THEN 12 WHEN mean >= 10000 THEN 6 ELSE 0 END
                   + CASE WHEN punctual >= 1000 THEN 25 WHEN punctual >= 900 THEN 18 WHEN punctual >= 750 THEN 10 WHEN punctual >= 500 THEN 4 ELSE 0 END
                   + CASE WHEN overdue >= 100000 THEN 0 WHEN overdue >= 30000 THEN 3 WHEN overdue >= 5000 THEN 8 WHEN overdue >= 1 THEN 12 ELSE 20 END
                   + CASE WHEN stopped >= 3 THEN 0 WHEN stopped >= 2 THEN 2 WHEN stopped >= 1 THEN 4 ELSE 7 END
                   + CASE contract_term WHEN 'monthly' THEN 2 WHEN 'one_year' THEN 5 WHEN 'two_year' THEN 8 ELSE 0 END AS score
            FROM (
                SELECT c.contract_term, greatest(0, m.since_entry - (date_part('day', c.entry_date) > 1)::int) AS tenure,
                       coalesce(coalesce(b.billed, 0) / nullif(least(12, greatest(0, m.since_entry)), 0), 0) AS mean,
                       1000 * b.on_time / nullif(b.due, 0) AS punctual, coalesce(b.overdue, 0) AS overdue, coalesce(s.stopped, 0) AS stopped
                FROM customer c
                CROSS JOIN LATERAL (SELECT 2026 * 12 + 11 - (
                    date_part('year', c.entry_date)::int * 12 + date_part('month', c.entry_date)::int) AS since_entry) m
                LEFT JOIN (
                    SELECT customer_id, sum(charge_fen) FILTER (WHERE period >= DATE '2025-11-01')::bigint AS billed,
                           count(*) FILTER (WHERE period >= DATE '2025-11-01' AND period < DATE '2026-10-01') AS due,
                           count(*) FILTER (WHERE period >= DATE '2025-11-01' AND period < DATE '2026-10-01'
                                            AND paid_on < period + interval '2 months') AS on_time,
                           sum(charge_fen) FILTER (WHERE paid_on IS NULL AND charge_fen > 0 AND period < DATE '2026-10-01') AS overdue
                    FROM bill WHERE period < DATE '2026-11-01' AND (period >= DATE '2025-11-01' OR paid_on IS NULL)
                    GROUP BY customer_id) b ON b.customer_id = c.id
                LEFT JOIN (
                    SELECT customer_id, count(*) AS stopped FROM customer_change
                    WHERE changes @> '[{"new": "suspended"}]' AND at >= TIMESTAMPTZ '2025-11-01 00:00+08'
                    GROUP BY customer_id) s ON s.customer_id = c.id
                WHERE c.library = 'in_network') f) p) l
    GROUP BY rating ORDER BY rating"""
COUNTED = """
    SELECT rating, count(*), sum(score)::bigint, sum(limit_fen)::bigint
    FROM credit_result WHERE until IS NULL GROUP BY rating ORDER BY rating"""


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    rounds = ROUNDS_QUICK if quick else ROUNDS
    found = await against(by_rule(RULE), RULE.table, BARE, COUNTED, size(quick=quick), rounds)
    return Result(1000 * found.evaluation, 1000 * found.bare, {"first": 1000 * found.first})


BENCHMARK = Benchmark(
    name="evaluate-credit",
    summary="credit of a whole city, against one bare statement that computes the same",
    unit="ms",
    target=0.5,
    run=run,
    smaller_is_better=True,
)
