"""The administrative divisions a node can stand for, by their GB/T 2260 codes.

A division code has six digits: two for the province, two for the city, and two that are always
``00`` here, since the federation ends at the city. ``000000``, which GB/T 2260 leaves free, is HQ.

The table, ``divisions.csv`` beside this module, holds HQ, the 31 provinces and 337 cities: the 333
prefecture-level divisions and, for each of the four municipalities, one city of the same name
(``110100`` below ``110000``, both 北京市) in the place of the standard's 市辖区 row, so that below
every province there is at least one city node. Left out are the standard's other placeholder rows
(县, 省直辖县级行政区划) and the counties a province runs without a prefecture, which a neighbouring
city's node serves; and Taiwan, Hong Kong and Macao, which are not part of the operator's network.

The table changes only with a release, so a code it does not hold is an error, never a new place.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from itertools import chain
from types import MappingProxyType

from shared.kernel.language import Text
from shared.kernel.problems import Problem
from shared.kernel.tier import Tier

HQ_CODE = "000000"
_LONGEST_ECHO = 40  # what a stranger sent is repeated to them, but not a page of it
_MOST_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Division:
    """One row of the table: a place that a node can stand for."""

    code: str
    parent: str | None
    """The code of the division above; ``None`` for HQ alone."""
    tier: Tier
    name_zh: str
    """The official name, with its suffix: 深圳市, 延边朝鲜族自治州."""
    name_en: str
    """The usual English name, without one: Shenzhen. Unique among the cities of a province only."""


class UnknownDivision(Problem, ValueError):
    """A code that the table does not hold."""

    status = 422
    title = Text("Unknown division", "行政区划不存在")
    sentence = Text(
        "'{code}' is no division of the network: give the six-digit GB/T 2260 code of HQ, "
        "a province or a city, such as {examples}.",
        "“{code}”不是本网的行政区划：请填写总部、省或地市的六位行政区划代码（GB/T 2260），"
        "例如 {examples}。",
    )


class NotInAProvince(Problem, ValueError):
    """HQ was asked for the province it lies in."""

    status = 422
    title = Text("Not in a province", "不属于任何省")
    sentence = Text(
        "{code} is above the provinces and lies in none: give the code of a province or a city.",
        "{code} 在各省之上，不属于任何省：请填写省或地市的行政区划代码。",
    )


@cache
def divisions() -> Mapping[str, Division]:
    """Return every division by its code, in the order of the codes, each after its parent."""
    lines = files("shared.organisation").joinpath("divisions.csv").read_text("utf-8").splitlines()
    rows = (
        Division(
            code=row["code"],
            parent=row["parent"] or None,
            tier=Tier(row["tier"]),
            name_zh=row["name_zh"],
            name_en=row["name_en"],
        )
        for row in csv.DictReader(lines)
    )
    return MappingProxyType({row.code: row for row in rows})


def division(code: str) -> Division:
    """Return the division with this code.

    Raises:
        UnknownDivision: the table does not hold it; the sentence offers what comes close.

    """
    found = divisions().get(code)
    if found is None:
        given = code[:_LONGEST_ECHO]
        examples = ", ".join(f"{d.code} {d.name_zh} {d.name_en}" for d in _resembling(given))
        raise UnknownDivision(code=given, examples=examples)
    return found


def province_of(code: str) -> Division:
    """Return the province of a city; a province is its own.

    Raises:
        UnknownDivision: the table does not hold the code.
        NotInAProvince: the code is HQ's.

    """
    for place in _upwards(code):
        if place.tier is Tier.PROVINCE:
            return place
    raise NotInAProvince(code=code)


def is_within(code: str, ancestor: str) -> bool:
    """Tell whether ``code`` is ``ancestor`` itself or lies anywhere below it.

    Raises:
        UnknownDivision: the table does not hold one of the two.

    """
    above = division(ancestor)
    return any(place == above for place in _upwards(code))


def cities_of(code: str) -> list[Division]:
    """Return the cities within a division, in the order of their codes; a city holds itself.

    Raises:
        UnknownDivision: the table does not hold the code.

    """
    division(code)
    return list(_cities_of(code))


@cache
def _cities_of(code: str) -> tuple[Division, ...]:
    return tuple(
        place
        for place in divisions().values()
        if place.tier is Tier.CITY and is_within(place.code, code)
    )


def _upwards(code: str) -> Iterator[Division]:
    place = division(code)
    yield place
    while place.parent is not None:
        place = division(place.parent)
        yield place


def _resembling(given: str) -> list[Division]:
    """Return the divisions ``given`` may have meant, best first; HQ if it is like none of them."""
    table = divisions()
    enclosing = [f"{given[:4]}00", f"{given[:2]}0000"] if len(given) == len(HQ_CODE) else []
    spellings: dict[str, list[str]] = {}
    for place in table.values():
        for spelling in (place.name_en.casefold(), place.name_zh, place.code):
            spellings.setdefault(spelling, []).append(place.code)
    alike = get_close_matches(given.strip().casefold(), spellings, n=_MOST_EXAMPLES, cutoff=0.75)
    meant = dict.fromkeys([*enclosing, *chain.from_iterable(spellings[name] for name in alike)])
    found = [table[code] for code in meant if code in table]
    return found[:_MOST_EXAMPLES] or [table[HQ_CODE]]
