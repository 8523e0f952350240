"""How redemptions are read."""

from services.city_node.customer.profile import SOURCE
from shared.kernel.listing import Listing, Sort

_FIELDS = (
    *("id", "customer_id", "reward_code", "quantity", "points", "state", "at", "by"),
    *("settled_at", "settled_by", "reason", "version"),
)
redemptions = Listing(
    source=f"redemption r JOIN {SOURCE.replace('customer c', 'customer c ON c.id = r.customer_id', 1)}",
    key=Sort("r.id", "uuid"),
    columns={name: f"r.{name}" for name in _FIELDS},
    sorts={"id": Sort("r.id", "uuid")},
    filters={
        "scope": "starts_with(u.path, {})",
        "id": "r.id = {}",
        "customer": "r.customer_id = {}",
        "reward": "r.reward_code = {}",
        "state": "r.state = {}",
    },
)
"""The redemptions of a node; their ids are ordered by time."""
