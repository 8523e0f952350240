"""Mappings and conversions: exact, or refused with the place and the reason before a row is read."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.city_node.customer_import.conversions import bands, day, integer, months_before, yuan
from services.city_node.customer_import.mapping import ImportMapping, parameters_of, read_mapping
from services.city_node.customer_import.problems import MappingInvalid

DEMO = Path(__file__).parents[2] / "deploy" / "demo" / "wa_churn.toml"
SOURCE = '[source]\nname = "crm"\nkey = "id"\n'
NAME = '[customer.name]\ncolumn = "name"\n'


def convert(mapping: ImportMapping, target: str, text: str) -> object:
    return mapping.fillings[target].convert(text)


@given(some.integers(-(10**12), 10**12))
def test_yuan_are_exact_to_the_fen(fen: int) -> None:
    text = f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"
    assert yuan(text) == fen == int(Decimal(text) * 100)
    assert yuan(text.removesuffix("0")) == fen


@given(some.text("0123456789.,-+eE 一", max_size=12))
def test_yuan_are_an_amount_or_refused(text: str) -> None:
    try:
        fen = yuan(text)
    except ValueError:
        return
    assert Decimal(fen) == Decimal(text) * 100


@pytest.mark.parametrize(
    "text", ["29.851", "29.850", "1,000", ".5", "5.", "1e3", "NaN", "inf", "¥5", "٣", "", "1" * 17]
)
def test_no_amount_in_yuan(text: str) -> None:
    with pytest.raises(ValueError, match="yuan"):
        yuan(text)


@given(some.integers(-(2**63) + 1, 2**63 - 1))
def test_integers_are_exact(number: int) -> None:
    assert integer(str(number)) == number


@pytest.mark.parametrize("text", ["1.0", "0x1", "1_000", "9223372036854775808", "１"])
def test_no_integer(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|bits"):
        integer(text)


@given(some.dates(date(1990, 1, 1), date(2100, 1, 1)), some.integers(0, 1000))
def test_months_before_a_day_are_whole_months(reference: date, months: int) -> None:
    began = months_before(reference)(str(months))
    assert (reference.year - began.year) * 12 + reference.month - began.month == months
    assert began.day == reference.day or (began + timedelta(days=1)).day == 1
    assert began.day <= reference.day


@given(
    some.dictionaries(some.integers(-1000, 1000), some.integers(), min_size=1, max_size=6),
    some.decimals(-1100, 1100, places=2),
)
def test_bands_give_the_highest_step_that_is_reached(
    steps: dict[int, int], number: Decimal
) -> None:
    reached = [floor for floor in steps if floor <= number]
    made = bands([(Decimal(floor), value) for floor, value in steps.items()])
    if reached:
        assert made(str(number)) == steps[max(reached)]
    else:
        with pytest.raises(ValueError, match="lowest band"):
            made(str(number))


def test_dates_have_the_form_that_the_mapping_says() -> None:
    assert day(None)("2026-02-28") == day("%Y%m%d")("20260228") == date(2026, 2, 28)
    for form, text in ((None, "28.02.2026"), (None, "2026-02-30"), ("%Y%m%d", "2026-02-28")):
        with pytest.raises(ValueError, match="date"):
            day(form)(text)


def test_the_demo_mapping_says_what_it_should() -> None:
    mapping = read_mapping(DEMO.read_text("utf-8"), {"left_on": "2026-10-31"})
    assert (mapping.source, mapping.key, mapping.makes_customers) == (
        "wa_churn",
        "customer_key",
        True,
    )
    assert convert(mapping, "customer.monthly_charge_fen", "29.85") == 2985
    assert convert(mapping, "customer.total_charge_fen", "") == 0
    levels = [
        convert(mapping, "customer.level", text) for text in ("100", "99.99", "70", "30", "18.25")
    ]
    assert levels == ["diamond", "gold", "gold", "silver", "standard"]
    assert convert(mapping, "customer.entry_date", "34") == date(2024, 1, 1)
    assert mapping.fillings["customer.left_on"].constant == date(2026, 10, 31)
    assert convert(mapping, "customer.attributes.partner", "1") is True


def test_a_cell_without_default_is_refused_when_empty_unless_it_may_be() -> None:
    mapping = read_mapping(SOURCE + NAME + '[customer.birth_date]\ncolumn = "b"\n')
    assert convert(mapping, "customer.birth_date", "") is None
    with pytest.raises(ValueError, match="is empty"):
        convert(mapping, "customer.name", "")


@pytest.mark.parametrize(
    ("text", "pointer", "reason"),
    [
        ("[source", "/", "no TOML"),
        (NAME, "/source", "missing"),
        ('[source]\nname = "c r m"\nkey = "id"\n' + NAME, "/source/name", "letters"),
        ('[source]\nname = "crm"\n' + NAME, "/source/key", "missing"),
        (SOURCE + 'encoding = "klingon"\n' + NAME, "/source/encoding", "klingon"),
        (SOURCE + 'delimiter = ";;"\n' + NAME, "/source/delimiter", "one character"),
        (SOURCE + 'colour = "red"\n' + NAME, "/source/colour", "unknown"),
        (SOURCE, "/", "fills nothing"),
        (SOURCE + NAME + "[handset.imei]\ncolumn = 'i'\n", "/handset", "unknown"),
        (SOURCE + "[customer.salary]\ncolumn = 's'\n", "/customer/salary", "nothing that"),
        (SOURCE + "[customer]\nname = 'n'\n", "/customer/name", "table"),
        (SOURCE + "[customer.name]\n", "/customer/name", "either"),
        (SOURCE + NAME + "constant = 'n'\n", "/customer/name", "either"),
        (SOURCE + NAME + "colunm = 'n'\n", "/customer/name/colunm", "unknown"),
        (SOURCE + NAME + "convert = 'rot13'\n", "/customer/name/convert", "rot13"),
        (SOURCE + NAME + "convert = 'yuan'\n", "/customer/name/convert", "int"),
        (SOURCE + "[customer.level]\ncolumn = 'l'\nmap = {a = 'platinum'}\n", "/customer/level/map", "platinum"),
        (SOURCE + "[customer.level]\ncolumn = 'l'\nmap = {}\n", "/customer/level/map", "table"),
        (SOURCE + "[customer.level]\ncolumn = 'l'\nconvert = 'bands'\n", "/customer/level/bands", "missing"),
        (SOURCE + "[customer.level]\ncolumn = 'l'\nconvert = 'bands'\nbands = [['x', 'gold']]\n", "/customer/level/bands", "none"),
        (SOURCE + "[customer.level]\ncolumn = 'l'\nconvert = 'bands'\nbands = [[1, 'tin']]\n", "/customer/level/bands", "tin"),
        (SOURCE + "[customer.level]\nconstant = 'tin'\n", "/customer/level/constant", "tin"),
        (SOURCE + "[customer.level]\nconstant = 7\n", "/customer/level/constant", "text"),
        (SOURCE + "[customer.entry_date]\nconstant = '1.1.2026'\n", "/customer/entry_date/constant", "1.1.2026"),
        (SOURCE + "[customer.entry_date]\nconstant = '{on}'\n", "/customer/entry_date/constant", "{on}"),
        (SOURCE + "[customer.entry_date]\ncolumn = 't'\nconvert = 'months_before'\n", "/customer/entry_date/reference", "missing"),
        (SOURCE + "[customer.entry_date]\ncolumn = 't'\nconvert = 'months_before'\nreference = 'now'\n", "/customer/entry_date/reference", "now"),
        (SOURCE + "[customer.name]\ncolumn = 'n'\ndefault = ''\n", "/customer/name/default", "empty"),
        (SOURCE + "[customer.monthly_charge_fen]\nconstant = true\n", "/customer/monthly_charge_fen/constant", "whole number"),
        (SOURCE + "[customer.document_number]\ncolumn = 'd'\n", "/customer/document_number", "document_type"),
        (SOURCE + "[sim.iccid]\ncolumn = 'i'\n", "/sim/iccid", "sim.imsi"),
        (SOURCE + "[bill.charge_fen]\ncolumn = 'b'\n", "/bill/charge_fen", "subscription.msisdn"),
        (SOURCE + "[customer.attributes.a]\ncolumn = 'b'\nconvert = 'x'\n", "/customer/attributes/a/convert", "'x'"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_mapping_is_named(text: str, pointer: str, reason: str) -> None:
    with pytest.raises(MappingInvalid) as refusal:
        read_mapping(text)
    places = {fault.pointer: fault.detail for fault in refusal.value.faults}
    assert pointer in places
    assert reason in places[pointer]


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(MappingInvalid) as refusal:
        read_mapping(SOURCE + "[customer.salary]\ncolumn = 's'\n[customer.name]\nconvert = 'x'\n")
    assert [fault.pointer for fault in refusal.value.faults] == [
        "/customer/salary",
        "/customer/name",
    ]


def test_parameters_are_filled_in_and_none_is_given_in_vain() -> None:
    text = (
        SOURCE
        + "[parameters]\non = '2026-11-01'\n"
        + NAME
        + "[customer.left_on]\nconstant = '{on}'\n"
    )
    assert read_mapping(text).fillings["customer.left_on"].constant == date(2026, 11, 1)
    given_on = parameters_of(["on=2026-11-02"])
    assert read_mapping(text, given_on).fillings["customer.left_on"].constant == date(2026, 11, 2)
    with pytest.raises(MappingInvalid, match="'off' was given"):
        read_mapping(text, {"off": "x"})
    for wrong in ("on", "=x"):
        with pytest.raises(MappingInvalid, match="name=value"):
            parameters_of([wrong])
