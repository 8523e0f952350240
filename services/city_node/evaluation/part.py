"""A result as a part of the customer's page."""

from typing import Any

from services.city_node.customer.parts import Part
from services.city_node.evaluation.rule import Rule


def part_of(rule: Rule[Any], name: str) -> Part:
    """Return the part that shows the result that holds."""
    columns = ("since", "as_of", "policy", *rule.outcome, "used")
    pairs = ", ".join(f"'{column}', r.{column}" for column in columns)
    return Part(
        name,
        f"(SELECT json_build_object({pairs}) FROM {rule.table} r WHERE r.customer_id = c.id AND r.until IS NULL)",  # noqa: S608 - declared names alone
        versioned=False,
    )
