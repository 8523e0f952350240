"""The row that is made of one line of a file, and where its values go.

A row is a list with a slot for each name in :data:`SLOTS`. What it *claims* (its key and the numbers that may belong
to one customer only) is compared with the node first. A row of a new customer is then copied straight into the
tables of :data:`COPIES`; one of a known customer is *staged* whole and compared value by value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from services.city_node.customer.models import (
    ChangeAction,
    ChangeSource,
    ContractTerm,
    CustomerKind,
    Level,
    Library,
    MediumKind,
    Sex,
    SimState,
    SubscriptionStatus,
)

Row = list[Any]
Columns = Mapping[str, str]

CLAIMED: Columns = {
    "line": "bigint",
    "key": "text",
    "library": "text",
    "line_status": "text",
    "unit_code": "text",
    "document_index": "bytea",
    "msisdn": "text",
    "iccid": "text",
    "imsi": "text",
}
"""Columns of ``import_claim`` that a row fills, and their types."""

_PROFILE: Columns = {
    "name": "text",
    "name_sort": "text",
    "kind": "text",
    "library": "text",
    "sex": "text",
    "birth_date": "date",
    "document_type": "text",
    "document_cipher": "bytea",
    "document_index": "bytea",
    "document_masked": "text",
    "level": "text",
    "unit_code": "text",
    "contract_term": "text",
    "payment_method": "text",
    "monthly_charge_fen": "bigint",
    "total_charge_fen": "bigint",
    "entry_date": "date",
    "left_on": "date",
    "left_reason": "text",
    "left_destination": "text",
    "left_competitor": "text",
    "left_note": "text",
    "attributes": "jsonb",
}
STAGED: Columns = {
    "line": "bigint",
    "key": "text",
    "customer_id": "uuid",
    **_PROFILE,
    "subscription_id": "uuid",
    "msisdn": "text",
    "brand": "text",
    "plan": "text",
    "line_contract_term": "text",
    "line_entry_date": "date",
    "line_status": "text",
    "iccid": "text",
    "imsi": "text",
    "sim_state": "text",
    "left_at": "timestamptz",
    "bill_period": "date",
    "bill_charge_fen": "bigint",
    "bill_paid_on": "date",
    **{
        f"{kind}_{column}": form
        for kind in MediumKind
        for column, form in (("cipher", "bytea"), ("index", "bytea"), ("masked", "text"))
    },
}
"""Columns of ``import_row`` and their types."""

DOCUMENT_NUMBER = "document_number"
"""In clear, as contact values are; in the row until it is sealed, and in no table."""
_OF_THE_RUN = ("source", "now", "by", "import_id", "import_number", "changed_from", "created")
_MADE = (
    "customer_number",
    "history",
    *(f"{kind}_id" for kind in MediumKind),
    *(f"kind_{kind}" for kind in MediumKind),
)
SLOTS: Mapping[str, int] = {
    name: slot
    for slot, name in enumerate([*STAGED, *_MADE, *_OF_THE_RUN, DOCUMENT_NUMBER, *MediumKind])
}
DEFAULTS: Mapping[str, object] = {
    "kind": CustomerKind.INDIVIDUAL.value,
    "library": Library.IN_NETWORK.value,
    "sex": Sex.UNKNOWN.value,
    "level": Level.STANDARD.value,
    "contract_term": ContractTerm.NONE.value,
    "monthly_charge_fen": 0,
    "total_charge_fen": 0,
    "attributes": "{}",
    "line_contract_term": ContractTerm.NONE.value,
    "line_status": SubscriptionStatus.ACTIVE.value,
    "sim_state": SimState.ACTIVE.value,
    "changed_from": ChangeSource.IMPORT.value,
    "created": ChangeAction.CREATED.value,
    **{f"kind_{kind}": kind.value for kind in MediumKind},
}
"""What a row has where the mapping says nothing."""


def picker(names: Sequence[str]) -> Callable[[Row], tuple[Any, ...]]:
    """Return what picks these slots of a row."""
    return itemgetter(*(SLOTS[name] for name in names))


@dataclass(frozen=True, slots=True)
class Copy:
    """How rows of new customers go into one table.

    Attributes:
        table: which.
        columns: its columns.
        pick: their values in a row.
        only_with: slot that must be filled; without it the row has nothing for the table.
    """

    table: str
    columns: tuple[str, ...]
    pick: Callable[[Row], tuple[Any, ...]]
    only_with: int | None


def _copy(table: str, only_with: str | None, **columns: str) -> Copy:
    return Copy(
        table,
        tuple(columns),
        picker(tuple(columns.values())),
        None if only_with is None else SLOTS[only_with],
    )


def _medium(kind: MediumKind) -> Copy:
    return _copy(
        "contact_medium",
        f"{kind}_index",
        id=f"{kind}_id",
        customer_id="customer_id",
        kind=f"kind_{kind}",
        value_cipher=f"{kind}_cipher",
        value_index=f"{kind}_index",
        value_masked=f"{kind}_masked",
    )


COPIES: Sequence[Copy] = (
    _copy(
        "customer",
        None,
        id="customer_id",
        customer_number="customer_number",
        source="source",
        source_key="key",
        created_at="now",
        created_by="by",
        updated_at="now",
        updated_by="by",
        **{name: name for name in _PROFILE},
    ),
    _copy(
        "subscription",
        "msisdn",
        id="subscription_id",
        customer_id="customer_id",
        msisdn="msisdn",
        brand="brand",
        plan="plan",
        contract_term="line_contract_term",
        status="line_status",
        entry_date="line_entry_date",
        ended_on="left_on",
    ),
    _copy(
        "sim",
        "iccid",
        iccid="iccid",
        imsi="imsi",
        state="sim_state",
        subscription_id="subscription_id",
        activated_at="now",
        ended_at="left_at",
    ),
    _copy(
        "bill",
        "bill_charge_fen",
        subscription_id="subscription_id",
        customer_id="customer_id",
        period="bill_period",
        charge_fen="bill_charge_fen",
        paid_on="bill_paid_on",
        import_number="import_number",
    ),
    *(_medium(kind) for kind in MediumKind),
    _copy(
        "customer_change",
        None,
        customer_id="customer_id",
        at="now",
        by="by",
        source="changed_from",
        action="created",
        changes="history",
        cause_id="import_id",
    ),
)
"""The tables of a customer, in the order in which they refer to one another."""
