"""Whom to win back, and what came of trying."""

from dataclasses import replace
from datetime import date
from typing import Any

import asyncpg

from services.city_node.customer.ownership import NOT_LIVE
from services.city_node.customer.profile import SOURCE
from services.city_node.win_back.schemas import RateDimension
from shared.kernel.listing import Listing, Sort

# ruff: noqa: S608 - put together from declarations, never from input
_LOST = f"""{SOURCE}
    {{}} JOIN win_back_attempt d ON d.customer_id = c.id AND d.left_on = c.left_on AND d.next_due IS NOT NULL
    LEFT JOIN LATERAL (
        SELECT a.at, a.result FROM win_back_attempt a
        WHERE a.customer_id = c.id AND a.left_on = c.left_on ORDER BY a.at DESC, a.id DESC LIMIT 1) l ON true"""

worklist = Listing(
    source=_LOST.format("LEFT"),
    key=Sort("c.id", "uuid"),
    columns={
        "customer_id": "c.id",
        **{
            name: f"c.{name}"
            for name in (
                "customer_number",
                "name",
                "kind",
                "level",
                "unit_code",
                "manager_id",
                "left_on",
            )
        },
        "days_since_leaving": "$1::date - c.left_on",
        "left_reason": "c.left_reason",
        "left_competitor": "c.left_competitor",
        "lost_monthly_charge_fen": "c.monthly_charge_fen",
        "attempts": "(SELECT count(*) FROM win_back_attempt a WHERE a.customer_id = c.id AND a.left_on = c.left_on)",
        "last_at": "l.at",
        "last_result": "l.result",
        "next_due": "d.next_due",
        "version": "c.version",
    },
    sorts={
        "lost_monthly_charge_fen": Sort("c.monthly_charge_fen", "bigint"),
        "left_on": Sort("c.left_on", "date"),
    },
    filters={
        "today": f"c.library = 'retained' AND c.id NOT IN ({NOT_LIVE}) AND c.left_on <= {{}}::date"
        " AND NOT EXISTS (SELECT FROM preference w"
        " WHERE w.customer_id = c.id AND w.topic = 'marketing' AND w.value = 'refused')",
        "scope": "starts_with(u.path, {})",
        "unit": "starts_with(u.path, (SELECT path FROM organisation_unit WHERE code = {}))",
        "manager": "c.manager_id = {}",
        "reason": "c.left_reason = {}",
        "competitor": "c.left_competitor = {}",
        "min_lost_monthly_charge_fen": "c.monthly_charge_fen >= {}",
        "left_from": "c.left_on >= {}",
        "left_before": "c.left_on < {}",
        "due_by": "d.next_due <= {}",
        "tried": "(l.at IS NOT NULL) = {}",
    },
)
"""Customers who left, other than to another city, and did not ask to be left alone.

``today`` is the first filter, for the column that needs it.
"""

due = replace(
    worklist,
    source=_LOST.format("INNER"),
    sorts={"next_due": Sort("d.next_due", "date"), **worklist.sorts},
)
"""Those of them who are to be tried again on some day: few, and in the order of an index."""

_VALUES = {
    RateDimension.REASON: "a.left_reason",
    RateDimension.COMPETITOR: "a.left_competitor",
    RateDimension.UNIT: "c.unit_code",
    RateDimension.CHANNEL: "a.channel",
}


async def rates(
    pool: asyncpg.Pool,
    by: RateDimension,
    unit_path: str,
    *,
    left_from: date | None,
    left_before: date | None,
) -> list[dict[str, Any]]:
    """Return what came of the attempts about departures of some days; who was erased since counts on."""
    rows = await pool.fetch(
        f"""
        WITH tried AS (
            SELECT {_VALUES[by]} AS value, a.customer_id, a.left_on, count(*) AS attempts,
                   max(a.lost_monthly_charge_fen) AS lost, bool_or(a.result = 'returned') AS returned
            FROM win_back_attempt a
            JOIN customer c ON c.id = a.customer_id JOIN organisation_unit u ON u.code = c.unit_code
            WHERE starts_with(u.path, $1) AND a.result <> 'planned'
              AND ($2::date IS NULL OR a.left_on >= $2) AND ($3::date IS NULL OR a.left_on < $3)
            GROUP BY 1, 2, 3)
        SELECT value, count(*) AS departures, sum(attempts)::bigint AS attempts,
               count(*) FILTER (WHERE returned) AS returned,
               round(count(*) FILTER (WHERE returned)::numeric / count(*), 4)::float8 AS success_rate,
               sum(lost)::bigint AS lost_monthly_charge_fen,
               coalesce(sum(lost) FILTER (WHERE returned), 0)::bigint AS regained_monthly_charge_fen
        FROM tried GROUP BY value ORDER BY value NULLS LAST""",
        unit_path,
        left_from,
        left_before,
    )
    return [dict(row) for row in rows]
