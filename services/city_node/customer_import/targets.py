"""What a mapping may fill, and what each value must be.

A target is named by section and field, ``customer.level``, and filled into one column of the staged row. Open
attributes, ``customer.attributes.<name>``, take any text, number or truth value.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from services.city_node.customer.identity import check_iccid, check_imsi, check_medium, check_msisdn
from services.city_node.customer.models import (
    ContractTerm,
    CustomerKind,
    DocumentType,
    Level,
    Library,
    MediumKind,
    Sex,
    SubscriptionStatus,
)
from services.city_node.customer.schemas import EARLIEST, LATEST, clean
from services.city_node.interaction.models import Channel, InteractionKind
from services.city_node.usage.models import TimeBand, UsageKind

LONGEST_TEXT = 200
LONGEST_SUMMARY = 4000
LARGEST_INTEGER = 2**63 - 1
LARGEST_QUANTITY = 10**13
LARGEST_AMOUNT = 10**15
"""Of one record and of one customer, so that the sum over all records of a customer stays below 64 bits."""
ATTRIBUTES = "customer.attributes."
_LONGEST_ATTRIBUTE_NAME = 60

Check = Callable[[Any], Any]
"""Returns a value in its stored form, or raises ``ValueError`` with the reason."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that a mapping may fill.

    Attributes:
        name: as the mapping names it.
        column: where the staged row keeps it; empty for an attribute.
        type: what a conversion must give.
        check: what else must be true of it.
        nullable: whether an empty cell is allowed.
    """

    name: str
    column: str
    type: type
    check: Check
    nullable: bool


_TYPE_NAMES: Mapping[type, str] = {
    str: "a text",
    int: "a whole number",
    date: "a date",
    datetime: "a time",
}


def check_value(wanted: Target, value: object) -> object:
    """Return a value that a mapping itself gives, in its stored form.

    Raises:
        ValueError: if it is not what the target takes; the reason follows the value.
    """
    if wanted.type is object:
        fits = isinstance(value, str | int | float)
    else:
        fits = type(value) is wanted.type
    if not fits:
        raise ValueError(f"is not {_TYPE_NAMES.get(wanted.type, 'a text, number or truth value')}")
    stored: object = wanted.check(value)
    return stored


def _text(value: str) -> str:
    if len(value) > LONGEST_TEXT:
        raise ValueError(f"is longer than {LONGEST_TEXT} characters")
    if not value:
        raise ValueError("is empty")
    return clean(value)


def _long_text(value: str) -> str:
    if len(value) > LONGEST_SUMMARY:
        raise ValueError(f"is longer than {LONGEST_SUMMARY} characters")
    return clean(value)


def _moment(value: datetime) -> datetime:
    _day(value.date())
    return value


def _day(value: date) -> date:
    if not EARLIEST <= value <= LATEST:
        raise ValueError(f"lies before {EARLIEST} or after {LATEST}")
    return value


def _month(value: date) -> date:
    return _day(value).replace(day=1)


def _amount(value: int) -> int:
    if abs(value) > LARGEST_AMOUNT:
        raise ValueError("has more than 15 digits")
    return value


def _quantity(value: int) -> int:
    if abs(value) > LARGEST_QUANTITY:
        raise ValueError("has more than 13 digits")
    return value


def _count(value: int) -> int:
    if value < 0:
        raise ValueError("is negative")
    return _quantity(value)


def _one_of(values: type[StrEnum]) -> Check:
    allowed = {value.value for value in values}

    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"is not one of: {', '.join(values)}")
        return value

    return check


def _medium(kind: MediumKind) -> Check:
    return lambda value: check_medium(kind, _text(value))


def _attribute(value: object) -> object:
    return _text(value) if isinstance(value, str) else value


def _target(name: str, column: str, kind: type, check: Check, *, nullable: bool = False) -> Target:
    return Target(name, column, kind, check, nullable)


TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        _target("customer.name", "name", str, _text),
        _target("customer.kind", "kind", str, _one_of(CustomerKind)),
        _target("customer.library", "library", str, _one_of(Library)),
        _target("customer.sex", "sex", str, _one_of(Sex)),
        _target("customer.birth_date", "birth_date", date, _day, nullable=True),
        _target(
            "customer.document_type", "document_type", str, _one_of(DocumentType), nullable=True
        ),
        _target("customer.document_number", "document_number", str, _text, nullable=True),
        _target("customer.level", "level", str, _one_of(Level)),
        _target("customer.unit_code", "unit_code", str, _text),
        _target("customer.contract_term", "contract_term", str, _one_of(ContractTerm)),
        _target("customer.payment_method", "payment_method", str, _text, nullable=True),
        _target("customer.monthly_charge_fen", "monthly_charge_fen", int, _amount),
        _target("customer.total_charge_fen", "total_charge_fen", int, _amount),
        _target("customer.entry_date", "entry_date", date, _day),
        _target("customer.left_on", "left_on", date, _day, nullable=True),
        _target("customer.left_reason", "left_reason", str, _text, nullable=True),
        _target("customer.left_destination", "left_destination", str, _text, nullable=True),
        _target("subscription.msisdn", "msisdn", str, check_msisdn, nullable=True),
        _target("subscription.brand", "brand", str, _text, nullable=True),
        _target("subscription.plan", "plan", str, _text, nullable=True),
        _target("subscription.contract_term", "line_contract_term", str, _one_of(ContractTerm)),
        _target("subscription.entry_date", "line_entry_date", date, _day, nullable=True),
        _target("subscription.status", "line_status", str, _one_of(SubscriptionStatus)),
        _target("subscription.ended_on", "left_on", date, _day, nullable=True),
        _target("sim.iccid", "iccid", str, check_iccid, nullable=True),
        _target("sim.imsi", "imsi", str, check_imsi, nullable=True),
        _target("bill.period", "bill_period", date, _month, nullable=True),
        _target("bill.charge_fen", "bill_charge_fen", int, _quantity, nullable=True),
        _target("bill.paid_on", "bill_paid_on", date, _day, nullable=True),
        _target("usage.period", "period", date, _month),
        _target("usage.kind", "kind", str, _one_of(UsageKind)),
        _target("usage.band", "band", str, _one_of(TimeBand)),
        _target("usage.quantity", "quantity", int, _count),
        _target("usage.charge_fen", "charge_fen", int, _quantity),
        _target("interaction.key", "source_key", str, _text),
        _target("interaction.at", "at", datetime, _moment),
        _target("interaction.channel", "channel", str, _one_of(Channel)),
        _target("interaction.kind", "kind", str, _one_of(InteractionKind)),
        _target("interaction.subject", "subject", str, _text),
        _target("interaction.summary", "summary", str, _long_text, nullable=True),
        _target("interaction.outcome", "outcome", str, _text, nullable=True),
        _target("interaction.staff", "staff", str, _text, nullable=True),
        _target("contact.phone", "phone", str, _medium(MediumKind.PHONE), nullable=True),
        _target("contact.email", "email", str, _medium(MediumKind.EMAIL), nullable=True),
        _target("contact.postal", "postal", str, _medium(MediumKind.POSTAL), nullable=True),
    )
}


def target(name: str) -> Target | None:
    """Return the target with this name, if there is one."""
    if name.startswith(ATTRIBUTES):
        attribute = name.removeprefix(ATTRIBUTES)
        if 0 < len(attribute) <= _LONGEST_ATTRIBUTE_NAME and attribute.isprintable():
            return Target(name, "", object, _attribute, nullable=True)
        return None
    return TARGETS.get(name)
