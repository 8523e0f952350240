"""A small random city to be evaluated: what is known of its customers plainly, and as rows of its database."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.evaluation.facts import Window
from services.city_node.level.rule import RISING
from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.database import copy_rows
from tests.query.people import CITY, UNITS

MADE = datetime(2020, 1, 1, tzinfo=UTC)
MONTHS = [date(2025, month, 1) for month in range(6, 13)] + [
    date(2026, month, 1) for month in range(1, 13)
]
CHARGES = [0, 1, 9_999, 10_000, 29_999, 30_000, 70_000, 169_999, 170_000, 250_000, -5_000]
LEVELS = [level.value for level in RISING]
Bill = tuple[date, int, date | None]


@dataclass
class Someone:
    """A customer with everything that rules look at.

    ``grants`` are appointments as (level, since, until, state), ``groups`` memberships as (place of the group, since,
    until), ``held_back`` the level and end of a grace that was found before.
    """

    id: UUID
    kind: str
    library: str
    level: str
    contract_term: str
    entry_date: date
    unit: str
    bills: list[Bill] = field(default_factory=list)
    stopped: list[datetime] = field(default_factory=list)
    grants: list[tuple[str, date, date, str]] = field(default_factory=list)
    groups: list[tuple[int, date, date | None]] = field(default_factory=list)
    grace: tuple[str, date] | None = None


def some_day(chance: random.Random) -> date:
    """A day of late 2026, often a month's first or last."""
    edges = [date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 23), date(2026, 11, 30)]
    if chance.random() < 0.4:
        return chance.choice(edges)
    return date(2026, 9, 1) + timedelta(days=chance.randrange(150))


def some_bills(chance: random.Random) -> list[Bill]:
    """Bills of one or two lines, with months missing, paid early, late or not at all."""
    bills = []
    usual = chance.choice([None, None, 35_000, 80_000, 200_000])
    for _ in range(chance.choice([1, 1, 2])):
        for month in MONTHS:
            if chance.random() < 0.25:
                continue
            paid = month + timedelta(days=chance.choice([20, 40, 55, 58, 60, 61, 62, 90]))
            charge = usual if usual and chance.random() < 0.8 else chance.choice(CHARGES)
            bills.append((month, charge, None if chance.random() < 0.15 else paid))
    return bills


