"""The values of a condition: each checked against the type of the field that it is compared with."""

import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from services.city_node.query import condition as c
from services.city_node.query.catalogue import Field, Type
from shared.kernel.problems import Fault

LARGEST = 2**62
YEARS = range(1900, 2200)
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOST_SPANS = {c.Span.DAYS: 40_000, c.Span.MONTHS: 1200, c.Span.YEARS: 100}


class Wrong(Exception):
    """A part of a condition is wrong: where, and what was expected."""

    def __init__(self, pointer: str, expected: str) -> None:
        self.fault = Fault(pointer, expected)
        super().__init__(expected)


class WrittenInteger(int):
    """A whole number of the text form, which may have been meant as the text of its digits."""

    written: str

    def __new__(cls, written: str) -> Self:
        """Keep how it was written: zeros in front belong to a number that is a text."""
        number = super().__new__(cls, written)
        number.written = written
        return number


def value_of(given: Any, of: Field, pointer: str) -> c.Value:
    """Return the value that is given for a field.

    Raises:
        Wrong: if it is not of the field's type.
    """
    return _READERS[of.type](given, of, pointer)


def compared_value(given: Any, of: Field, operator: c.Operator, pointer: str) -> c.Value:
    """Return the value that an operand is compared with."""
    value = value_of(given, of, pointer)
    ordered = operator in of.type.operators and operator not in Type.TEXT.operators
    if of.type is Type.ATTRIBUTE and ordered and isinstance(value, bool | str):
        raise Wrong(pointer, f"expected a number after `{operator}`")
    if of.type is Type.ATTRIBUTE and operator is c.Operator.BEGINS and not isinstance(value, str):
        raise Wrong(pointer, f"expected a text after `{operator}`")
    return value


def _choice(given: Any, of: Field, pointer: str) -> str:
    return one_of(given, of.choices, pointer)


def _text_value(given: Any, _of: Field, pointer: str) -> str:
    return text_of(given.written if isinstance(given, WrittenInteger) else given, pointer)


def text_of(given: Any, pointer: str) -> str:
    """Return a text that PostgreSQL can hold."""
    if not isinstance(given, str):
        raise Wrong(pointer, "expected a text")
    if len(given) > c.LONGEST_TEXT:
        raise Wrong(pointer, f"expected a text of no more than {c.LONGEST_TEXT} characters")
    try:
        given.encode()
    except UnicodeEncodeError:
        raise Wrong(pointer, "expected a text of whole characters") from None
    if "\0" in given:
        raise Wrong(pointer, "expected a text without the character U+0000")
    return given


def _integer(given: Any, _of: Field, pointer: str) -> int:
    return _whole(given, pointer)


def _whole(given: Any, pointer: str) -> int:
    if isinstance(given, bool) or not isinstance(given, int):
        raise Wrong(pointer, "expected a whole number")
    if abs(given) > LARGEST:
        raise Wrong(pointer, f"expected a whole number between -{LARGEST} and {LARGEST}")
    return int(given)


def _amount(given: Any, of: Field, pointer: str) -> c.Amount:
    unit = of.unit or ""
    if not isinstance(given, dict) or list(given) != [unit]:
        example = {"fen": "300 yuan", "seconds": "30 minutes", "kilobytes": "500 MB"}[unit]
        raise Wrong(pointer, f'expected an amount: {{"{unit}": 30000}}, or {example} in text')
    return c.Amount(_whole(given[unit], f"{pointer}/{unit}"), unit)


def _date(given: Any, _of: Field, pointer: str) -> date | c.Today:
    if isinstance(given, dict):
        return _today(given, pointer)
    try:
        day = (
            date.fromisoformat(given) if isinstance(given, str) and _DAY.fullmatch(given) else None
        )
    except ValueError:
        day = None
    if day is None or day.year not in YEARS:
        raise Wrong(pointer, 'expected a date such as 2026-01-31, or {"today": {"days": -30}}')
    return day


