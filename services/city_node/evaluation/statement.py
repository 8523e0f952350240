"""One statement for a whole city, for some customers and for one: facts, policy, what is, what differs.

::

    facts of customers  ──▶  steps of the policy  ──▶  joined with the results that hold  ──▶  those that differ

The same text writes results, announces them (a dry run) and shows one customer's.
"""

from services.city_node.evaluation.facts import Window, relation
from services.city_node.evaluation.rule import Rule
from shared.policy.declaration import D

# ruff: noqa: S608 - put together from declarations and from whole numbers and codes of checked documents, never from input


def judged(
    rule: Rule[D], document: D, window: Window, *, restricted: bool = False, differing: bool = True
) -> str:
    """Return the query for results by a policy: who, what, what it was (``was_``), and what was used (``used``).

    Args:
        rule: by which.
        document: its policy.
        window: when.
        restricted: for the customers ``$1`` alone, an array of ids.
        differing: only results that are not so already.
    """
    facts = rule.facts(document)
    was = ", ".join(f"r.{name} AS was_{name}" for name in ("since", *rule.outcome))
    ids = " AND r.customer_id = ANY($1::uuid[])" if restricted else ""
    query = (
        f"SELECT f.*, {was} FROM ({relation(facts, window, restricted=restricted)}) f "
        f"LEFT JOIN {rule.table} r ON r.customer_id = f.customer_id AND r.until IS NULL{ids}"
    )
    for step in rule.steps(document, window):
        values = ", ".join(f"{expression} AS {name}" for name, expression in step.items())
        # OFFSET 0 keeps PostgreSQL from putting each expression in every place where a later one names it.
        query = f"SELECT *, {values} FROM ({query} OFFSET 0) s"
    outcome, before = _columns(rule.outcome), _columns(rule.outcome, "was_")
    where = (
        f"WHERE was_since IS NULL OR ({outcome}) IS DISTINCT FROM ({before})" if differing else ""
    )
    return (
        f"SELECT customer_id, unit_code, {outcome}, was_since, {before}, {_used(rule, document, window)} AS used "
        f"FROM ({query} OFFSET 0) s {where}"
    )


def write(rule: Rule[D], found: str | None = None) -> str:
    """Return the statement that writes the results of ``found``, a query, or a relation of that name without it.

    It takes the ids of a restricted query as ``$1`` (nothing otherwise), then the moment, the day and the policy's
    reference. The result that held is ended and the new one begins; one that would have held for no time is replaced.
    """
    table, columns = rule.table, (*rule.outcome, "as_of", "policy", "used")
    first = 1 if found is None else 2
    now = f"${first}::timestamptz"
    given = {"as_of": f"${first + 1}::date", "policy": f"${first + 2}::text"}
    values = ", ".join(given.get(name, f"f.{name}") for name in columns)
    news = ", ".join(f"{name} = excluded.{name}" for name in columns)
    source = ids = ""
    if found is not None:
        source = f"found AS MATERIALIZED ({found}), "
        ids = " AND r.customer_id = ANY($1::uuid[])"  # lets the index find them, whatever found is thought to have
    return f"""
        WITH {source}ended AS (
            UPDATE {table} r SET until = {now} FROM found f
            WHERE r.customer_id = f.customer_id AND r.until IS NULL AND r.since < {now}{ids} RETURNING 1)
        INSERT INTO {table} (customer_id, since, {_columns(columns)})
        SELECT f.customer_id, greatest({now}, f.was_since), {values}
        FROM found f, (SELECT count(*) FROM ended) before  -- one result of a customer holds: the old one ends first
        ON CONFLICT (customer_id, since) DO UPDATE SET {news}"""


def end_of_those_who_left(rule: Rule[D], whose: str) -> str:
    """Return the statement that ends, at ``$1``, the results ``r`` with ``whose`` of those who left the network."""
    return f"""
        UPDATE {rule.table} r SET until = greatest($1::timestamptz, r.since)
        WHERE r.until IS NULL AND {whose}
          AND NOT EXISTS (SELECT FROM customer c WHERE c.id = r.customer_id AND c.library = 'in_network')"""


def _used(rule: Rule[D], document: D, window: Window) -> str:
    kept = {name: name for name in rule.used(document)}
    kept |= {"from": f"'{window.first:%Y-%m}'", "before": f"'{window.end:%Y-%m}'"}
    pairs = ", ".join(f"'{name}', {value}" for name, value in kept.items())
    return f"jsonb_build_object({pairs})"


def _columns(names: tuple[str, ...], prefix: str = "") -> str:
    return ", ".join(f"{prefix}{name}" for name in names)