def folk(seed: object, number: int) -> list[Someone]:
    """The people of a city; the same for the same seed. The first tenth are groups."""
    chance = random.Random(str(seed))  # noqa: S311 - a draw that can be repeated
    people = []
    groups = max(1, number // 10)
    for place in range(number):
        entry = date(2026, 10, 1) - timedelta(days=chance.choice([0, 20, 40, 100, 400, 1500, -40]))
        each = Someone(
            id=UUID(int=chance.getrandbits(128)),
            kind="group" if place < groups else "individual",
            library="retained" if chance.random() < 0.1 else "in_network",
            level=chance.choice(LEVELS),
            contract_term=chance.choice(["none", "monthly", "one_year", "two_year"]),
            entry_date=entry,
            unit=chance.choice(UNITS),
            bills=some_bills(chance) if chance.random() < 0.9 else [],
        )
        for _ in range(chance.choice([0, 0, 0, 1, 3])):
            day = datetime(2025, 10, 31, 23, 30, tzinfo=BUSINESS_ZONE)
            each.stopped.append(day + timedelta(days=chance.randrange(-60, 380), hours=1))
        for _ in range(chance.choice([0, 0, 1, 2])):
            since = some_day(chance)
            until = since + timedelta(days=chance.choice([1, 30, 90]))
            state = chance.choice(["approved", "approved", "proposed", "ended"])
            each.grants.append((chance.choice(LEVELS[1:]), since, until, state))
        if each.kind == "individual" and chance.random() < 0.4:
            since = some_day(chance)
            left = None if chance.random() < 0.5 else since + timedelta(days=30)
            each.groups.append((chance.randrange(groups), since, left))
        if chance.random() < 0.3:
            each.grace = (chance.choice(LEVELS[1:]), some_day(chance))
        people.append(each)
    return people


async def settle_in(session: AsyncSession, people: Sequence[Someone]) -> None:
    """Put people into a city's tables."""
    await copy_rows(
        session,
        "customer",
        (
            *("id", "customer_number", "kind", "library", "name", "name_sort", "level"),
            *("unit_code", "contract_term", "entry_date", "left_on"),
            *("created_at", "created_by", "updated_at", "updated_by"),
        ),
        [
            (
                *(each.id, f"{CITY}{place:08}", each.kind, each.library, "甲", "jia", each.level),
                *(each.unit, each.contract_term, each.entry_date),
                each.entry_date if each.library == "retained" else None,
                *(MADE, "test", MADE, "test"),
            )
            for place, each in enumerate(people)
        ],
    )
    lines = []
    bills = []
    for place, each in enumerate(people):
        months: set[date] = set()
        line = 0
        for month, charge, paid in each.bills:
            if month in months:  # the next line's
                line, months = line + 1, set()
            months.add(month)
            bills.append((line_id(each, line), each.id, month, charge, paid))
        lines += [(line_id(each, at), each.id, f"138{place:04}{at:04}") for at in range(line + 1)]
    await copy_rows(
        session,
        "subscription",
        ("id", "customer_id", "msisdn", "entry_date"),
        [(*line, date(2020, 1, 1)) for line in lines],
    )
    columns = ("subscription_id", "customer_id", "period", "charge_fen", "paid_on")
    await copy_rows(session, "bill", columns, bills)
    await _history(session, people)
    await _levels(session, people)


def line_id(each: Someone, place: int) -> UUID:
    """Return the id of somebody's line."""
    return UUID(int=(each.id.int + 1 + place) % 2**128)


async def _history(session: AsyncSession, people: Sequence[Someone]) -> None:
    change = [{"field": "subscriptions/138/status", "old": "active", "new": "suspended"}]
    noise = [{"field": "subscriptions/138/status", "old": "suspended", "new": "active"}]
    rows = []
    for each in people:
        rows += [
            (each.id, at, "t", "rest", "changed", orjson.dumps(kept).decode())
            for at in each.stopped
            for kept in (change, noise)
        ]
    columns = ("customer_id", "at", "by", "source", "action", "changes")
    await copy_rows(session, "customer_change", columns, rows)


async def _levels(session: AsyncSession, people: Sequence[Someone]) -> None:
    grants, members, graces = [], [], []
    for each in people:
        for at, (level, since, until, state) in enumerate(each.grants):
            decided = (None, None) if state == "proposed" else (MADE, "t")
            grants.append(
                (
                    UUID(int=(each.id.int + 100 + at) % 2**128),
                    *(each.id, level, "r", since, until, state, MADE, "t", UUID(int=1), *decided),
                )
            )
        for group, joined, left in each.groups:
            key = UUID(int=(each.id.int + 200) % 2**128)
            members.append((key, people[group].id, each.id, joined, left))
        if each.grace:
            graces.append(
                (each.id, MADE, date(2020, 1, 1), "p", "{}", "gold", "silver", "spend", *each.grace)
            )
    await copy_rows(
        session,
        "level_appointment",
        (
            *("id", "customer_id", "level", "reason", "since", "until", "state"),
            *("proposed_at", "proposed_by", "proposer_id", "decided_at", "decided_by"),
        ),
        grants,
    )
    columns = ("id", "customer_id", "member_id", "since", "until")
    await copy_rows(session, "group_member", columns, members)
    await copy_rows(
        session,
        "level_result",
        (
            *("customer_id", "since", "as_of", "policy", "used"),
            *("level", "entitled", "basis", "grace_level", "grace_until"),
        ),
        graces,
    )


async def empty(session: AsyncSession) -> None:
    """Take everybody out again."""
    tables = (
        *("bill", "subscription", "customer_change", "level_appointment", "group_member"),
        *("level_result", "credit_result", "level_migration", "level_review_line", "level_review"),
        *("evaluation", "evaluation_mark", "evaluation_due", "evaluation_trial"),
        *("evaluation_trial_change", "customer"),
    )
    await session.execute(text(f"TRUNCATE {', '.join(tables)} CASCADE"))


def known(each: Someone, people: Sequence[Someone], window: Window) -> dict[str, Any]:
    """What the relation of facts is to say of somebody, counted plainly."""
    end = window.end
    months = [month for month in MONTHS if window.first <= month < end]
    within = [bill for bill in each.bills if bill[0] in months]
    due = [bill for bill in within if _due_day(bill[0]) <= end]
    entry_month = each.entry_date.replace(day=1)
    all_months = [m for m in _months(date(2000, 1, 1), end) if m >= entry_month]
    approved = [
        LEVELS.index(level)
        for level, since, until, state in each.grants
        if state == "approved" and since <= window.on < until
    ]
    held_by_groups = [
        LEVELS.index(people[group].level)
        for group, since, until in each.groups
        if people[group].library == "in_network"
        and since <= window.on
        and (until is None or window.on < until)
    ]
    begun = datetime(window.first.year, window.first.month, 1, tzinfo=BUSINESS_ZONE)
    return {
        "held": LEVELS.index(each.level),
        "billed_fen": sum(charge for _, charge, _ in within),
        "billed_months": len({month for month, _, _ in within}),
        "held_months": len([m for m in all_months if m >= window.first]),
        "tenure_months": max(0, len(all_months) - (each.entry_date.day > 1)),
        "contract_term": each.contract_term,
        "bills_due": len(due),
        "bills_on_time": len(
            [paid for month, _, paid in due if paid is not None and paid < _due_day(month)]
        ),
        "arrears_fen": sum(
            charge
            for month, charge, paid in each.bills
            if paid is None and charge > 0 and _due_day(month) <= end
        ),
        "suspensions": len([at for at in each.stopped if at >= begun]),
        "appointed": max(approved, default=0),
        "group_held": max(held_by_groups, default=0),
        "was_grace_level": each.grace[0] if each.grace else None,
        "was_grace_until": each.grace[1] if each.grace else None,
    }


def _due_day(month: date) -> date:
    """The first day on which a bill of ``month`` is late."""
    return _months(month, date(2030, 1, 1))[2]


def _months(first: date, end: date) -> list[date]:
    found = []
    while first < end:
        found.append(first)
        first = (first + timedelta(days=32)).replace(day=1)
    return found
