"""The tables that are copied into, in the order in which they refer to one another."""

from collections.abc import Mapping
from typing import Any

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "customer": (
        *("id", "customer_number", "kind", "library", "name", "name_sort", "sex", "birth_date"),
        *("document_type", "document_cipher", "document_index", "document_masked"),
        *("level", "unit_code", "manager_id", "contract_term", "payment_method"),
        *("monthly_charge_fen", "total_charge_fen", "entry_date"),
        *("left_on", "left_reason", "left_destination", "source", "source_key"),
        *("created_at", "created_by", "updated_at", "updated_by"),
    ),
    "contact_medium": (
        *("id", "customer_id", "kind"),
        *("value_cipher", "value_index", "value_masked", "preferred"),
    ),
    "subscription": (
        *("id", "customer_id", "msisdn", "brand", "plan", "contract_term", "status"),
        *("entry_date", "ended_on", "handset"),
    ),
    "sim": ("iccid", "imsi", "state", "subscription_id", "activated_at", "ended_at"),
    "bill": ("subscription_id", "customer_id", "period", "charge_fen", "paid_on"),
    "interaction": (
        *("id", "customer_id", "at", "channel", "kind", "subject"),
        *("source", "source_key"),
    ),
    "enterprise": (
        *("customer_id", "industry_code", "size_class", "employees", "annual_revenue_fen"),
    ),
    "key_person": (
        *("id", "customer_id", "name", "title", "decision_role", "decision_order"),
        *("influence", "phone_cipher", "phone_index", "phone_masked"),
    ),
    "agreement": (
        *("id", "customer_id", "number", "kind", "title", "starts_on", "expires_on"),
        *("auto_renews", "renewal_months"),
    ),
    "customer_change": ("customer_id", "at", "by", "source", "action", "changes"),
}
Rows = dict[str, list[tuple[Any, ...]]]


def no_rows() -> Rows:
    """Return an empty list for each table."""
    return {table: [] for table in COLUMNS}
