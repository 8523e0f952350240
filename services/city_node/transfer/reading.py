"""How transfers and ownership are read."""

from services.city_node.customer.parts import Part
from services.city_node.service_request.repository import WITH_TRAIL
from shared.kernel.listing import Listing

_RECORD = """
    (SELECT json_build_object('chunks', t.chunks, 'came', (SELECT count(*) FROM transfer_chunk k WHERE k.request_id = r.id))
     FROM transfer_case t WHERE t.request_id = r.id AND t.chunks IS NOT NULL AND r.ended_at IS NULL)"""

WITH_CASE = Listing(
    WITH_TRAIL.source,
    WITH_TRAIL.key,
    {
        **WITH_TRAIL.columns,
        "customer_id": "(SELECT t.customer_id FROM transfer_case t WHERE t.request_id = r.id)",
        "epoch": "(SELECT t.epoch FROM transfer_case t WHERE t.request_id = r.id)",
        "record": _RECORD,
    },
    WITH_TRAIL.sorts,
    WITH_TRAIL.filters,
)
"""A transfer with its trail, whom it is about, and how much of the record has come."""

part = Part(
    "ownership",
    """(SELECT json_build_object(
            'state', coalesce(o.state, 'live'), 'epoch', coalesce(o.epoch, 1), 'other', o.other,
            'transfer_id', o.transfer_id, 'since', o.since, 'came_on', o.came_on)
        FROM (VALUES (c.id)) one (id) LEFT JOIN customer_ownership o ON o.customer_id = one.id)""",
    versioned=False,
)
"""Whose the customer is, as far as this city knows: its own, on the way, or another city's."""
