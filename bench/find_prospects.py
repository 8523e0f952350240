"""Searching a whole city for prospects, against one bare statement that computes who they are and what they score.

A generated city has nothing from competitors: here one customer in ten pays one, and one in twenty gives it a share.
The statement is what an analyst would write: mean spend, the line through the last months, what goes to competitors,
and the score of the three. The search besides minds appointments, groups, refusals and whoever was turned down not long
ago, compares with the prospects that are open, and writes those that are new, changed or over, with their history.
"""

from datetime import datetime

from bench import Benchmark, Result
from bench.big_city import size
from bench.evaluation import ROUNDS, ROUNDS_QUICK, against
from services.city_node.prospect.finding import Finder
from shared.capability import NodeContext

RIVALS = """
    INSERT INTO competitor_use (id, customer_id, operator, category, monthly_fee_fen, share_percent)
    SELECT gen_random_uuid(), c.id, 'rival', 'data', CASE WHEN n % 20 < 2 THEN 5000 + n % 97 * 1000 END,
           CASE WHEN n % 20 = 2 THEN n % 90 END
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM customer WHERE library = 'in_network') c WHERE n % 20 < 3"""
BARE = """
    WITH spend AS (
        SELECT customer_id, sum(charge_fen) AS billed, sum(charge_fen * (2 * month - 5)) AS weighted
        FROM (SELECT customer_id, charge_fen,
                     (date_part('month', period) - 5)::int AS month
              FROM bill WHERE period >= DATE '2026-05-01' AND period < DATE '2026-11-01') m
        GROUP BY customer_id),
    rival AS (SELECT customer_id, sum(monthly_fee_fen) AS fee, max(share_percent) AS share FROM competitor_use GROUP BY customer_id),
    known AS (
        SELECT c.id, CASE c.level WHEN 'diamond' THEN 3 WHEN 'gold' THEN 2 WHEN 'silver' THEN 1 ELSE 0 END AS held,
               CASE q.target WHEN 'diamond' THEN 3 WHEN 'gold' THEN 2 WHEN 'silver' THEN 1 END AS sought, h.months, h.tenure,
               s.billed, s.weighted, coalesce(coalesce(s.billed, 0)::bigint / nullif(least(6, h.months), 0), 0) AS mean,
               coalesce(k.fee, 0)::bigint AS fee, coalesce(k.share, 0) AS share
        FROM customer c
        CROSS JOIN LATERAL (
            SELECT least(6, greatest(0, m)) AS months, m - (date_part('day', c.entry_date) > 1)::int AS tenure
            FROM (SELECT 2026 * 12 + 11 - (date_part('year', c.entry_date) * 12 + date_part('month', c.entry_date))::int AS m) e) h
        LEFT JOIN spend s ON s.customer_id = c.id LEFT JOIN rival k ON k.customer_id = c.id
        LEFT JOIN prospect q ON q.customer_id = c.id AND q.closed_at IS NULL
        WHERE c.library = 'in_network'),
    earned AS (
        SELECT *, CASE WHEN months < 3 THEN 0 WHEN mean >= 170000 THEN 3 WHEN mean >= 70000 THEN 2 WHEN mean >= 30000 THEN 1 ELSE 0 END AS due,
               fee + mean * 500 * share / ((100 - share) * 1000) AS rival_fen
        FROM known),
    aimed AS (SELECT *, CASE WHEN due >= sought THEN sought ELSE greatest(held, due) + 1 END AS target FROM earned),
    priced AS (SELECT *, CASE target WHEN 3 THEN 170000 WHEN 2 THEN 70000 WHEN 1 THEN 30000 END AS price FROM aimed),
    reached AS (
        SELECT *, least(1000, mean * 1000 / price) AS nearness,
               CASE WHEN tenure >= 6 AND billed > 0 AND weighted > 0 AND 6000 * weighted >= 30 * 35 * billed
                    THEN greatest(0, ceil((price * 210 - billed * 35 - 15 * weighted)::numeric / (6 * weighted)))::bigint END AS reach
        FROM priced WHERE price IS NOT NULL),
    scored AS (
        SELECT target, due >= sought AS entitled,
               CASE WHEN months >= 2 AND nearness >= 800 THEN 400 * nearness / 1000 END AS near,
               CASE WHEN months >= 2 AND reach <= 6 THEN 300 * (7 - reach) / 7 END AS growing,
               CASE WHEN rival_fen >= 5000 AND mean + rival_fen >= price THEN 300 * least(1000, rival_fen * 1000 / price) / 1000 END AS rival,
               CASE target WHEN 3 THEN 200 WHEN 2 THEN 100 ELSE 0 END AS worth
        FROM reached),
    found AS (
        SELECT target, entitled, CASE WHEN num_nonnulls(near, growing, rival) > 0
                   THEN coalesce(near, 0) + coalesce(growing, 0) + coalesce(rival, 0) + worth ELSE 0 END AS score
        FROM scored)
    SELECT target, count(*), sum(score)::bigint FROM found WHERE entitled OR score >= 40 GROUP BY target ORDER BY target"""
COUNTED = """
    SELECT CASE target WHEN 'diamond' THEN 3 WHEN 'gold' THEN 2 ELSE 1 END AS target, count(*), sum(score)::bigint
    FROM prospect WHERE closed_at IS NULL GROUP BY 1 ORDER BY 1"""


async def _search(context: NodeContext, now: datetime) -> None:
    await Finder(context, now, "bench").search_city()


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    rounds = ROUNDS_QUICK if quick else ROUNDS
    found = await against(
        _search, "prospect", BARE, COUNTED, size(quick=quick), rounds, more=RIVALS
    )
    return Result(1000 * found.evaluation, 1000 * found.bare, {"first": 1000 * found.first})


BENCHMARK = Benchmark(
    name="find-prospects",
    summary="search of a whole city for prospects, against one bare statement that computes the same",
    unit="ms",
    target=0.5,
    run=run,
    smaller_is_better=True,
)
