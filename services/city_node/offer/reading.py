"""How offers, quotas, grants, uses and costs are read."""

from services.city_node.customer.parts import Part, json_list
from services.city_node.customer.profile import SOURCE
from shared.kernel.listing import Listing, Sort

_OFFER = (
    *("code", "name_zh", "name_en", "benefit_zh", "benefit_en", "value_fen", "value_permille"),
    *("cost_fen", "valid_from", "valid_until", "units", "levels", "condition", "condition_text"),
    *("approval_above_fen", "exclusive_group"),
)
_STAMP = ("version", "updated_at", "updated_by")
_CONFLICTS = """(
    SELECT coalesce(json_agg(x.code ORDER BY x.code), '[]') FROM (
        SELECT other_code AS code FROM offer_conflict WHERE one_code = o.code
        UNION ALL SELECT one_code FROM offer_conflict WHERE other_code = o.code) x)"""
ON_LINE = "(starts_with(a.path, {}) OR starts_with({}, a.path))"
"""Of a unit ``a``: being the reader's, below it, or above it. What is for others is nothing to the reader."""
offers = Listing(
    source="offer o",
    key=Sort("o.code", "text"),
    columns={
        **{name: f"o.{name}" for name in _OFFER},
        "conflicts_with": _CONFLICTS,
        **{name: f"o.{name}" for name in _STAMP},
    },
    sorts={"code": Sort("o.code", "text")},
    filters={
        "scope": f"EXISTS (SELECT FROM organisation_unit a WHERE o.units ? a.code AND {ON_LINE})",
        "code": "o.code = {}",
        "on": "o.valid_from <= {} AND (o.valid_until IS NULL OR o.valid_until > {})",
        "level": "(o.levels = '[]' OR o.levels ? {})",
        "unit": """EXISTS (
            SELECT FROM organisation_unit a WHERE a.code = {}
            AND o.units ?| string_to_array(a.path, '/'))""",
        "group": "o.exclusive_group = {}",
    },
)
"""The catalogue of a node."""

_QUOTA = ("offer_code", "year", "unit_code", "uses", "budget_fen", "reserved", "reserved_fen")
quotas = Listing(
    source="offer_quota q JOIN organisation_unit u ON u.code = q.unit_code",
    key=Sort("concat_ws(' ', q.offer_code, q.year, q.unit_code)", "text"),
    columns={name: f"q.{name}" for name in (*_QUOTA, *_STAMP)},
    sorts={"year": Sort("q.year", "bigint")},
    filters={
        "scope": "starts_with(u.path, {})",
        "offer": "q.offer_code = {}",
        "year": "q.year = {}",
        "unit": "q.unit_code = {}",
    },
)
"""The quotas of units, with what of them is granted."""

_GRANT = (
    *("id", "offer_code", "customer_id", "unit_code", "quota_year", "quota_unit", "uses", "used"),
    *("cost_fen", "state", "level", "policy", "granted_on", "valid_until", "granted_at"),
    *("granted_by", "decided_at", "decided_by", "reason", "version"),
)
GRANTS = (
    f"offer_grant g JOIN {SOURCE.replace('customer c', 'customer c ON c.id = g.customer_id', 1)}"
)
grants = Listing(
    source=GRANTS,
    key=Sort("g.id", "uuid"),
    columns={name: f"g.{name}" for name in _GRANT},
    sorts={"id": Sort("g.id", "uuid")},
    filters={
        "scope": "starts_with(u.path, {})",
        "id": "g.id = {}",
        "customer": "g.customer_id = {}",
        "offer": "g.offer_code = {}",
        "state": "g.state = {}",
    },
)
"""The grants of a node; their ids are ordered by time."""

_USE = (
    *("id", "grant_id", "offer_code", "unit_code", "reverses_id", "uses", "cost_fen", "used_on"),
    *("used_at", "used_by", "place_code", "channel", "reason"),
)
uses = Listing(
    source=f"offer_use s JOIN {GRANTS.replace('offer_grant g', 'offer_grant g ON g.id = s.grant_id', 1)}",
    key=Sort("s.id", "uuid"),
    columns={name: f"s.{name}" for name in _USE},
    sorts={"id": Sort("s.id", "uuid")},
    filters={
        "scope": "starts_with(u.path, {})",
        "id": "s.id = {}",
        "grant": "s.grant_id = {}",
    },
)
"""Uses and their reversals; their ids are ordered by time."""

# Not only customers who can still be seen: what was spent on those who were erased was spent.
_COSTS = """(
    SELECT date_trunc('month', s.used_on)::date AS month, s.unit_code, u.path, s.offer_code,
           count(*) FILTER (WHERE s.uses > 0) AS uses, count(*) FILTER (WHERE s.uses < 0) AS reversals,
           sum(s.cost_fen)::bigint AS cost_fen
    FROM offer_use s JOIN organisation_unit u ON u.code = s.unit_code
    WHERE s.used_on >= $1 AND s.used_on < $2 GROUP BY 1, 2, 3, 4) k"""
costs = Listing(
    source=_COSTS,
    key=Sort("concat_ws(' ', k.unit_code, k.offer_code)", "text"),
    columns={
        name: f"k.{name}"
        for name in ("month", "unit_code", "offer_code", "uses", "reversals", "cost_fen")
    },
    sorts={"month": Sort("k.month", "date")},
    filters={
        "since": "k.month >= date_trunc('month', {}::date)",
        "until": "k.month < {}::date",
        "scope": "starts_with(k.path, {})",
        "unit": "starts_with(k.path, (SELECT path FROM organisation_unit WHERE code = {}))",
        "offer": "k.offer_code = {}",
    },
)
"""What offers cost, by month, by the unit that bears it and by offer; the months come first among the filters."""

part = Part(
    "offers",
    json_list("""
        SELECT g.id, g.offer_code, o.name_zh, o.name_en, g.uses, g.used, g.state, g.granted_on, g.valid_until
        FROM offer_grant g JOIN offer o ON o.code = g.offer_code
        WHERE g.customer_id = c.id ORDER BY g.id DESC LIMIT 20"""),
    versioned=False,
)
"""The latest grants, on the customer's page."""
