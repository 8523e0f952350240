"""Numbers and names: what is taken, how it is kept, how it is found."""

import os
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.city_node.customer.identity import (
    birth_date_of,
    check_document,
    check_iccid,
    check_imsi,
    check_msisdn,
    document_indexes,
    seal_document,
)
from services.city_node.customer.naming import name_sort
from shared.kernel.encryption import Cipher
from tests.city.drafts import id_card

CIPHER = Cipher(os.urandom(32), os.urandom(32))


def test_the_example_of_the_standard_is_taken() -> None:
    assert check_document("id_card", "11010519491231002x") == "11010519491231002X"


@given(
    running=some.integers(0, 999),
    born=some.dates(date(1900, 1, 1), date(2026, 1, 1)),
    place=some.integers(0, 16),
    change=some.integers(1, 9),
)
def test_one_wrong_digit_is_always_seen(running: int, born: date, place: int, change: int) -> None:
    number = id_card(running, born.strftime("%Y%m%d"))
    assert check_document("id_card", number) == number
    assert birth_date_of(number) == born
    wrong = str((int(number[place]) + change) % 10)
    with pytest.raises(ValueError, match="identity card"):
        check_document("id_card", number[:place] + wrong + number[place + 1 :])


@pytest.mark.parametrize(
    "number", ["", "1380013800", "138001380000", "23800138000", "1380013800٣", "+8613800138000"]
)
def test_no_mobile_number(number: str) -> None:
    with pytest.raises(ValueError, match="11 digits"):
        check_msisdn(number)


def test_sim_numbers_have_their_lengths() -> None:
    assert check_iccid("8" * 19) == "8" * 19
    assert check_iccid("8" * 20) == "8" * 20
    assert check_imsi("4" * 15) == "4" * 15
    for check, number in (
        (check_iccid, "8" * 18),
        (check_iccid, "8" * 21),
        (check_imsi, "4" * 14),
        (check_imsi, "4" * 16),
    ):
        with pytest.raises(ValueError, match="digits"):
            check(number)


@given(some.text("0123456789ABCDEF", min_size=5, max_size=20))
def test_a_sealed_document_opens_is_found_and_tells_nothing(number: str) -> None:
    sealed = seal_document(CIPHER, "passport", f" {number.lower()} ")
    assert CIPHER.decrypt(sealed.cipher) == number
    assert [sealed.index] == document_indexes(CIPHER, number.lower())
    assert number.encode() not in sealed.cipher
    assert sealed.masked != number
    again = seal_document(CIPHER, "passport", number)
    assert (again.index, again.masked) == (sealed.index, sealed.masked)
    assert again.cipher != sealed.cipher


@pytest.mark.parametrize(
    ("name", "person", "key"),
    [
        ("张伟", True, "zhangwei 张伟"),
        ("曾国藩", True, "zengguofan 曾国藩"),
        ("单田芳", True, "shantianfang 单田芳"),
        ("中国银行", False, "zhongguoyinhang 中国银行"),
        ("Alice O'Hara", True, "aliceohara Alice O'Hara"),
        ("3M中国", False, "3mzhongguo 3M中国"),
    ],
)
def test_names_are_ordered_by_their_sound(name: str, person: bool, key: str) -> None:  # noqa: FBT001 - a column of the table
    assert name_sort(name, person=person) == key
