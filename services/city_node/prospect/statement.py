"""The SQL of the search: who is a prospect, and what that makes of the prospects there are.

::

    facts of customers  ──▶  steps of the policies  ──▶  found  ──▶  made, refreshed, lapsed  ──▶  history

The same text is for a whole city, for those whose facts changed and for one; a dry run counts what ``found`` gives.
"""

from services.city_node.evaluation.facts import Window, relation
from services.city_node.level.rule import rank
from services.city_node.prospect.facts import facts
from services.city_node.prospect.life import OPEN, WORKED, listed
from services.city_node.prospect.rule import USED, Terms, steps

# ruff: noqa: S608 - put together from declarations and from whole numbers of checked documents, never from input

_IDS = "AND p.customer_id = ANY($1::uuid[])"
_EVENT = """
    INSERT INTO prospect_event (prospect_id, customer_id, at, by, act, from_state, to_state, unit_code, target, score,
                                signals, ending, days, policy, used)"""
_UNIT = """
    coalesce((SELECT c.unit_code FROM customer c WHERE c.id = p.customer_id),
             (SELECT e.unit_code FROM prospect_event e WHERE e.prospect_id = p.id ORDER BY e.id DESC LIMIT 1))"""


def judged(terms: Terms, window: Window, *, restricted: bool = False) -> str:
    """Return the query for how customers stand: what each step gives.

    Args:
        terms: the policies.
        window: when.
        restricted: for the customers ``$1`` alone, an array of ids.
    """
    query = relation(facts(terms, window), window, restricted=restricted)
    for step in steps(terms, window):
        values = ", ".join(f"{expression} AS {name}" for name, expression in step.items())
        # OFFSET 0 keeps PostgreSQL from putting each expression in every place where a later one names it.
        query = f"SELECT *, {values} FROM ({query} OFFSET 0) s"
    kept = {name: name for name in USED}
    kept |= {"from": f"'{window.first:%Y-%m}'", "before": f"'{window.end:%Y-%m}'"}
    kept["trend_months"] = str(terms.prospect.growing.trend_months)
    pairs = ", ".join(f"'{name}', {value}" for name, value in kept.items())
    return f"""
        SELECT customer_id, unit_code, target, score, signals, is_prospect, was_target, was_worked, resting,
               jsonb_build_object({pairs}) AS used FROM ({query} OFFSET 0) s"""


def found(terms: Terms, window: Window, *, restricted: bool = False) -> str:
    """Return the query for prospects, and for those that somebody works on whether they are any or not."""
    query = judged(terms, window, restricted=restricted)
    return f"SELECT * FROM ({query}) j WHERE is_prospect OR was_worked"


def write(query: str | None = None) -> str:
    """Return the statement that makes, refreshes and ends prospects by what was found, and says how many.

    It takes the ids of a restricted ``query`` as ``$1`` (without one, there is a relation ``found`` of the whole city),
    then the moment, the day, the reference of the policies and who searches.
    """
    first = 1 if query is None else 2
    now, on = f"${first}::timestamptz", f"${first + 1}::date"
    policy, by = f"${first + 2}::text", f"${first + 3}::text"
    source = "" if query is None else f"found AS MATERIALIZED ({query}), "
    ids = "" if query is None else _IDS
    return f"""
        WITH {source}lapsed AS (
            UPDATE prospect p SET state = 'lapsed', closed_at = greatest({now}, p.found_at), version = p.version + 1
            WHERE p.state = 'found' {ids}
              AND NOT EXISTS (SELECT FROM found f WHERE f.customer_id = p.customer_id) RETURNING p.*),
        refreshed AS (
            UPDATE prospect p SET target = f.target, score = f.score, signals = f.signals, used = f.used,
                   as_of = {on}, policy = {policy}, version = p.version + 1
            FROM found f
            WHERE p.customer_id = f.customer_id AND p.closed_at IS NULL {ids}
              AND (p.state = 'found' OR p.target = f.target)  -- somebody may have taken it up meanwhile
              AND (p.target, p.score, p.signals, p.used) IS DISTINCT FROM (f.target, f.score, f.signals, f.used)
            RETURNING 1),
        made AS (
            INSERT INTO prospect (id, customer_id, state, target, score, signals, used, as_of, policy, found_at, version)
            SELECT gen_random_uuid(), f.customer_id, 'found', f.target, f.score, f.signals, f.used, {on}, {policy}, {now}, 1
            FROM found f WHERE f.is_prospect AND f.was_target IS NULL
            ON CONFLICT (customer_id) WHERE closed_at IS NULL DO NOTHING RETURNING *),
        noted AS ({_EVENT}
            SELECT p.id, p.customer_id, {now}, {by}, 'find', NULL, 'found', f.unit_code, p.target, p.score,
                   p.signals, NULL, NULL, p.policy, p.used FROM made p JOIN found f ON f.customer_id = p.customer_id
            UNION ALL
            SELECT p.id, p.customer_id, {now}, {by}, 'lapse', 'found', 'lapsed', {_UNIT}, p.target, p.score,
                   p.signals, NULL, {_days("p")}, NULL, NULL FROM lapsed p)
        SELECT (SELECT count(*) FROM made) AS made, (SELECT count(*) FROM refreshed) AS refreshed,
               (SELECT count(*) FROM lapsed) AS lapsed"""


def close(*, restricted: bool = False) -> str:
    """Return the statement that closes prospects who reached the level, left or were merged, and says how many.

    It takes the ids of customers as ``$1`` if it is restricted, then the moment and who searches.
    """
    first = 2 if restricted else 1
    now, by = f"${first}::timestamptz", f"${first + 1}::text"
    return f"""
        WITH due AS (
            SELECT p.id, p.state AS was, c.id IS NOT NULL AS reached
            FROM prospect p LEFT JOIN customer c ON c.id = p.customer_id AND c.library = 'in_network'
            WHERE p.state IN ({listed(OPEN)}) {_IDS if restricted else ""}
              AND (c.id IS NULL OR {rank("c.level")} >= {rank("p.target")})
            FOR UPDATE OF p),
        closed AS (
            UPDATE prospect p SET closed_at = greatest({now}, p.found_at), version = p.version + 1, next_due_on = NULL,
                   state = CASE WHEN d.reached THEN 'converted' WHEN d.was IN ({listed(WORKED)}) THEN 'dropped'
                                ELSE 'lapsed' END,
                   ending = CASE WHEN d.reached THEN NULL
                                 WHEN EXISTS (SELECT FROM merged_customer m WHERE m.id = p.customer_id) THEN 'merged'
                                 ELSE 'left' END
            FROM due d WHERE p.id = d.id RETURNING p.*, d.was),
        noted AS ({_EVENT}
            SELECT p.id, p.customer_id, {now}, {by},
                   CASE p.state WHEN 'converted' THEN 'convert' WHEN 'dropped' THEN 'drop' ELSE 'lapse' END,
                   p.was, p.state, {_UNIT}, p.target, p.score, p.signals, p.ending, {_days("p")}, NULL, NULL FROM closed p)
        SELECT count(*) FILTER (WHERE state = 'converted') AS converted,
               count(*) FILTER (WHERE state <> 'converted') AS ended FROM closed"""


def _days(row: str) -> str:
    zone = "AT TIME ZONE 'Asia/Shanghai'"
    return f"(({row}.closed_at {zone})::date - ({row}.found_at {zone})::date)"
