"""Repairs as a part of the customer's page."""

from services.city_node.customer.parts import Part, json_list

# ruff: noqa: S608 - put together from a constant
SHOWN = 20

repairs = Part(
    "repairs",
    json_list(
        "SELECT d.request_id AS id, d.visited, d.handset, d.imei, d.fault, d.in_warranty, d.result, d.replacement, "
        "d.replacement_imei, d.total_fen, d.customer_fen, d.home_fen, d.visited_fen, d.days, d.recorded_at, s.score "
        "FROM repair_record d LEFT JOIN repair_satisfaction s ON s.request_id = d.request_id "
        f"WHERE d.customer_id = c.id ORDER BY d.recorded_at DESC, d.request_id DESC LIMIT {SHOWN}"
    ),
    # Satisfaction comes later, and changes nothing of the customer.
    versioned=False,
)
