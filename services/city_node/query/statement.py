"""From a condition to SQL: put together from the expressions of the catalogue, with every value beside it.

A condition is true or false, never unknown: what compares nothing with something is false, and ``not`` makes that
true. PostgreSQL's NULL plays the part of false, since ``AND`` and ``OR`` treat it alike and ``WHERE`` does too; only
where something is negated, ``IS NOT TRUE`` takes the place of ``NOT``. So plain comparisons stay plain, and indexes
can answer them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Protocol

import orjson

from services.city_node.query import condition as c
from services.city_node.query.catalogue import (
    AGE,
    ATTRIBUTE,
    ATTRIBUTE_FIELD,
    COUNTED,
    FIELDS,
    MEASURES,
    RECORDED_AS,
    RELATIONS,
    Field,
    Type,
)
from services.city_node.query.writing import value_to_json
from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.encryption import Cipher

# ruff: noqa: S608 - every statement here is put together from the expressions of the catalogue, never from input

_O = c.Operator
_ORDER = {_O.EQUAL, _O.LESS, _O.AT_MOST, _O.GREATER, _O.AT_LEAST}
_TYPES = {
    Type.CHOICE: "text",
    Type.TEXT: "text",
    Type.UNIT: "text",
    Type.INTEGER: "bigint",
    Type.AMOUNT: "bigint",
    Type.DATE: "date",
    Type.MONTH: "date",
    Type.BOOLEAN: "boolean",
    Type.ID: "uuid",
}


class Binder(Protocol):
    """Takes values and gives the SQL that stands for them."""

    def bind(self, value: Any, type_: str) -> str:
        """Keep ``value`` and return the expression, of PostgreSQL type ``type_``, that stands for it."""


class Numbered:
    """Values as numbered parameters, ``$1`` and on."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def bind(self, value: Any, type_: str) -> str:
        """Keep ``value`` as the next parameter."""
        self.values.append(value)
        return f"${len(self.values)}::{type_}"


