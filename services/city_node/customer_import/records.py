"""The kinds of records that a file may hold, and what a mapping fills for each.

Customers and subscriptions are loaded by :mod:`~services.city_node.customer_import.loading`, the rest, which are many
and small, by :mod:`~services.city_node.customer_import.line_loading`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.city_node.customer_import.models import Records

_SIM_AND_BILL: Mapping[str, Sequence[str]] = {
    "subscription.brand": ("subscription.msisdn",),
    "subscription.plan": ("subscription.msisdn",),
    "subscription.contract_term": ("subscription.msisdn",),
    "subscription.entry_date": ("subscription.msisdn",),
    "sim.iccid": ("sim.imsi", "subscription.msisdn"),
    "sim.imsi": ("sim.iccid", "subscription.msisdn"),
    "bill.period": ("bill.charge_fen", "subscription.msisdn"),
    "bill.charge_fen": ("bill.period", "subscription.msisdn"),
    "bill.paid_on": ("bill.charge_fen",),
}


@dataclass(frozen=True, slots=True)
class RecordKind:
    """What a mapping says of one kind of record.

    Attributes:
        fills: targets or, ending in a dot, sections of targets that it may fill.
        refuses: targets of those sections that it may not.
        required: targets that it must fill.
        needs: what makes sense only together with something else.
        keyed: whether the source's key column is required: it names a customer.
    """

    fills: Sequence[str]
    refuses: Sequence[str] = ()
    required: Sequence[str] = ()
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    keyed: bool = True

    def takes(self, name: str) -> bool:
        """Tell whether a target may be filled."""
        return (
            any(name == one or (one.endswith(".") and name.startswith(one)) for one in self.fills)
            and name not in self.refuses
        )


RECORD_KINDS: Mapping[Records, RecordKind] = {
    Records.CUSTOMERS: RecordKind(
        fills=("customer.", "subscription.", "sim.", "bill.", "contact."),
        refuses=("subscription.status", "subscription.ended_on"),
        needs={
            "customer.document_number": ("customer.document_type",),
            "customer.document_type": ("customer.document_number",),
            **_SIM_AND_BILL,
        },
    ),
    Records.SUBSCRIPTIONS: RecordKind(
        fills=("subscription.", "sim."),
        required=("subscription.msisdn",),
        needs={
            "subscription.ended_on": ("subscription.status",),
            "subscription.status": ("subscription.ended_on",),
            **_SIM_AND_BILL,
        },
    ),
    Records.BILLS: RecordKind(
        fills=("subscription.msisdn", "bill."),
        required=("bill.period", "bill.charge_fen"),
        keyed=False,
    ),
    Records.USAGE: RecordKind(
        fills=("subscription.msisdn", "usage."),
        required=("usage.period", "usage.kind", "usage.quantity"),
        keyed=False,
    ),
    Records.INTERACTIONS: RecordKind(
        fills=("subscription.msisdn", "interaction."),
        required=(
            "interaction.key",
            "interaction.at",
            "interaction.channel",
            "interaction.kind",
            "interaction.subject",
        ),
        keyed=False,
    ),
}
"""The kinds of records by name."""
