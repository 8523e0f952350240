"""Random conditions, with values near those that the people of :mod:`tests.query.people` have."""

from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from services.city_node.query import condition as c
from services.city_node.query.catalogue import (
    ATTRIBUTE_FIELD,
    CHANGEABLE,
    COUNTED,
    FIELDS,
    MEASURES,
    RELATIONS,
    Field,
    Type,
)
from tests.query.people import MANAGERS, REACHED, UNITS, WORDS

DAYS = st.one_of(
    st.dates(date(2026, 6, 1), date(2026, 12, 5)), st.dates(date(1950, 1, 1), date(2030, 1, 1))
)
MONTHS = st.builds(
    lambda year, month: c.Month(date(year, month, 1)), st.integers(2025, 2026), st.integers(1, 12)
)
TODAYS = st.one_of(
    st.builds(c.Today, st.integers(-200, 30).filter(bool), st.just(c.Span.DAYS)),
    st.builds(c.Today, st.integers(-14, 2).filter(bool), st.just(c.Span.MONTHS)),
    st.builds(c.Today, st.integers(-40, 2).filter(bool), st.just(c.Span.YEARS)),
    st.just(c.Today()),
)
TEXTS = st.one_of(
    st.sampled_from(WORDS),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6),
)
NUMBERS = st.one_of(st.integers(-3, 100), st.integers(-(2**62), 2**62))
QUANTITIES = {
    "fen": st.one_of(st.sampled_from([0, 10_000, 20_000, 30_000]), NUMBERS),
    "seconds": st.one_of(st.sampled_from([0, 60, 600, 3600]), NUMBERS),
    "kilobytes": st.one_of(st.sampled_from([0, 1024, 1024 * 1024]), NUMBERS),
}
ATTRIBUTES = st.one_of(
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from([Decimal("0.5"), Decimal("1.5"), Decimal("-2.0")]),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: Decimal(repr(x))),
    TEXTS,
)


def values(of: Field) -> st.SearchStrategy[Any]:
    """Values of a field."""
    strategies: dict[Type, st.SearchStrategy[Any]] = {
        Type.CHOICE: st.sampled_from(of.choices or ("",)),
        Type.TEXT: TEXTS,
        Type.INTEGER: NUMBERS,
        Type.DATE: DAYS | TODAYS,
        Type.INSTANT: DAYS | TODAYS,
        Type.MONTH: MONTHS | TODAYS,
        Type.BOOLEAN: st.booleans(),
        Type.ID: st.sampled_from(MANAGERS) | st.uuids(),
        Type.UNIT: st.sampled_from([*UNITS, "440300-99"]),
        Type.DOCUMENT: TEXTS | st.sampled_from([one for some in REACHED.values() for one in some]),
        Type.ATTRIBUTE: ATTRIBUTES,
    }
    if of.type is Type.AMOUNT:
        unit = str(of.unit)
        return QUANTITIES[unit].map(lambda quantity: c.Amount(quantity, unit))
    return strategies[of.type]


@st.composite
def comparisons(draw: st.DrawFn, operand: c.Operand, of: Field) -> c.Comparison:
    operator = draw(st.sampled_from(of.operators))
    one = values(of)
    if operator in {c.Operator.NULL, c.Operator.NOT_NULL}:
        return c.Comparison(operand, operator, ())
    if of.type is Type.ATTRIBUTE and operator is c.Operator.BEGINS:
        one = TEXTS
    elif of.type is Type.ATTRIBUTE and operator not in Type.TEXT.operators:
        one = one.filter(lambda value: not isinstance(value, bool | str))
    if operator is c.Operator.BETWEEN:
        return c.Comparison(operand, operator, (draw(one), draw(one)))
    if operator in {c.Operator.IN, c.Operator.NOT_IN}:
        several = st.lists(one, min_size=1, max_size=4)
        return c.Comparison(operand, operator, tuple(draw(several)))
    return c.Comparison(operand, operator, (draw(one),))


def on_fields(fields: Any) -> st.SearchStrategy[c.Condition]:
    names = st.sampled_from(sorted(fields))
    return names.flatmap(lambda name: comparisons(c.FieldOf(name), fields[name]))


WINDOWS = st.one_of(
    st.integers(0, 14).map(lambda n: c.Months(last=n)),
    st.tuples(MONTHS, MONTHS).map(
        lambda pair: c.Months(
            first=min(pair, key=lambda month: month.first),
            final=max(pair, key=lambda month: month.first),
        )
    ),
)


@st.composite
def series(draw: st.DrawFn) -> c.Condition:
    name = draw(st.sampled_from(sorted(MEASURES)))
    operand = c.Series(name, draw(st.sampled_from(c.Function)), draw(WINDOWS))
    return draw(comparisons(operand, MEASURES[name].value))


@st.composite
def things(draw: st.DrawFn) -> c.Condition:
    name = draw(st.sampled_from(sorted(RELATIONS)))
    where = draw(st.none() | joined(on_fields(RELATIONS[name].fields), 4))
    if draw(st.booleans()):
        return c.Has(name, where)
    return draw(comparisons(c.Count(name, where), COUNTED))


@st.composite
def changes(draw: st.DrawFn) -> c.Condition:
    name = draw(st.sampled_from(CHANGEABLE))
    given = st.none() | values(FIELDS[name]).filter(lambda value: not isinstance(value, c.Today))
    days = st.none() | DAYS | TODAYS
    return c.Changed(name, draw(given), draw(given), draw(days), draw(days))


ATTRIBUTE_NAMES = st.sampled_from(["vip", "score", "note", "odd key", 'q"uo\\te', "爱好"])
attributes = ATTRIBUTE_NAMES.flatmap(
    lambda name: comparisons(c.FieldOf(f"attribute.{name}"), ATTRIBUTE_FIELD)
)


def joined(leaves: st.SearchStrategy[c.Condition], most: int) -> st.SearchStrategy[c.Condition]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=3).map(lambda items: c.And(tuple(items))),
            st.lists(inner, min_size=2, max_size=3).map(lambda items: c.Or(tuple(items))),
            inner.map(c.Not),
        ),
        max_leaves=most,
    )


conditions = joined(st.one_of(on_fields(FIELDS), attributes, series(), things(), changes()), 6)
