"""A small random city to ask about: what is known of its customers, plainly in Python and as rows of its database."""

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.agreement.models import AgreementKind
from services.city_node.customer.identity import contact_form, document_form
from services.city_node.customer.models import (
    ContractTerm,
    CustomerKind,
    DocumentType,
    Level,
    MediumKind,
    Sex,
    SubscriptionStatus,
)
from services.city_node.interaction.models import Channel, InteractionKind
from services.city_node.preference.models import PreferenceTopic
from services.city_node.product_holding.models import ProductCategory
from services.city_node.usage.models import TimeBand, UsageKind
from shared.kernel.database import copy_rows
from shared.kernel.encryption import Cipher
from shared.kernel.ids import derived_id

CITY = "440300"
UNITS = (CITY, "440300-01", "440300-01-A", "440300-02")
PATHS = {
    CITY: "000000/440000/440300/",
    "440300-01": "000000/440000/440300/440300-01/",
    "440300-01-A": "000000/440000/440300/440300-01/440300-01-A/",
    "440300-02": "000000/440000/440300/440300-02/",
}
MANAGERS = (UUID(int=1), UUID(int=2))
REASONS = ("price", "service", "coverage", "other")
WORDS = (
    "",
    "全",
    "全球通",
    "全球 ",
    "张伟",
    "张",
    "a",
    "A",
    "%",
    "_",
    "动感地带",
    "'; --",
    "price",
)
REACHED = {
    MediumKind.PHONE: ("13800138000", "+86 139 0013 9000", "0755-86123456"),
    MediumKind.EMAIL: ("a@example.com", "Zhang@Example.com"),
    MediumKind.POSTAL: ("深圳市 深南大道1号", "13800138000"),
}
CAUSE = UUID("0192d5c1-7e1a-7cc3-a5b0-5f3f3a1b9c01")


@dataclass
class Person:
    """A customer: the fields by the names of conditions, and lists of what they have."""

    id: UUID
    fields: dict[str, Any]
    attributes: dict[str, Any]
    document_index: bytes | None
    things: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return PATHS[self.fields["unit"]]


