"""How prospects are read: as a worklist, one with its plan and history, on the customer's page, and counted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import orjson

from services.city_node.customer.parts import Part, json_list
from services.city_node.customer.profile import SOURCE
from services.city_node.evaluation.facts import Window
from services.city_node.prospect.rule import Terms
from services.city_node.prospect.schemas import Grouping, ProspectOut
from services.city_node.prospect.statement import judged
from services.city_node.prospect.wording import advise, explain
from shared.kernel.language import Text
from shared.kernel.listing import Listing, Sort

# ruff: noqa: S608 - put together from declarations, never from input

_STEP = ("number", "code", "title_zh", "title_en", "responsible", "due_on", "outcome", "done_at", "done_by", "note")  # fmt: skip
_STEPS = json_list(f"""
    SELECT {", ".join(f"s.{name}" for name in _STEP)} FROM prospect_step s WHERE s.prospect_id = p.id ORDER BY s.number""")
_OF_CUSTOMER = ("customer_number", "name", "kind", "level", "unit_code")
_OF_PROSPECT = [
    name for name in ProspectOut.model_fields if name not in {*_OF_CUSTOMER, "steps", "explanation"}
]
_MANAGER = "coalesce(p.manager_id, c.manager_id)"
_PROSPECT = {name: f"p.{name}" for name in _OF_PROSPECT} | {
    "manager_id": _MANAGER,
    "assigned": "p.manager_id IS NOT NULL",
}
# Found by two indexes: those of whom somebody was assigned, and those of the customers of a manager.
_OF_MANAGER = """p.id IN (
    SELECT o.id FROM prospect o WHERE o.manager_id = {}
    UNION ALL SELECT o.id FROM prospect o JOIN customer h ON h.id = o.customer_id
    WHERE h.manager_id = {} AND o.manager_id IS NULL)"""
_FAR = "DATE '9999-12-31'"

prospects = Listing(
    source=f"prospect p JOIN {SOURCE.replace('customer c', 'customer c ON c.id = p.customer_id', 1)}",
    key=Sort("p.id", "uuid"),
    columns={**_PROSPECT, **{name: f"c.{name}" for name in _OF_CUSTOMER}},
    sorts={
        "score": Sort("p.score", "bigint"),
        "found_at": Sort("p.found_at", "timestamptz"),
        "next_due_on": Sort(f"coalesce(p.next_due_on, {_FAR})", "date"),
    },
    filters={
        "scope": "starts_with(u.path, {})",
        "id": "p.id = {}",
        "customer": "p.customer_id = {}",
        "state": "p.state = {}",
        # Each names the condition of an index, whatever plan the server keeps.
        "open": "p.closed_at IS NULL AND {}",
        "closed": "p.closed_at IS NOT NULL AND {}",
        "unit": "starts_with(u.path, (SELECT path FROM organisation_unit WHERE code = {}))",
        "manager": _OF_MANAGER,
        "unassigned": f"({_MANAGER} IS NULL) = {{}}",
        "target": "p.target = {}",
        "signal": "{} = ANY(p.signals)",
        "min_score": "p.score >= {}",
        "overdue_on": "p.next_due_on < {}",
    },
)
"""Prospects, with whose they are."""

events = Listing(
    source=f"prospect_event e JOIN {SOURCE.replace('customer c', 'customer c ON c.id = e.customer_id', 1)}",
    key=Sort("e.id", "bigint"),
    columns={
        name: f"e.{name}"
        for name in (
            *(
                "at",
                "by",
                "act",
                "from_state",
                "to_state",
                "unit_code",
                "target",
                "score",
                "signals",
            ),
            *("ending", "days", "policy", "used", "note"),
        )
    },
    sorts={"id": Sort("e.id", "bigint")},
    filters={"scope": "starts_with(u.path, {})", "prospect": "e.prospect_id = {}"},
)
"""What happened to a prospect."""

part = Part(
    "prospect",
    f"""(SELECT json_build_object({", ".join(f"'{name}', {sql}" for name, sql in _PROSPECT.items())}, 'steps', {_STEPS})
    FROM prospect p WHERE p.customer_id = c.id AND p.closed_at IS NULL)""",
    versioned=False,
)
"""The open prospect that the customer is, with its plan."""

_GROUPS = {
    Grouping.MONTH: "to_char(e.at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM')",
    Grouping.UNIT: "e.unit_code",
    Grouping.SIGNAL: "g.signal",
    Grouping.TARGET: "e.target",
    Grouping.ENDING: "coalesce(e.ending, '')",
}
_WORKED = "e.from_state IN ('qualified', 'nurtured')"
_COUNTED = f"""
    count(*) FILTER (WHERE e.act = 'find') AS found,
    count(*) FILTER (WHERE e.act = 'qualify') AS qualified,
    count(*) FILTER (WHERE e.act = 'disqualify') AS disqualified,
    count(*) FILTER (WHERE e.act = 'nurture') AS nurtured,
    count(*) FILTER (WHERE e.act = 'convert') AS converted,
    count(*) FILTER (WHERE e.act = 'convert' AND {_WORKED}) AS converted_by_work,
    count(*) FILTER (WHERE e.act = 'drop') AS dropped,
    count(*) FILTER (WHERE e.act = 'lapse') AS lapsed,
    count(*) FILTER (WHERE e.act = 'reopen') AS reopened,
    round(count(*) FILTER (WHERE e.act = 'convert' AND {_WORKED})::numeric
          / nullif(count(*) FILTER (WHERE e.act IN ('convert', 'drop') AND {_WORKED}), 0), 4)::float8 AS conversion_rate,
    round(avg(e.days) FILTER (WHERE e.act = 'convert'), 1)::float8 AS mean_days_to_convert"""


async def one(
    connection: asyncpg.Connection | asyncpg.Pool, filters: dict[str, Any]
) -> dict[str, Any] | None:
    """Return a prospect with its plan and its explanation, or nothing."""
    found = await prospects.one(connection, filters, columns={**prospects.columns, "steps": _STEPS})
    if found is None:
        return None
    row: dict[str, Any] = orjson.loads(found)
    return {**row, "explanation": said(explain(row))}


async def standing(
    connection: asyncpg.Connection, terms: Terms, window: Window, customer_id: object
) -> dict[str, Any] | None:
    """Return what a search would find about a customer now, explained; nothing for one who left."""
    query = judged(terms, window, restricted=True)
    found = await connection.fetchval(f"SELECT to_jsonb(j)::text FROM ({query}) j", [customer_id])
    if found is None:
        return None
    row = orjson.loads(found)
    shown = {name: row[name] for name in ("is_prospect", "target", "score", "signals", "used")}
    return {
        **shown,
        "policy": terms.reference,
        "explanation": said(explain(row)),
        "next": [said(text) for text in advise(row)],
    }


async def statistics(
    connection: asyncpg.Connection | asyncpg.Pool,
    by: Sequence[Grouping],
    unit_path: str,
    since: datetime | None,
    before: datetime | None,
) -> list[dict[str, Any]]:
    """Count what happened in a period, of the customers of a unit and those below it then."""
    groups = ", ".join(f"{_GROUPS[each]} AS {each.value}" for each in by)
    each_signal = "CROSS JOIN LATERAL unnest(e.signals) g (signal)" if Grouping.SIGNAL in by else ""
    places = ", ".join(str(place) for place in range(1, len(by) + 1))
    rows = await connection.fetch(
        f"""SELECT {groups}, {_COUNTED} FROM prospect_event e JOIN organisation_unit u ON u.code = e.unit_code {each_signal}
        WHERE starts_with(u.path, $1) AND ($2::timestamptz IS NULL OR e.at >= $2)
          AND ($3::timestamptz IS NULL OR e.at < $3)
        GROUP BY {places} ORDER BY {places}""",
        unit_path,
        since,
        before,
    )
    return [dict(row) for row in rows]


def said(text: Text) -> dict[str, str]:
    """Return a sentence as it is answered."""
    return {"en": text.en, "zh": text.zh}
