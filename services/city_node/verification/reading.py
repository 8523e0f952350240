"""How verification is read: on the customer's page, as tasks, and counted."""

from services.city_node.customer.parts import Part
from services.city_node.customer.profile import SOURCE
from shared.kernel.listing import Listing, Sort

# ruff: noqa: S608 - put together from declarations, never from input
part = Part(
    "verification",
    """(SELECT json_build_object(
        'verified_on', v.verified_on, 'verified_by', v.verified_by,
        'stale_on', coalesce(v.verified_on, (c.created_at AT TIME ZONE 'Asia/Shanghai')::date) + r.days::integer,
        'bounced_contacts', (SELECT coalesce(json_agg(b.contact_id), '[]') FROM contact_bounce b WHERE b.customer_id = c.id),
        'open_task', (SELECT t.id FROM verification_task t WHERE t.customer_id = c.id AND t.state = 'open'))
    FROM (SELECT) one LEFT JOIN customer_verification v ON v.customer_id = c.id
    LEFT JOIN verification_rule r ON r.level = c.level)""",
    versioned=False,
)
"""When the profile was verified, when it is stale, and who is to verify it."""

_TASK = ("id", "customer_id", "reason", "state", "due_on", "created_at", "closed_at", "closed_by", "note", "version")  # fmt: skip
_CUSTOMER = ("customer_number", "name", "level", "unit_code", "manager_id")
_SOURCE = f"verification_task t JOIN {SOURCE.replace('customer c', 'customer c ON c.id = t.customer_id', 1)}"

tasks = Listing(
    source=_SOURCE,
    key=Sort("t.id", "uuid"),
    columns={**{name: f"t.{name}" for name in _TASK}, **{name: f"c.{name}" for name in _CUSTOMER}},
    sorts={
        "due_on": Sort("t.due_on", "date"),
        "monthly_charge_fen": Sort("c.monthly_charge_fen", "bigint"),
    },
    filters={
        "scope": "starts_with(u.path, {})",
        "id": "t.id = {}",
        "state": "t.state = {}",
        "reason": "t.reason = {}",
        "customer": "t.customer_id = {}",
        "manager": "c.manager_id = {}",
        "unit": "starts_with(u.path, (SELECT path FROM organisation_unit WHERE code = {}))",
        "level": "c.level = {}",
        "overdue_on": "t.state = 'open' AND t.due_on < {}",
    },
)
"""The verification tasks of a node."""

rules = Listing(
    source="verification_rule r",
    key=Sort("r.level", "text"),
    columns={
        name: f"r.{name}" for name in ("level", "days", "version", "updated_at", "updated_by")
    },
    sorts={"level": Sort("r.level", "text")},
    filters={},
)
"""After how many days profiles are stale."""

STATISTICS = f"""
    SELECT json_build_object('items', coalesce(json_agg(s ORDER BY s."group"), '[]'))::text FROM (
        SELECT {{group}} AS "group",
               count(*) FILTER (WHERE t.state = 'open') AS open,
               count(*) FILTER (WHERE t.state = 'open' AND t.due_on < $4) AS overdue,
               count(*) FILTER (WHERE t.state = 'verified') AS verified,
               count(*) FILTER (WHERE t.state = 'corrected') AS corrected,
               count(*) FILTER (WHERE t.state = 'unreachable') AS unreachable,
               count(*) FILTER (WHERE t.state IN ('verified', 'corrected', 'unreachable')
                                AND (t.closed_at AT TIME ZONE 'Asia/Shanghai')::date <= t.due_on) AS in_time
        FROM {_SOURCE}
        WHERE starts_with(u.path, $1) AND t.state <> 'cancelled'
          AND (t.closed_at IS NULL OR t.closed_at >= $2 AND t.closed_at < $3)
        GROUP BY 1) s"""
"""Tasks by unit or manager: open now, and closed in a period. Takes scope, the period's ends, and the day."""
