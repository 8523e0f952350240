"""How usage is read: summed up on the customer's page, row by row in its own collection."""

from services.city_node.customer.parts import Part, json_list
from services.city_node.customer.profile import SOURCE
from services.city_node.usage.schemas import UsageOut
from shared.kernel.listing import Listing, Sort

# ruff: noqa: S608 - put together from declarations, never from input
MONTHS_SHOWN = 6
_LINES = "SELECT s.id FROM subscription s WHERE s.customer_id"

part = Part(
    "usage",
    json_list(f"""
        SELECT period, kind, sum(quantity)::bigint AS quantity, sum(charge_fen)::bigint AS charge_fen
        FROM usage_month WHERE subscription_id IN ({_LINES} = c.id) AND period >= (
            SELECT max(period) - interval '{MONTHS_SHOWN - 1} months'
            FROM usage_month WHERE subscription_id IN ({_LINES} = c.id))
        GROUP BY period, kind ORDER BY period DESC, kind"""),
    versioned=False,
)
"""The latest months by kind, over all lines and bands of hours."""

usage = Listing(
    source=f"usage_month p JOIN {SOURCE.replace('customer c', 'customer c ON c.id = p.customer_id', 1)}",
    key=Sort("(p.subscription_id::text || p.kind || ' ' || p.band)", "text"),
    columns={name: f"p.{name}" for name in UsageOut.model_fields},
    sorts={"period": Sort("p.period", "date")},
    filters={
        "scope": "starts_with(u.path, {})",
        "customer": f"p.subscription_id IN ({_LINES} = {{}})",
        "subscription": "p.subscription_id = {}",
        "kind": "p.kind = {}",
        "from": "p.period >= {}",
        "before": "p.period < {}",
    },
)
"""The usage of customers."""