@dataclass(frozen=True, slots=True)
class Compiler:
    """Makes SQL of conditions about customer ``c``.

    Attributes:
        binder: takes the values.
        today: the business day.
        cipher: the node's, for the blind indexes of what is encrypted.
    """

    binder: Binder
    today: date
    cipher: Cipher

    def sql(self, condition: c.Condition, fields: Any = FIELDS) -> str:
        """Return the SQL of a condition: true where it holds, false or NULL where not."""
        match condition:
            case c.And(items):
                return "(" + " AND ".join(self.sql(item, fields) for item in items) + ")"
            case c.Or(items):
                return "(" + " OR ".join(self.sql(item, fields) for item in items) + ")"
            case c.Not(item):
                return f"(({self.sql(item, fields)}) IS NOT TRUE)"
            case c.Has(relation, where):
                return f"EXISTS (SELECT FROM {self._things(relation, where)})"
            case c.Changed():
                return self._changed(condition)
            case c.Comparison(operand, operator, values):
                return self._comparison(operand, operator, values, fields)

    def _things(self, relation: str, where: c.Condition | None) -> str:
        found = RELATIONS[relation]
        return found.source + ("" if where is None else f" AND {self.sql(where, found.fields)}")

    def _changed(self, changed: c.Changed) -> str:
        record: dict[str, Any] = {"field": RECORDED_AS.get(changed.field, changed.field)}
        for key, value in (("old", changed.old), ("new", changed.new)):
            if value is not None:
                plain = value_to_json(value)
                record[key] = value.quantity if isinstance(value, c.Amount) else plain
        held = self.binder.bind(orjson.dumps([record]).decode(), "jsonb")
        # A new profile has no change behind it: its history begins with the values that it was made with.
        conditions = ["h.action <> 'created'", f"h.changes @> {held}"]
        for operator, day in ((">=", changed.since), ("<", changed.before)):
            if day is not None:
                conditions.append(f"h.at {operator} {self._midnight(self._day(day))}")
        return f"EXISTS (SELECT FROM {RELATIONS['change'].source} AND {' AND '.join(conditions)})"

    # --- comparisons ---

    def _comparison(  # noqa: C901 - one for each operand, and for what has a comparison of its own
        self, operand: c.Operand, operator: _O, values: tuple[c.Value, ...], fields: Any
    ) -> str:
        match operand:
            case c.FieldOf(name) if name.startswith(ATTRIBUTE):
                return self._attribute(name.removeprefix(ATTRIBUTE), operator, values)
            case c.FieldOf(name):
                of: Field = fields[name]
                sql = of.sql
                if sql is AGE:
                    sql = sql.replace("{today}", self.binder.bind(self.today, "date"))
            case c.Count(relation, where):
                of, sql = COUNTED, f"(SELECT count(*) FROM {self._things(relation, where)})"
            case c.Series():
                of, sql = MEASURES[operand.measure].value, self._series(operand)
        if operator is _O.WITHIN:
            unit = self.binder.bind(values[0], "text")
            return f"starts_with(u.path, (SELECT path FROM organisation_unit WHERE code = {unit}))"
        if of.forms is not None:
            return self._indexed(sql, of.forms(str(values[0])))
        if of.type is Type.INSTANT:
            return self._instant(sql, operator, [self._day(value) for value in values])
        type_ = _TYPES[of.type]
        if isinstance(operand, c.Series) and operand.function is c.Function.AVG:
            type_ = "numeric"
        given = [self._plain(value, of) for value in values]
        if type_ == "numeric":
            given = [Decimal(value) for value in given]
        return self._compared(sql, operator, given, type_)

    def _indexed(self, sql: str, forms: Iterable[str]) -> str:
        """Compare a blind index with those that a value may have under each of the node's keys."""
        indexes = [index for form in forms for index in self.cipher.indexes(form)]
        return f"({sql} = ANY({self.binder.bind(indexes, 'bytea[]')}))"

    def _compared(  # noqa: PLR0911 - one for each operator
        self, sql: str, operator: _O, values: list[Any], type_: str
    ) -> str:
        bind = self.binder.bind
        match operator:
            case _O.NULL | _O.NOT_NULL:
                return f"{sql} {operator.upper()}"
            case _O.UNEQUAL:
                return f"{sql} IS DISTINCT FROM {bind(values[0], type_)}"
            case _O.IN:
                return f"{sql} = ANY({bind(values, type_ + '[]')})"
            case _O.NOT_IN:
                return f"(({sql} = ANY({bind(values, type_ + '[]')})) IS NOT TRUE)"
            case _O.BETWEEN:
                return f"{sql} BETWEEN {bind(values[0], type_)} AND {bind(values[1], type_)}"
            case _O.BEGINS:
                return f"starts_with({sql}, {bind(values[0], type_)})"
        return f"{sql} {operator} {bind(values[0], type_)}"

    def _series(self, series: c.Series) -> str:
        measure = MEASURES[series.measure]
        begin, end, months = series.months.on(self.today)
        source = (
            f"{measure.source} AND {measure.period} >= {self.binder.bind(begin, 'date')} "
            f"AND {measure.period} < {self.binder.bind(end, 'date')}"
        )
        if series.function in {c.Function.MIN, c.Function.MAX}:
            by_month = f"SELECT sum({measure.quantity}) AS quantity FROM {source} GROUP BY {measure.period}"
            return f"(SELECT {series.function}(quantity) FROM ({by_month}) months)"
        total = f"coalesce((SELECT sum({measure.quantity}) FROM {source}), 0)"
        if series.function is c.Function.SUM:
            return total
        return f"({total} / {self.binder.bind(Decimal(months), 'numeric')})"

    def _instant(self, sql: str, operator: _O, days: list[date]) -> str:
        """Compare a moment by its business day, as a range that an index answers."""
        next_day = timedelta(days=1)
        first = self._midnight
        match operator:
            case _O.LESS:
                return f"{sql} < {first(days[0])}"
            case _O.AT_MOST:
                return f"{sql} < {first(days[0] + next_day)}"
            case _O.GREATER:
                return f"{sql} >= {first(days[0] + next_day)}"
            case _O.AT_LEAST:
                return f"{sql} >= {first(days[0])}"
        on = f"({sql} >= {first(days[0])} AND {sql} < {first(days[-1] + next_day)})"
        return f"({on} IS NOT TRUE)" if operator is _O.UNEQUAL else on

    def _attribute(self, key: str, operator: _O, values: tuple[c.Value, ...]) -> str:
        """Compare a custom attribute with values of its own type; another type is unlike each of them."""
        held = f"{ATTRIBUTE_FIELD.sql} -> {self.binder.bind(key, 'text')}"
        text = f"({held} #>> '{{}}')"
        if operator in {_O.NULL, _O.NOT_NULL}:
            return f"{text} {operator.upper()}"
        if operator in {_O.UNEQUAL, _O.NOT_IN}:
            alike = [self._attribute_is(held, text, _O.EQUAL, value) for value in values]
            return f"(({' OR '.join(alike)}) IS NOT TRUE)"
        if operator is _O.IN:
            alike = [self._attribute_is(held, text, _O.EQUAL, value) for value in values]
            return f"({' OR '.join(alike)})"
        return self._attribute_is(held, text, operator, values[0])

    def _attribute_is(self, held: str, text: str, operator: _O, value: c.Value) -> str:
        kinds: list[tuple[type | tuple[type, ...], str, str]] = [
            (bool, "boolean", "boolean"),
            ((int, Decimal), "number", "numeric"),
            (str, "string", "text"),
        ]
        kind, type_ = next((k, t) for of, k, t in kinds if isinstance(value, of))
        # CASE, because PostgreSQL may otherwise cast before it has looked at the type.
        own = f"CASE WHEN jsonb_typeof({held}) = '{kind}' THEN {text}::{type_} END"
        given = Decimal(value) if type_ == "numeric" else value  # type: ignore[arg-type]
        return self._compared(own, operator, [given], type_)

    # --- values ---

    def _plain(self, value: c.Value, of: Field) -> Any:
        match value:
            case c.Amount(quantity):
                return quantity
            case c.Month(first):
                return first
            case c.Today():
                day = self._day(value)
                return day.replace(day=1) if of.type is Type.MONTH else day
        return value

    def _day(self, value: c.Value) -> date:
        if isinstance(value, c.Today):
            return value.on(self.today)
        assert isinstance(value, date)  # noqa: S101 - the reader saw to it
        return value

    def _midnight(self, day: date) -> str:
        moment = datetime.combine(day, time(), BUSINESS_ZONE).astimezone(UTC)
        return self.binder.bind(moment, "timestamptz")
