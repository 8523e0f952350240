"""From a condition to its two forms, JSON and text."""

import json
import re
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.city_node.query import condition as c
from services.city_node.query.catalogue import ATTRIBUTE, FIELDS, RELATIONS, UNITS, Field, Type

_PLAIN = re.compile(r"[^\W\d]\w*")


def to_json(condition: c.Condition) -> dict[str, Any]:  # noqa: PLR0911 - one for each kind
    """Return the JSON form."""
    match condition:
        case c.And(items):
            return {"and": [to_json(item) for item in items]}
        case c.Or(items):
            return {"or": [to_json(item) for item in items]}
        case c.Not(item):
            return {"not": to_json(item)}
        case c.Has(relation, where):
            return {"has": relation, **_where(where)}
        case c.Changed():
            values = {
                "from": condition.old,
                "to": condition.new,
                "since": condition.since,
                "before": condition.before,
            }
            given = {key: value_to_json(v) for key, v in values.items() if v is not None}
            return {"changed": condition.field, **given}
        case c.Comparison(operand, operator, values):
            form = {**_operand(operand), "operator": operator.value}
            plain = [value_to_json(value) for value in values]
            if not plain:
                return form
            many = {c.Operator.IN, c.Operator.NOT_IN, c.Operator.BETWEEN}
            return {**form, "value": plain if operator in many else plain[0]}


def _where(where: c.Condition | None) -> dict[str, Any]:
    return {} if where is None else {"where": to_json(where)}


def _operand(operand: c.Operand) -> dict[str, Any]:
    match operand:
        case c.FieldOf(name):
            return {"field": name}
        case c.Count(relation, where):
            return {"count": relation, **_where(where)}
        case c.Series(measure, function, months):
            return {
                "measure": measure,
                "function": function.value,
                "months": {"last": months.last}
                if months.first is None or months.final is None
                else {"from": _month(months.first), "to": _month(months.final)},
            }


def value_to_json(value: c.Value) -> Any:  # noqa: PLR0911 - one for each kind
    """Return a value of the JSON form."""
    match value:
        case c.Amount(quantity, unit):
            return {unit: quantity}
        case c.Month():
            return _month(value)
        case c.Today(by, span):
            return {"today": {span.value: by} if by else {}}
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case Decimal():
            return float(value)
    return value


def _month(month: c.Month) -> str:
    return month.first.isoformat()[:7]


def to_text(condition: c.Condition) -> str:
    """Return the text form."""
    match condition:
        case c.And(items):
            return " and ".join(_inside(item, c.And, c.Or) for item in items)
        case c.Or(items):
            return " or ".join(_inside(item, c.Or) for item in items)
        case c.Not(item):
            return f"not {_inside(item, c.And, c.Or)}"
        case c.Has(relation, where):
            return f"has {_things(relation, where)}"
        case c.Changed(name):
            return _changed(condition, FIELDS[name])
        case c.Comparison():
            return _compared(condition, FIELDS)


def _inside(item: c.Condition, *parenthesised: type) -> str:
    text = to_text(item)
    return f"({text})" if isinstance(item, parenthesised) else text


def _things(relation: str, where: c.Condition | None) -> str:
    if where is None:
        return relation
    return f"{relation}({_of_thing(where, RELATIONS[relation].fields)})"


def _of_thing(condition: c.Condition, fields: Any) -> str:
    match condition:
        case c.Comparison():
            return _compared(condition, fields)
        case c.Not(item):
            inside = _of_thing(item, fields)
            return f"not ({inside})" if isinstance(item, c.And | c.Or) else f"not {inside}"
        case c.And(items) | c.Or(items):
            word = " and " if isinstance(condition, c.And) else " or "
            bracketed = (c.And, c.Or) if isinstance(condition, c.And) else (c.Or,)
            written = [(item, _of_thing(item, fields)) for item in items]
            return word.join(f"({t})" if isinstance(i, bracketed) else t for i, t in written)
    raise AssertionError(condition)


def _compared(comparison: c.Comparison, fields: Any) -> str:
    match comparison.operand:
        case c.FieldOf(name):
            operand = _name(name)
            of = fields.get(name)
        case c.Count(relation, where):
            operand, of = f"count {_things(relation, where)}", None
        case c.Series(measure, function, months):
            made = "" if function is c.Function.SUM else f"{function} "
            operand, of = f"{made}{measure}({_months(months)})", None
    operator = comparison.operator
    values = [_value(value, of) for value in comparison.values]
    if operator is c.Operator.BETWEEN:
        return f"{operand} between {values[0]} and {values[1]}"
    if operator in {c.Operator.IN, c.Operator.NOT_IN}:
        return f"{operand} {operator} ({', '.join(values)})"
    return " ".join([operand, operator, *values])


def _changed(changed: c.Changed, of: Field) -> str:
    given = {
        "from": None if changed.old is None else _value(changed.old, of),
        "to": None if changed.new is None else _value(changed.new, of),
        "since": None if changed.since is None else _value(changed.since, None),
        "before": None if changed.before is None else _value(changed.before, None),
    }
    parts = [f"{key} {value}" for key, value in given.items() if value is not None]
    return f"changed({', '.join([changed.field, *parts])})"


def _name(name: str) -> str:
    if not name.startswith(ATTRIBUTE):
        return name
    key = name.removeprefix(ATTRIBUTE)
    return name if _PLAIN.fullmatch(key) else ATTRIBUTE + json.dumps(key, ensure_ascii=False)


def _months(months: c.Months) -> str:
    if months.first is None or months.final is None:
        return f"last {months.last} months" if months.last else "this month"
    first, final = _month(months.first), _month(months.final)
    return first if first == final else f"{first} to {final}"


def _value(value: c.Value, of: Field | None) -> str:
    match value:
        case bool():
            return str(value).lower()
        case c.Amount(quantity, unit):
            return _amount(quantity, unit)
        case c.Today(by, span):
            return f"today {'-' if by < 0 else '+'} {abs(by)} {span}" if by else "today"
        case str():
            choice = of is not None and of.type is Type.CHOICE
            return value if choice else json.dumps(value, ensure_ascii=False)
        case Decimal():
            return repr(float(value))
    return str(value_to_json(value))


def _amount(quantity: int, unit: str) -> str:
    if unit == "fen":
        sign, whole = "-" if quantity < 0 else "", abs(quantity)
        cents = f".{whole % 100:02}" if whole % 100 else ""
        return f"{sign}{whole // 100}{cents} yuan"
    word, factor = next((w, f) for w, f in UNITS[unit].items() if quantity % f == 0)
    return f"{quantity // factor} {word}"
