"""How proposals are read: waiting ones on the customer's page, all of them in their own collection."""

from services.city_node.customer.parts import Part, json_list
from services.city_node.customer.privacy import mark_history
from services.city_node.customer.profile import SOURCE
from shared.kernel.listing import Listing, Sort

# ruff: noqa: S608 - put together from declarations, never from input
_FIELDS = (
    "id",
    "customer_id",
    "state",
    "changes",
    "seen_version",
    "proposed_at",
    "proposed_by",
    "expires_at",
    "decided_at",
    "decided_by",
    "decision",
    "version",
)
_COLUMNS = {name: f"p.{name}" for name in _FIELDS} | {"changes": mark_history("p.changes")}

part = Part(
    "proposals",
    json_list(f"""
        SELECT {", ".join(f"{sql} AS {name}" for name, sql in _COLUMNS.items())} FROM customer_proposal p
        WHERE customer_id = c.id AND state = 'pending' ORDER BY id"""),
    versioned=False,
)
"""What waits to be approved about the customer."""

proposals = Listing(
    source=f"customer_proposal p JOIN {SOURCE.replace('customer c', 'customer c ON c.id = p.customer_id', 1)}",
    key=Sort("p.id", "uuid"),
    columns=_COLUMNS,
    sorts={
        "proposed_at": Sort("p.proposed_at", "timestamptz"),
        "expires_at": Sort("p.expires_at", "timestamptz"),
    },
    filters={
        "scope": "starts_with(u.path, {})",
        "id": "p.id = {}",
        "state": "p.state = {}",
        "customer": "p.customer_id = {}",
        "proposer": "p.proposed_by = {}",
    },
)
"""The proposals of a node, with marks for personal values."""
