"""The history of a customer: every change with who, when, from where, and each field's old and new value.

A field is named as in the profile; a part of something as a path: ``attributes/vip``,
``subscriptions/13800138000/status``. A document number appears masked, whoever reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.city_node.customer.models import ChangeAction, ChangeSource, Customer, CustomerChange

TRACKED = [
    "kind",
    "library",
    "name",
    "sex",
    "birth_date",
    "document_type",
    "level",
    "unit_code",
    "manager_id",
    "contract_term",
    "payment_method",
    "monthly_charge_fen",
    "total_charge_fen",
    "entry_date",
    "left_on",
    "left_reason",
    "left_destination",
    "left_competitor",
    "left_note",
]
"""Fields whose values the history keeps; documents and attributes are kept beside them."""

COLUMNS = (*TRACKED, "document_masked", "document_index", "attributes")
"""The columns that history tells of."""

Values = Mapping[str, Any]
Changes = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Entry:
    """What the history says of one change.

    Attributes:
        action: what was done.
        changes: what differs, as :func:`differences` gives it.
        at: when.
        by: username of who did it.
        source: from where it came.
        cause_id: what caused it.
    """

    action: ChangeAction
    changes: Changes
    at: datetime
    by: str
    source: ChangeSource
    cause_id: UUID | None = None


def snapshot(customer: Customer) -> dict[str, Any]:
    """Return the tracked values of a customer as JSON has them, to compare with those after a change."""
    return tracked({name: getattr(customer, name) for name in COLUMNS})


def tracked(values: Values) -> dict[str, Any]:
    """Return what :func:`snapshot` does, of :data:`COLUMNS` by name."""
    found = {name: plain(values[name]) for name in TRACKED}
    # Compared by the whole number, shown masked: a mistyped digit may be under the mask.
    found["document_number"] = (values["document_masked"], values["document_index"])
    return found | {f"attributes/{name}": value for name, value in values["attributes"].items()}


def differences(before: Values, after: Values) -> Changes:
    """Return what differs between two snapshots, as the history keeps it."""
    return [
        {"field": name, "old": _shown(before.get(name)), "new": _shown(after.get(name))}
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]


def creation(after: Values) -> Changes:
    """Return the values that a new customer begins with, as the history keeps them."""
    changes = differences({}, after)
    return [change for change in changes if change["new"] is not None]


def change_row(
    customer: Customer,
    action: ChangeAction,
    changes: Sequence[Mapping[str, Any]],
    *,
    at: datetime,
    by: str,
    source: ChangeSource,
    cause_id: UUID | None = None,
) -> CustomerChange:
    """Return the row that keeps a change, and mark ``customer`` as changed by it.

    Args:
        customer: the locked customer.
        action: what was done.
        changes: what differs, as :func:`differences` gives it.
        at: when.
        by: username of who did it.
        source: from where it came.
        cause_id: the import or message that caused it.
    """
    if action is not ChangeAction.CREATED:
        customer.version += 1
    customer.updated_at, customer.updated_by = at, by
    return CustomerChange(
        customer_id=customer.id,
        at=at,
        by=by,
        source=source.value,
        action=action.value,
        changes=[dict(change) for change in changes],
        cause_id=cause_id,
    )


def plain(value: object) -> object:
    """Return a value as JSON has it."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _shown(value: object) -> object:
    return value[0] if isinstance(value, tuple) else value