def people(seed: int, number: int, cipher: Cipher) -> list[Person]:
    """The people of a city; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - a draw that can be repeated
    return [_person(chance, at, cipher) for at in range(number)]


def _day(chance: random.Random) -> date:
    if chance.random() < 0.5:
        return date(2026, 8, 1) + timedelta(days=chance.randrange(120))
    return date(2000, 1, 1) + timedelta(days=chance.randrange(9800))


def _moment(chance: random.Random) -> datetime:
    # Often around midnight in Beijing, which is 16:00 UTC.
    day = datetime(2026, 8, 1, 16, tzinfo=UTC) + timedelta(days=chance.randrange(115))
    return day + timedelta(seconds=chance.choice([-1, 0, 1, 40_000]))


def _or_none(chance: random.Random, value: Any) -> Any:
    return None if chance.random() < 0.35 else value


def _person(chance: random.Random, at: int, cipher: Cipher) -> Person:
    left = _or_none(chance, _day(chance))
    number = _or_none(chance, f"P{at:07}")
    person = Person(
        id=derived_id(CAUSE, str(at)),
        fields={
            "customer_number": f"{CITY}{at:08}",
            "kind": chance.choice(list(CustomerKind)).value,
            "library": "in_network" if left is None else "retained",
            "name": chance.choice([word for word in WORDS if word]),
            "sex": chance.choice(list(Sex)).value,
            "birth_date": _or_none(
                chance, chance.choice([date(1996, 2, 29), date(1990, 11, 23), date(1990, 11, 24)])
            ),
            "document_type": DocumentType.PASSPORT.value if number else None,
            "level": chance.choice(list(Level)).value,
            "unit": chance.choice(UNITS),
            "manager": _or_none(chance, chance.choice(MANAGERS)),
            "contract_term": chance.choice(list(ContractTerm)).value,
            "payment_method": _or_none(chance, chance.choice(WORDS)),
            "monthly_charge": chance.choice([0, 10_000, 30_000, 30_001, 2**45]),
            "total_charge": chance.choice([0, 20_000, 2**50]),
            "entry_date": _day(chance),
            "left_on": left,
            "left_reason": None if left is None else _or_none(chance, chance.choice(REASONS)),
            "left_destination": None if left is None else _or_none(chance, chance.choice(WORDS)),
            "source": _or_none(chance, "billing"),
            "created_at": _moment(chance),
            "updated_at": _moment(chance),
        },
        attributes={
            name: chance.choice(
                [True, False, None, 0, 1, 0.5, -2.0, "1", "true", "全球通", [1], {}]
            )
            for name in ("vip", "score", "note", "odd key", 'q"uo\\te', "爱好")
            if chance.random() < 0.6
        },
        document_index=cipher.index(document_form(number)) if number else None,
    )
    person.fields["document_number"] = number
    person.things = {
        "subscription": [_line(chance, at, n) for n in range(chance.choice([0, 1, 1, 2]))],
        "contact": [
            {
                "kind": kind.value,
                "preferred": kind is MediumKind.PHONE and chance.random() < 0.5,
                "sealed": (sealed := chance.choice(REACHED[kind])),
                "value_cipher": b"x",
                "value_index": cipher.index(contact_form(kind, sealed)),
                "value_masked": "***",
            }
            for kind in MediumKind
            if chance.random() < 0.5
        ],
        "interaction": [
            {
                "at": _moment(chance),
                "channel": chance.choice(list(Channel)).value,
                "kind": chance.choice(list(InteractionKind)).value,
                "subject": chance.choice([word for word in WORDS if word]),
                "outcome": _or_none(chance, chance.choice(WORDS)),
                "staff": _or_none(chance, "zhang"),
            }
            for _ in range(chance.choice([0, 0, 1, 3]))
        ],
        **_holdings(chance),
        "change": [_change(chance) for _ in range(chance.choice([0, 1, 2, 4]))],
    }
    months = [date(2025, 12, 1), *(date(2026, month, 1) for month in range(6, 13))]
    person.things["bill"] = [
        {
            "line": n,
            "month": month,
            "charge": chance.choice([0, 10_000, 10_001, 30_000]),
            "paid_on": _or_none(chance, _day(chance)),
        }
        for n in range(len(person.things["subscription"]))
        for month in months
        if chance.random() < 0.6
    ]
    person.things["usage"] = [
        {
            "line": n,
            "month": month,
            "kind": kind.value,
            "band": TimeBand.ALL.value,
            "quantity": chance.choice([0, 60, 600, 1024, 3600]),
            "charge": chance.choice([0, 10_000]),
        }
        for n in range(len(person.things["subscription"]))
        for month in months
        for kind in UsageKind
        if chance.random() < 0.3
    ]
    return person


def _holdings(chance: random.Random) -> dict[str, list[dict[str, Any]]]:
    def some() -> range:
        return range(chance.choice([0, 0, 1, 2]))

    return {
        "agreement": [
            {
                "number": f"A{at}",
                "kind": chance.choice(list(AgreementKind)).value,
                "starts_on": date(2020, 1, 1),
                "expires_on": _or_none(chance, date(2026, 11, 1) + timedelta(days=at * 40)),
                "auto_renews": False,
                "amount": _or_none(chance, chance.choice([0, 30_000])),
            }
            for at in some()
        ],
        "product": [
            {
                "code": f"P{at}",
                "category": chance.choice(list(ProductCategory)).value,
                "quantity": chance.choice([1, 2, 100]),
                "fee": _or_none(chance, chance.choice([0, 10_000])),
                "since": date(2020, 1, 1),
                "until": _or_none(chance, date(2026, 11, 23)),
            }
            for at in some()
        ],
        "competitor_use": [
            {
                "operator": chance.choice([word for word in WORDS if word]),
                "category": chance.choice(list(ProductCategory)).value,
                "share": _or_none(chance, chance.randrange(101)),
                "expires_on": _or_none(chance, _day(chance)),
                "until": None,
            }
            for _ in some()
        ],
        "preference": [
            {"topic": topic.value, "value": chance.choice([word for word in WORDS if word])}
            for topic in PreferenceTopic
            if chance.random() < 0.3
        ],
    }


def _line(chance: random.Random, at: int, number: int) -> dict[str, Any]:
    status = chance.choice(list(SubscriptionStatus)).value
    return {
        "msisdn": f"138{at:07}{number}",
        "brand": _or_none(chance, chance.choice(WORDS)),
        "plan": _or_none(chance, chance.choice(WORDS)),
        "contract_term": chance.choice(list(ContractTerm)).value,
        "status": status,
        "entry_date": _day(chance),
        "ended_on": _day(chance) if status == "ended" else None,
    }


def _change(chance: random.Random) -> dict[str, Any]:
    recorded: list[tuple[str, list[Any]]] = [
        ("level", [level.value for level in Level]),
        ("unit_code", list(UNITS)),
        ("manager_id", [str(each) for each in MANAGERS]),
        ("monthly_charge_fen", [10_000, 30_000]),
        ("payment_method", list(WORDS)),
        ("birth_date", ["1990-11-23", "1996-02-29"]),
    ]
    field, known = chance.choice(recorded)
    return {
        "at": _moment(chance),
        "by": "zhang",
        "source": chance.choice(["rest", "import"]),
        "action": chance.choice(["created", "changed", "changed", "retired"]),
        "changes": [
            {"field": field, "old": chance.choice([None, *known]), "new": chance.choice(known)}
        ],
    }


async def settle_in(session: AsyncSession, folk: list[Person]) -> None:
    """Put them into the tables."""
    names = [
        *("customer_number", "kind", "library", "name", "sex", "birth_date", "document_type"),
        *("level", "contract_term", "payment_method", "entry_date", "left_on", "left_reason"),
        *("left_destination", "source", "created_at", "updated_at"),
    ]
    await copy_rows(
        session,
        "customer",
        [
            *("id", *names, "unit_code", "manager_id", "monthly_charge_fen", "total_charge_fen"),
            *("attributes", "document_index", "document_cipher", "document_masked"),
            *("source_key", "name_sort", "version", "created_by", "updated_by"),
        ],
        [
            (
                *(each.id, *(each.fields[name] for name in names)),
                *(each.fields["unit"], each.fields["manager"]),
                *(each.fields["monthly_charge"], each.fields["total_charge"]),
                orjson.dumps(each.attributes).decode(),
                *((each.document_index, b"x", "P****") if each.document_index else (None,) * 3),
                str(each.id) if each.fields["source"] else None,
                *(each.fields["name"], 1, "test", "test"),
            )
            for each in folk
        ],
    )
    await _things(session, folk)


async def _things(session: AsyncSession, folk: list[Person]) -> None:
    def rows(kind: str, *names: str) -> list[tuple[Any, ...]]:
        return [
            (derived_id(person.id, kind, str(at)), person.id, *(thing[name] for name in names))
            for person in folk
            for at, thing in enumerate(person.things[kind])
        ]

    def of_lines(kind: str, *names: str) -> list[tuple[Any, ...]]:
        return [
            (
                derived_id(person.id, "subscription", str(thing["line"])),
                person.id,
                *(thing[name] for name in names),
            )
            for person in folk
            for thing in person.things[kind]
        ]

    line = ("msisdn", "brand", "plan", "contract_term", "status", "entry_date", "ended_on")
    head = ("id", "customer_id")
    await copy_rows(session, "subscription", (*head, *line), rows("subscription", *line))
    reached = ("kind", "preferred", "value_cipher", "value_index", "value_masked")
    await copy_rows(
        session,
        "contact_medium",
        (*head, *reached),
        rows("contact", *reached),
    )
    talk = ("at", "channel", "kind", "subject", "outcome", "staff")
    await copy_rows(session, "interaction", (*head, *talk), rows("interaction", *talk))
    held = ("number", "kind", "starts_on", "expires_on", "auto_renews", "amount")
    await copy_rows(
        session,
        "agreement",
        (*head, *held[:-1], "amount_fen", "title"),
        [(*row, "title") for row in rows("agreement", *held)],
    )
    held = ("code", "category", "quantity", "fee", "since", "until")
    await copy_rows(
        session,
        "product_holding",
        (
            *head,
            "product_code",
            "category",
            "quantity",
            "monthly_fee_fen",
            "since",
            "until",
            "name",
        ),
        [(*row, "name") for row in rows("product", *held)],
    )
    await copy_rows(
        session,
        "competitor_use",
        (*head, "operator", "category", "share_percent", "expires_on", "until"),
        rows("competitor_use", "operator", "category", "share", "expires_on", "until"),
    )
    await copy_rows(
        session, "preference", (*head, "topic", "value"), rows("preference", "topic", "value")
    )
    await copy_rows(
        session,
        "customer_change",
        ("customer_id", "at", "by", "source", "action", "changes"),
        [
            (*row[1:-1], orjson.dumps(row[-1]).decode())
            for row in rows("change", "at", "by", "source", "action", "changes")
        ],
    )
    await copy_rows(
        session,
        "bill",
        ("subscription_id", "customer_id", "period", "charge_fen", "paid_on"),
        of_lines("bill", "month", "charge", "paid_on"),
    )
    await copy_rows(
        session,
        "usage_month",
        ("subscription_id", "customer_id", "period", "kind", "band", "quantity", "charge_fen"),
        of_lines("usage", "month", "kind", "band", "quantity", "charge"),
    )
