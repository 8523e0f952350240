"""From the text of a cell to a value.

A conversion is made from a mapping's options and is a function of the text; it raises ``ValueError`` with the reason,
put so that it follows the value: "is not a number".
"""

import re
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from services.city_node.customer_import.targets import LARGEST_INTEGER, Check
from shared.kernel.clock import BUSINESS_ZONE

Conversion = Callable[[str], Any]

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,16}(\.[0-9]{1,12})?")
_YUAN = re.compile(r"([+-]?)([0-9]{1,16})(?:\.([0-9]{1,2}))?")
_MONTHS_A_YEAR = 12
_MOST_MONTHS = 1200


class OptionInvalid(ValueError):
    """A conversion was given an option that it cannot work with: its name, and why."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option} {reason}")


def integer(text: str) -> int:
    """Return a whole number."""
    if not _INTEGER.fullmatch(text):
        raise ValueError("is not a whole number")
    number = int(text)
    if abs(number) > LARGEST_INTEGER:
        raise ValueError("has more than 64 bits")
    return number


def number(text: str) -> float:
    """Return a number as JSON has it, for attributes."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("is not a number")
    return float(text)


def yuan(text: str) -> int:
    """Return an amount of yuan, such as ``29.85``, in fen; exact, so with two decimals at most."""
    match = _YUAN.fullmatch(text)
    if match is None:
        raise ValueError("is not an amount in yuan with two decimals at most")
    sign, whole, fen = match.groups()
    amount = int(whole) * 100 + int((fen or "0").ljust(2, "0"))
    return -amount if sign == "-" else amount


def months_before(reference: date) -> Conversion:
    """Return the conversion from a number of months to the day so long before ``reference``."""

    def convert(text: str) -> date:
        months = integer(text)
        if not 0 <= months <= _MOST_MONTHS:
            raise ValueError(f"is not a number of months from 0 to {_MOST_MONTHS}")
        year, month = divmod(reference.year * _MONTHS_A_YEAR + reference.month - 1 - months, 12)
        day = min(reference.day, monthrange(year, month + 1)[1])
        return date(year, month + 1, day)

    return convert


def day(form: str | None) -> Conversion:
    """Return the conversion of a date: ISO 8601, or as ``form`` (``strptime``) says."""

    def convert(text: str) -> date:
        try:
            if form is None:
                return date.fromisoformat(text)
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            raise ValueError(f"is not a date like {form or '2026-11-01'}") from None

    return convert


def moment(form: str | None) -> Conversion:
    """Return the conversion of a time: ISO 8601, or as ``form`` says; of the business zone if it names none."""

    def convert(text: str) -> datetime:
        try:
            # A time without a zone is the business zone's.
            read = datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)  # noqa: DTZ007
        except ValueError:
            raise ValueError(f"is not a time like {form or '2026-11-01 09:30:00'}") from None
        return read if read.tzinfo else read.replace(tzinfo=BUSINESS_ZONE)

    return convert


def bands(steps: Sequence[tuple[Decimal, Any]]) -> Conversion:
    """Return the conversion of a number to the value of the highest step that it reaches."""
    rising = sorted(steps, key=lambda step: step[0])
    floors = [floor for floor, _ in rising]

    def convert(text: str) -> Any:
        if not _NUMBER.fullmatch(text):
            raise ValueError("is not a number")
        reached = bisect_right(floors, Decimal(text))
        if not reached:
            raise ValueError(f"is below the lowest band, {floors[0]}")
        return rising[reached - 1][1]

    return convert


def choice(values: Mapping[str, Any]) -> Conversion:
    """Return the conversion of a text to what ``values`` has for it."""

    def convert(text: str) -> Any:
        try:
            return values[text]
        except KeyError:
            raise ValueError(f"is not one of: {', '.join(values)}") from None

    return convert


@dataclass(frozen=True, slots=True)
class Kind:
    """A conversion that a mapping may name.

    Attributes:
        gives: type of its values; ``object`` if the options say it.
        options: names that the mapping must, or with ``?`` may, give beside it.
        make: the conversion from those options and the check of the target.
    """

    gives: type
    options: tuple[str, ...]
    make: Callable[[Mapping[str, Any], Check], Conversion]


def _months_before(options: Mapping[str, Any], _: Check) -> Conversion:
    reference = options["reference"]
    if isinstance(reference, str):
        try:
            reference = date.fromisoformat(reference)
        except ValueError:
            raise OptionInvalid(
                "reference", f"'{reference}' is not a date like 2026-11-01"
            ) from None
    if not isinstance(reference, date):
        raise OptionInvalid("reference", "must be a date")
    return months_before(reference)


def _day(options: Mapping[str, Any], _: Check) -> Conversion:
    form = options.get("format")
    if form is not None and not isinstance(form, str):
        raise OptionInvalid("format", "must be a text such as '%Y%m%d'")
    return day(form)


def _moment(options: Mapping[str, Any], _: Check) -> Conversion:
    form = options.get("format")
    if form is not None and not isinstance(form, str):
        raise OptionInvalid("format", "must be a text such as '%Y%m%d%H%M%S'")
    return moment(form)


def _bands(options: Mapping[str, Any], check: Check) -> Conversion:
    steps = options["bands"]
    if not isinstance(steps, list) or not steps:
        raise OptionInvalid("bands", "must be a list of [lowest number, value]")
    made = []
    for step in steps:
        if not (isinstance(step, list) and len(step) == 2 and isinstance(step[0], int | float)):  # noqa: PLR2004 - a pair
            raise OptionInvalid(
                "bands", f"must be a list of [lowest number, value], and {step} is none"
            )
        made.append((Decimal(str(step[0])), _checked(step[1], check, "bands")))
    return bands(made)


def _choice(options: Mapping[str, Any], check: Check) -> Conversion:
    values = options["map"]
    if not isinstance(values, dict) or not values:
        raise OptionInvalid("map", "must be a table of texts and their values")
    return choice({text: _checked(value, check, "map") for text, value in values.items()})


def _checked(value: object, check: Check, option: str) -> object:
    try:
        return check(value)
    except ValueError as error:
        raise OptionInvalid(option, f"has the value {value!r}, which {error}") from None


def _plain(conversion: Conversion) -> Callable[[Mapping[str, Any], Check], Conversion]:
    return lambda _options, _check: conversion


KINDS: Mapping[str, Kind] = {
    "text": Kind(str, (), _plain(str)),
    "upper": Kind(str, (), _plain(str.upper)),
    "lower": Kind(str, (), _plain(str.lower)),
    "integer": Kind(int, (), _plain(integer)),
    "number": Kind(float, (), _plain(number)),
    "yuan": Kind(int, (), _plain(yuan)),
    "date": Kind(date, ("format?",), _day),
    "time": Kind(datetime, ("format?",), _moment),
    "months_before": Kind(date, ("reference",), _months_before),
    "bands": Kind(object, ("bands",), _bands),
    "map": Kind(object, ("map",), _choice),
}
"""The conversions by name."""

BY_TYPE: Mapping[type, str] = {
    str: "text",
    int: "integer",
    date: "date",
    datetime: "time",
    object: "text",
}
"""The conversion of a target that the mapping names none for."""
