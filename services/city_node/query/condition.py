"""What a condition is: a tree of typed parts, the same whichever form it was written in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

DEEPEST = 20
"""Conditions inside conditions."""
MOST_PARTS = 200
MOST_VALUES = 1000
"""Values of one ``in``."""
LONGEST_TEXT = 1000
"""Characters of one value."""
LONGEST_CONDITION = 20_000
"""Characters of a condition in its text form."""
MOST_MONTHS = 120


class Operator(StrEnum):
    """How an operand is compared with values."""

    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="
    IN = "in"
    NOT_IN = "not in"
    BETWEEN = "between"
    BEGINS = "begins with"
    WITHIN = "within"
    NULL = "is null"
    NOT_NULL = "is not null"


class Function(StrEnum):
    """What is made of the months of a measure."""

    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"


class Span(StrEnum):
    """What a day is moved by."""

    DAYS = "days"
    MONTHS = "months"
    YEARS = "years"


@dataclass(frozen=True, slots=True)
class Today:
    """The business day on which the condition is evaluated, moved by so many days, months or years."""

    by: int = 0
    span: Span = Span.DAYS

    def on(self, today: date) -> date:
        """Return the day that is meant; the last of its month where the month has no such day."""
        if self.span is Span.DAYS:
            return today + timedelta(days=self.by)
        months = self.by * (12 if self.span is Span.YEARS else 1)
        return min(
            shift_month(today.replace(day=1), months) + timedelta(days=today.day - 1),
            shift_month(today.replace(day=1), months + 1) - timedelta(days=1),
        )


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of a unit: ``fen``, ``seconds``, ``kilobytes``."""

    quantity: int
    unit: str


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month, by its first day."""

    first: date


Value: TypeAlias = str | int | Decimal | bool | date | UUID | Today | Amount | Month


@dataclass(frozen=True, slots=True)
class Months:
    """Some calendar months: the ``last`` so many before the present one, 0 for the present one; or from one to another.

    The fields that do not apply are ``None``.
    """

    last: int | None = None
    first: Month | None = None
    final: Month | None = None

    def on(self, today: date) -> tuple[date, date, int]:
        """Return the first day, the day after the last, and how many months there are."""
        if self.first is not None and self.final is not None:
            begin, end = self.first.first, shift_month(self.final.first, 1)
        else:
            this = today.replace(day=1)
            begin = shift_month(this, -(self.last or 0))
            end = this if self.last else shift_month(this, 1)
        return begin, end, (end.year - begin.year) * 12 + end.month - begin.month


def shift_month(first: date, months: int) -> date:
    """Return the first day of the month that lies so many months after that of ``first``."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, 1)


@dataclass(frozen=True, slots=True)
class FieldOf:
    """A field of what is being looked at: the customer, or inside ``has`` and ``count`` a thing of theirs."""

    name: str


@dataclass(frozen=True, slots=True)
class Series:
    """A measure over some months, such as what was charged in each of the last three."""

    measure: str
    function: Function
    months: Months


@dataclass(frozen=True, slots=True)
class Count:
    """How many things of a kind the customer has that meet a condition."""

    relation: str
    where: "Condition | None"


Operand: TypeAlias = FieldOf | Series | Count


@dataclass(frozen=True, slots=True)
class Comparison:
    """An operand compared with values: none for a null test, two for ``between``, any number for ``in``."""

    operand: Operand
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Has:
    """Whether the customer has a thing of a kind that meets a condition."""

    relation: str
    where: "Condition | None"


@dataclass(frozen=True, slots=True)
class Changed:
    """Whether a field of the profile was changed: from and to what, and when; half-open, ``None`` for whatever."""

    field: str
    old: Value | None = None
    new: Value | None = None
    since: date | Today | None = None
    before: date | Today | None = None


@dataclass(frozen=True, slots=True)
class Not:
    """What the other is not."""

    item: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    items: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    items: tuple["Condition", ...]


Condition: TypeAlias = Comparison | Has | Changed | Not | And | Or


def parts(condition: Condition) -> Iterator[Condition]:
    """Give a condition and every condition inside it."""
    yield condition
    match condition:
        case And(items) | Or(items):
            for item in items:
                yield from parts(item)
        case Not(item):
            yield from parts(item)
        case Has(_, where) | Comparison(Count(_, where), _, _) if where is not None:
            yield from parts(where)
