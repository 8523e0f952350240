"""The ties that lead to a customer."""

from services.city_node.customer.parts import UNIT_PATH, Part, json_list

# ruff: noqa: S608 - put together from declarations, never from input


MOST = 20

tied_by = Part(
    "tied_by",
    json_list(f"""
        SELECT t.id, t.kind, t.customer_id, r.name
        FROM tie t JOIN customer r ON r.id = t.customer_id JOIN organisation_unit ru ON ru.code = r.unit_code
        WHERE t.related_id = c.id AND starts_with(ru.path, {UNIT_PATH}) ORDER BY t.id LIMIT {MOST}"""),
    versioned=False,
)
"""Customers within the reader's unit who have named this one, and what this one is to them."""