def _today(given: dict[str, Any], pointer: str) -> c.Today:
    only(given, pointer, "today")
    moved = given.get("today")
    if moved == {}:
        return c.Today()
    if not isinstance(moved, dict) or len(moved) != 1:
        raise Wrong(f"{pointer}/today", "expected {} or one of days, months, years")
    ((name, by),) = moved.items()
    span = c.Span(one_of(name, [span.value for span in c.Span], f"{pointer}/today"))
    by = _whole(by, f"{pointer}/today/{name}")
    if abs(by) > _MOST_SPANS[span]:
        raise Wrong(f"{pointer}/today/{name}", f"expected no more than {_MOST_SPANS[span]}")
    return c.Today(by, span) if by else c.Today()


def _month(given: Any, _of: Field | None, pointer: str) -> c.Month | c.Today:
    if isinstance(given, dict):
        return _today(given, pointer)
    match = _MONTH.fullmatch(given) if isinstance(given, str) else None
    if match is None or int(match[1]) not in YEARS or int(match[2]) not in range(1, 13):
        raise Wrong(pointer, "expected a month such as 2026-01")
    return c.Month(date(int(match[1]), int(match[2]), 1))


def months_of(given: Any, pointer: str) -> c.Months:
    """Return the months that are given."""
    if isinstance(given, dict) and list(given) == ["last"]:
        last = _whole(given["last"], f"{pointer}/last")
        if not 0 <= last <= c.MOST_MONTHS:
            raise Wrong(f"{pointer}/last", f"expected 0 to {c.MOST_MONTHS} months")
        return c.Months(last=last)
    if isinstance(given, dict) and sorted(given) == ["from", "to"]:
        first, final = (_month(given[key], None, f"{pointer}/{key}") for key in ("from", "to"))
        if not (isinstance(first, c.Month) and isinstance(final, c.Month)):
            raise Wrong(pointer, "expected months such as 2026-01")
        if first.first > final.first:
            raise Wrong(f"{pointer}/to", "expected a month that is not before the first")
        if (final.first.year - first.first.year) * 12 >= c.MOST_MONTHS:
            raise Wrong(f"{pointer}/to", f"expected no more than {c.MOST_MONTHS} months")
        return c.Months(first=first, final=final)
    raise Wrong(pointer, 'expected months: {"last": 3}, or {"from": "2026-01", "to": "2026-06"}')


def _boolean(given: Any, _of: Field, pointer: str) -> bool:
    if not isinstance(given, bool):
        raise Wrong(pointer, "expected true or false")
    return given


def _id(given: Any, _of: Field, pointer: str) -> UUID:
    try:
        if isinstance(given, str):
            return UUID(given)
    except ValueError:
        pass
    raise Wrong(pointer, "expected an id: a UUID")


def _attribute(given: Any, _of: Field, pointer: str) -> c.Value:
    if isinstance(given, bool):
        return given
    if isinstance(given, int):
        return _whole(given, pointer)
    if isinstance(given, float):
        if not math.isfinite(given):
            raise Wrong(pointer, "expected a finite number")
        return Decimal(repr(given))
    if not isinstance(given, str):
        raise Wrong(pointer, "expected a text, a number, true or false")
    return text_of(given, pointer)


_READERS: Mapping[Type, Callable[[Any, Field, str], c.Value]] = {
    Type.CHOICE: _choice,
    Type.TEXT: _text_value,
    Type.INTEGER: _integer,
    Type.AMOUNT: _amount,
    Type.DATE: _date,
    Type.INSTANT: _date,
    Type.MONTH: _month,
    Type.BOOLEAN: _boolean,
    Type.ID: _id,
    Type.UNIT: _text_value,
    Type.DOCUMENT: _text_value,
    Type.ATTRIBUTE: _attribute,
}


def one_of(given: Any, names: Collection[str], pointer: str, more: str | None = None) -> str:
    """Return what is given if it is one of ``names``."""
    if isinstance(given, str) and given in names:
        return given
    expected = ", ".join([*names, *([f"{more}NAME"] if more else [])])
    raise Wrong(pointer, f"expected one of: {expected}")


def only(form: Mapping[str, Any], pointer: str, *keys: str) -> None:
    """Refuse every key but those."""
    for key in form:
        if key not in keys:
            escaped = str(key).replace("~", "~0").replace("/", "~1")
            raise Wrong(f"{pointer}/{escaped}", f"expected only: {', '.join(keys)}")
