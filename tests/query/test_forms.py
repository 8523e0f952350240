"""The two forms of a condition say the same, and a mistake in either is told with its place."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.city_node.customer.privacy import ADDRESS, BIRTH_DATE, CONTACT, DOCUMENT
from services.city_node.query import condition as c
from services.city_node.query.problems import ConditionForbidden, ConditionInvalid
from services.city_node.query.selection import read_condition
from services.city_node.query.writing import to_json, to_text
from shared.kernel.problems import Fault
from tests.query.conditions import conditions

LINE = '{"field": "level", "operator": "=", "value": "gold"}'
GOLD = {"field": "level", "operator": "=", "value": "gold"}


def read(given: Any, permissions: frozenset[str] | None = None, **how: Any) -> c.Condition:
    return read_condition(given, permissions=permissions, **how)


@settings(max_examples=300, deadline=None)
@given(conditions)
def test_either_form_is_read_as_it_was_written(condition: c.Condition) -> None:
    assert read(to_json(condition)) == condition
    assert read(to_text(condition)) == condition


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("level in (gold, diamond)", {**GOLD, "operator": "in", "value": ["gold", "diamond"]}),
        (
            "charge(last 3 months) > 300 yuan",
            {
                "measure": "charge",
                "function": "sum",
                "months": {"last": 3},
                "operator": ">",
                "value": {"fen": 30_000},
            },
        ),
        (
            'not has subscription(brand = 全球通 and status="active")',
            {
                "not": {
                    "has": "subscription",
                    "where": {
                        "and": [
                            {"field": "brand", "operator": "=", "value": "全球通"},
                            {"field": "status", "operator": "=", "value": "active"},
                        ]
                    },
                }
            },
        ),
        ("changed(level, since 2026-01-01)", {"changed": "level", "since": "2026-01-01"}),
        (
            "birth_date between 1990-01-01 and today-18 years",
            {
                "field": "birth_date",
                "operator": "between",
                "value": ["1990-01-01", {"today": {"years": -18}}],
            },
        ),
        (
            "count bill(paid_on is null) >= 2",
            {
                "count": "bill",
                "where": {"field": "paid_on", "operator": "is null"},
                "operator": ">=",
                "value": 2,
            },
        ),
        (
            "monthly_charge = 0.5元 or unit within 440300",
            {
                "or": [
                    {"field": "monthly_charge", "operator": "=", "value": {"fen": 50}},
                    {"field": "unit", "operator": "within", "value": "440300"},
                ]
            },
        ),
    ],
)
def test_the_text_form_means_its_json_form(text: str, form: dict[str, Any]) -> None:
    assert read(text) == read(form)
    assert to_json(read(text)) == form


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("level in (gold, platin)", "line 1, column 17", "expected one of: diamond, gold"),
        (
            "level = gold and\n  colour = red",
            "line 2, column 3",
            "expected one of: customer_number",
        ),
        ("level = gold and", "line 1, column 17", "found the end"),
        ("monthly_charge > 300", "line 1, column 18", "300 yuan"),
        ("level > gold", "line 1, column 7", "expected one of: =, !=, in, not in"),
        ("has line(brand = x)", "line 1, column 5", "expected one of: subscription"),
        ("has bill(brand = x)", "line 1, column 10", "expected one of: month, charge"),
        ("has bill(has bill)", "line 1, column 14", "fields of one thing"),
        ("charge(last week) > 1 yuan", "line 1, column 13", "expected a number"),
        ("(level = gold", "line 1, column 14", "expected `)`"),
        ("level = gold)", "line 1, column 13", "or the end"),
        ('name = "abc', "line 1, column 8", "a closing quote"),
        ('name = "\\q"', "line 1, column 8", "escapes"),
        ("level = gold; DROP TABLE customer", "line 1, column 13", "found ';"),
        ("birth_date > 2026-02-30", "line 1, column 14", "expected a date"),
        ("birth_date between 2020-01-01 and 7", "line 1, column 35", "expected a date"),
        ("charge(2026-05 to 2026-01) > 1 yuan", "line 1, column 19", "not before the first"),
        ("changed(level, to platin)", "line 1, column 19", "expected one of: diamond"),
        ("monthly_charge = 0.001 yuan", "line 1, column 18", "whole number of fen"),
        ("", "line 1, column 1", "found the end"),
    ],
)
def test_a_mistake_in_the_text_is_told_by_line_and_column(
    text: str, place: str, expected: str
) -> None:
    with pytest.raises(ConditionInvalid) as refused:
        read(text)
    fault = refused.value.faults[0]
    assert (fault.pointer, fault.detail.partition(": ")[0]) == ("/condition", place)
    assert expected in fault.detail


def test_every_mistake_of_a_json_form_is_told_by_its_pointer() -> None:
    form = {
        "and": [
            {**GOLD, "value": "platin"},
            {"or": [GOLD, {"field": "colour", "operator": "=", "value": "x"}]},
            {"has": "subscription", "where": {**GOLD, "field": "status", "operator": "~"}},
            {**GOLD, "extra/key": 1},
            {"not": 7},
            {"field": "age", "operator": "=", "value": True},
        ]
    }
    with pytest.raises(ConditionInvalid) as refused:
        read(form)
    assert [fault.pointer for fault in refused.value.faults] == [
        "/condition/and/0/value",
        "/condition/and/1/or/1/field",
        "/condition/and/2/where/operator",
        "/condition/and/3/extra~1key",
        "/condition/and/4/not",
        "/condition/and/5/value",
    ]


def attempt(given: Any) -> tuple[tuple[Fault, ...], c.Condition | None]:
    try:
        return (), read(given)
    except ConditionInvalid as refused:
        return refused.faults, None


def nested(depth: int) -> Any:
    form: Any = GOLD
    for _ in range(depth):
        form = {"not": form}
    return form


@pytest.mark.parametrize(
    "hostile",
    [
        nested(c.DEEPEST),
        nested(500),
        {"and": [GOLD] * c.MOST_PARTS},
        "not " * 5000 + "level = gold",
        "(" * 5000 + "level = gold",
        "level = gold and " * 2000 + "level = gold",
        "x" * (c.LONGEST_CONDITION + 1),
        {**GOLD, "field": "name", "value": "a\0b"},
        {**GOLD, "field": "name", "value": "\ud800"},
        {**GOLD, "field": "name", "value": "x" * (c.LONGEST_TEXT + 1)},
        {**GOLD, "field": "name", "operator": "in", "value": ["x"] * (c.MOST_VALUES + 1)},
        {**GOLD, "operator": "in", "value": []},
        {**GOLD, "field": "age", "value": 10**30},
        {**GOLD, "field": "age", "value": 1.5},
        {**GOLD, "field": "attribute.x", "value": float("nan")},
        {**GOLD, "field": "attribute.x", "value": float("inf")},
        {**GOLD, "field": "attribute.x\0", "value": 1},
        {**GOLD, "field": "attribute.", "value": 1},
        {**GOLD, "field": "birth_date", "value": "9999-12-31"},
        {**GOLD, "field": "birth_date", "value": {"today": {"days": 10**9}}},
        {**GOLD, "field": "name'; --"},
        {**GOLD, "operator": "= ANY(SELECT 1) OR 1"},
        {"measure": "charge", "months": {"last": 10**6}, "operator": ">", "value": {"fen": 1}},
        {"measure": "charge", "function": "pg_sleep", "months": {"last": 1}, "operator": ">"},
        "age = " + "9" * 5000,
        "age > 1e400",
        "charge(last " + "9" * 5000 + " months) > 1 yuan",
        "\0",
        "۱ = ۲",
        {},
        {"and": []},
        [],
    ],
    ids=lambda hostile: str(hostile)[:40].encode("ascii", "replace").decode(),
)
def test_what_is_meant_to_harm_is_refused(hostile: Any) -> None:
    with pytest.raises(ConditionInvalid) as refused:
        read(hostile)
    assert refused.value.faults


def test_the_limits_themselves_are_allowed() -> None:
    assert isinstance(read(nested(c.DEEPEST - 1)), c.Not)
    assert isinstance(read({"and": [GOLD] * (c.MOST_PARTS - 1)}), c.And)
    assert isinstance(read("not " * (c.DEEPEST - 1) + "level = gold"), c.Not)


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text("()andorti \"'<=>0123456789-.,lev\n", max_size=60))
@example("not in")
@example("count count")
@example("min min")
@example("level is not")
@example("today - today")
@example("attribute.")
@example('attribute."\\ud800" = 1')
@example("age = ²")
def test_any_text_is_read_or_refused(text: str) -> None:
    refused, condition = attempt(text)
    if condition is None:
        assert [fault.detail[:5] for fault in refused][:1] == ["line "]
    else:
        assert read(to_text(condition)) == condition


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("and", "or", "not", "has", "count", "field", "measure", "changed", "where"),
                    *("operator", "value", "months", "function", "today", "fen", "x"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["and", "or", "not", "has", "field", "changed"]), JSON))
def test_any_json_is_read_or_refused(form: dict[str, Any]) -> None:
    refused, condition = attempt(form)
    assert (condition is None) == bool(refused)
    assert all(fault.pointer.startswith("/condition") for fault in refused)


@pytest.mark.parametrize(
    ("text", "held", "is_kept", "allowed"),
    [
        ('document = "P1"', frozenset[str](), False, False),
        ('document = "P1"', frozenset({DOCUMENT}), False, True),
        ('document = "P1"', frozenset({DOCUMENT}), True, False),
        ('not has contact(value = "13800000000")', frozenset[str](), False, False),
        ('not has contact(value = "13800000000")', frozenset({CONTACT}), False, True),
        ('not has contact(value = "13800000000")', frozenset({CONTACT}), True, False),
        ('has contact(address = "深南大道1号")', frozenset({CONTACT}), False, False),
        ('has contact(address = "深南大道1号")', frozenset({ADDRESS}), False, True),
        ("birth_date = 1990-01-01", frozenset({CONTACT}), True, False),
        ("changed(birth_date)", frozenset({CONTACT}), True, False),
        ("birth_date = 1990-01-01", frozenset({BIRTH_DATE}), True, True),
        ("age > 60", frozenset[str](), True, True),
        ("has contact(kind = phone)", frozenset[str](), True, True),
    ],
)
def test_what_is_masked_cannot_be_asked_for(
    text: str,
    held: frozenset[str],
    is_kept: bool,  # noqa: FBT001 - a case of the table
    allowed: bool,  # noqa: FBT001 - as above
) -> None:
    if allowed:
        read(text, held, is_kept=is_kept)
        return
    with pytest.raises(ConditionForbidden) as refused:
        read(text, held, is_kept=is_kept)
    assert "line 1, column" in refused.value.faults[0].detail


def test_a_document_number_is_found_only_whole() -> None:
    with pytest.raises(ConditionInvalid):
        read('document begins with "4403"')
