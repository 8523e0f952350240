"""A random city: customers, lines and bills, with many who lie just inside or outside a period."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import copy_rows
from shared.statistics.period import Period

MADE = datetime(2026, 11, 1, tzinfo=UTC)
EDGES = [date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 31), date(2026, 11, 1)]
EDGES += [date(2026, 11, 15), date(2026, 11, 16), date(2026, 11, 30), date(2026, 12, 1)]
BILLED = [date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)]
CELL = ("level", "contract_term", "tenure_band", "sex")


@dataclass
class Line:
    """A subscription."""

    id: UUID
    entry: date
    ended: date | None
    bills: dict[date, int]


@dataclass
class Person:
    """A customer, individual or group."""

    id: UUID
    kind: str
    sex: str
    level: str
    contract: str
    charge: int
    entry: date
    left: date | None
    lines: list[Line] = field(default_factory=list)


def some_day(chance: random.Random, first: date) -> date:
    """A day from ``first`` on, often at the edge of a period, sometimes in the future."""
    later = [day for day in EDGES if day >= first]
    if later and chance.random() < 0.5:
        return chance.choice(later)
    return first + timedelta(days=chance.randrange(1500))


def random_people(seed: object, number: int) -> list[Person]:
    """The people of a city; the same for the same seed."""
    chance = random.Random(str(seed))  # noqa: S311 - a draw that can be repeated
    people = []
    for _ in range(number):
        group = chance.random() < 0.1
        entry = some_day(chance, date(2018, 1, 1) + timedelta(days=chance.randrange(3300)))
        person = Person(
            id=UUID(int=chance.getrandbits(128)),
            kind="group" if group else "individual",
            sex="unknown" if group else chance.choice(["male", "female", "female", "unknown"]),
            level=chance.choice(["diamond", "gold", "silver", "standard", "standard"]),
            contract=chance.choice(["none", "monthly", "one_year", "two_year"]),
            charge=chance.choice([0, chance.randrange(1_000_000), 2**45]),
            entry=entry,
            left=some_day(chance, entry) if chance.random() < 0.35 else None,
        )
        for _ in range(chance.choice([0, 1, 1, 2])):
            began = some_day(chance, entry)
            ended = some_day(chance, began) if chance.random() < 0.3 else None
            bills = {month: chance.randrange(99_999) for month in BILLED if chance.random() < 0.6}
            person.lines.append(Line(UUID(int=chance.getrandbits(128)), began, ended, bills))
        people.append(person)
    return people


async def settle_in(session: AsyncSession, unit: str, people: Sequence[Person]) -> None:
    """Put people into a city's tables."""
    await copy_rows(
        session,
        "customer",
        (
            *("id", "customer_number", "kind", "library", "name", "name_sort", "sex", "level"),
            *("unit_code", "contract_term", "monthly_charge_fen", "entry_date", "left_on"),
            *("version", "created_at", "created_by", "updated_at", "updated_by"),
        ),
        [
            (
                *(each.id, f"{unit}{at:08}", each.kind),
                *("retained" if each.left else "in_network", "甲", "jia", each.sex, each.level),
                *(unit, each.contract, each.charge, each.entry, each.left),
                *(1, MADE, "test", MADE, "test"),
            )
            for at, each in enumerate(people)
        ],
    )
    lines = [(person, line) for person in people for line in person.lines]
    await copy_rows(
        session,
        "subscription",
        ("id", "customer_id", "msisdn", "status", "entry_date", "ended_on"),
        [
            (
                line.id,
                person.id,
                f"138{at:08}",
                "ended" if line.ended else "active",
                line.entry,
                line.ended,
            )
            for at, (person, line) in enumerate(lines)
        ],
    )
    await copy_rows(
        session,
        "bill",
        ("subscription_id", "customer_id", "period", "charge_fen"),
        [
            (line.id, person.id, month, charge)
            for person, line in lines
            for month, charge in line.bills.items()
        ],
    )


def count_customers(
    people: Sequence[Person], period: Period
) -> dict[tuple[str, ...], dict[str, int]]:
    """The cells of the dataset ``customer``, counted one person at a time."""
    cells: dict[tuple[str, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for person in people:
        if person.entry >= period.end:
            continue
        cell = cells[cell_of(person, period)]
        is_here = person.left is None or person.left >= period.end
        is_lost = person.left is not None and period.start <= person.left < period.end
        is_key = person.level != "standard"
        lines = [x for x in person.lines if x.entry < period.end]
        cell["customers"] += is_here
        cell["group_customers"] += is_here and person.kind == "group"
        cell["key_customers"] += is_here and is_key
        cell["long_contract_customers"] += is_here and person.contract.endswith("year")
        cell["retained_customers"] += not is_here
        cell["new_customers"] += person.entry >= period.start
        cell["lost_customers"] += is_lost
        cell["lost_key_customers"] += is_lost and is_key
        cell["customers_exposed"] += is_here or is_lost
        cell["tenure_months"] += is_here * tenure(person, period)
        cell["subscriptions"] += is_here * sum(
            x.ended is None or x.ended >= period.end for x in lines
        )
        cell["monthly_charge_fen"] += is_here * person.charge
        cell["key_monthly_charge_fen"] += is_here * is_key * person.charge
        cell["lost_monthly_charge_fen"] += is_lost * person.charge
        if is_here:
            highest = cell.get("highest_monthly_charge_fen", 0)
            cell["highest_monthly_charge_fen"] = max(person.charge, highest)
    return without_zeros(cells, "highest_monthly_charge_fen")


def count_bills(people: Sequence[Person], period: Period) -> dict[tuple[str, ...], dict[str, int]]:
    """The cells of the dataset ``revenue``, counted one bill at a time."""
    cells: dict[tuple[str, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for person in people:
        charges = [line.bills[period.start] for line in person.lines if period.start in line.bills]
        if charges:
            cell = cells[cell_of(person, period)]
            cell["billed_customers"] += 1
            cell["bills"] += len(charges)
            cell["billed_revenue_fen"] += sum(charges)
            cell["highest_bill_fen"] = max(*charges, cell.get("highest_bill_fen", 0))
    return without_zeros(cells, "highest_bill_fen")


def without_zeros(
    cells: dict[tuple[str, ...], dict[str, int]], extremum: str
) -> dict[tuple[str, ...], dict[str, int]]:
    """Leave out what adds up and is zero, as slices do."""
    kept = {
        key: {code: int(value) for code, value in cell.items() if value or code == extremum}
        for key, cell in cells.items()
    }
    return {key: cell for key, cell in kept.items() if cell}


def cell_of(person: Person, period: Period) -> tuple[str, ...]:
    """Where a person is counted."""
    months = tenure(person, period)
    bands = {12: "0-12", 24: "13-24", 48: "25-48", 60: "49-60"}
    band = next((name for last, name in bands.items() if months <= last), "61+")
    return person.level, person.contract, band, person.sex


def tenure(person: Person, period: Period) -> int:
    """Whole months to the period's last day, or to the day of leaving: birthdays of months, counted by hand."""
    day = period.end - timedelta(days=1)
    if person.left is not None and person.left < period.end:
        day = person.left
    return (
        sum(
            1
            for birthday in month_birthdays(person.entry)
            if birthday <= (day.year, day.month, day.day)
        )
        if day >= person.entry
        else 0
    )


def month_birthdays(entry: date) -> Iterator[tuple[int, int, int]]:
    """The days on which one more month is complete, for forty years; the 31st of June is the 1st of July."""
    for month in range(1, 480):
        year, index = divmod(entry.month - 1 + month, 12)
        yield entry.year + year, index + 1, entry.day
