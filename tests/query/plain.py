"""What a condition means, written plainly: evaluated on one customer at a time, without SQL."""

from collections import defaultdict
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from services.city_node.customer.identity import contact_form
from services.city_node.query import condition as c
from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.encryption import Cipher
from tests.query.people import PATHS, Person

NAMES = {
    "unit": "unit_code",
    "manager": "manager_id",
    "monthly_charge": "monthly_charge_fen",
    "total_charge": "total_charge_fen",
}
KINDS = {
    "voice": {"voice_local", "voice_long_distance", "voice_roaming"},
    "roaming": {"voice_roaming"},
    "data": {"data"},
    "sms": {"sms"},
}


def holds(condition: c.Condition, person: Person, today: date, cipher: Cipher) -> bool:
    """Tell whether a condition holds for a customer."""
    return _Plain(person, today, cipher).holds(condition, person.fields)


class _Plain:
    def __init__(self, person: Person, today: date, cipher: Cipher) -> None:
        self.person = person
        self.today = today
        self.cipher = cipher

    def holds(self, condition: c.Condition, thing: dict[str, Any]) -> bool:
        match condition:
            case c.And(items):
                return all(self.holds(item, thing) for item in items)
            case c.Or(items):
                return any(self.holds(item, thing) for item in items)
            case c.Not(item):
                return not self.holds(item, thing)
            case c.Has(relation, where):
                return self.number(relation, where) > 0
            case c.Changed():
                return any(
                    self.changed(condition, change) for change in self.person.things["change"]
                )
            case c.Comparison():
                return self.compare(condition, thing)

    def number(self, relation: str, where: c.Condition | None) -> int:
        things = self.person.things[relation]
        return sum(where is None or self.holds(where, thing) for thing in things)

    def changed(self, asked: c.Changed, change: dict[str, Any]) -> bool:
        if change["action"] == "created":
            return False
        day = change["at"].astimezone(BUSINESS_ZONE).date()
        if asked.since is not None and day < self.value(asked.since):
            return False
        if asked.before is not None and day >= self.value(asked.before):
            return False
        name = NAMES.get(asked.field, asked.field)
        return any(
            each["field"] == name
            and (asked.old is None or self.recorded(asked.old) == each["old"])
            and (asked.new is None or self.recorded(asked.new) == each["new"])
            for each in change["changes"]
        )

    def recorded(self, value: c.Value) -> Any:
        plain = self.value(value)
        return plain if isinstance(plain, int) else str(plain)

    def value(self, value: c.Value) -> Any:
        match value:
            case c.Amount(quantity):
                return quantity
            case c.Month(first):
                return first
            case c.Today():
                return moved(self.today, value)
        return value

    def compare(  # noqa: C901 - one for each operand
        self, comparison: c.Comparison, thing: dict[str, Any]
    ) -> bool:
        match comparison.operand:
            case c.FieldOf(name) if name.startswith("attribute."):
                return self.attribute(name.removeprefix("attribute."), comparison)
            case c.FieldOf("age"):
                born = thing["birth_date"]
                before = born and (self.today.month, self.today.day) < (born.month, born.day)
                held = None if born is None else self.today.year - born.year - before
            case c.FieldOf("document"):
                held = thing["document_number"]
            case c.FieldOf("value" | "address" as name) if "sealed" in thing:
                return reached(name, comparison, thing)
            case c.FieldOf(name):
                held = thing[name]
            case c.Count(relation, where):
                held = self.number(relation, where)
            case c.Series():
                held = self.series(comparison.operand)
        values = [self.value(value) for value in comparison.values]
        if isinstance(held, datetime):
            held = held.astimezone(BUSINESS_ZONE).date()
        if isinstance(comparison.operand, c.FieldOf) and comparison.operand.name == "month":
            values = [value.replace(day=1) for value in values]
        if comparison.operand == c.FieldOf("document"):
            values = [value.replace(" ", "").upper() for value in values]
        return compared(held, comparison.operator, values)

    def attribute(self, key: str, comparison: c.Comparison) -> bool:
        held = self.person.attributes.get(key)
        operator, values = comparison.operator, list(comparison.values)
        if operator in {c.Operator.NULL, c.Operator.NOT_NULL}:
            return compared(held, operator, [])
        number = isinstance(held, int | float) and not isinstance(held, bool)
        alike = []
        for value in values:
            same_type = number if not isinstance(value, bool | str) else type(held) is type(value)
            alike.append(same_type)
        exact: Any = Fraction(str(held)) if number else held
        own = [Fraction(str(v)) if not isinstance(v, bool | str) else v for v in values]
        like = [value for value, same in zip(own, alike, strict=True) if same]
        if operator in {c.Operator.UNEQUAL, c.Operator.NOT_IN}:
            return exact not in like
        if operator is c.Operator.IN:
            return exact in like
        return bool(like) and compared(exact, operator, like)

    def series(self, series: c.Series) -> Any:
        first, final = self.window(series.months)
        months: dict[date, int] = defaultdict(int)
        bills = series.measure == "charge"
        for each in self.person.things["bill" if bills else "usage"]:
            if first <= each["month"] <= final and (bills or each["kind"] in KINDS[series.measure]):
                months[each["month"]] += each["charge" if bills else "quantity"]
        match series.function:
            case c.Function.SUM:
                return sum(months.values())
            case c.Function.AVG:
                length = (final.year - first.year) * 12 + final.month - first.month + 1
                return Fraction(sum(months.values()), length)
            case c.Function.MIN:
                return min(months.values(), default=None)
            case c.Function.MAX:
                return max(months.values(), default=None)

    def window(self, months: c.Months) -> tuple[date, date]:
        if months.first and months.final:
            return months.first.first, months.final.first
        this = self.today.replace(day=1)
        if not months.last:
            return this, this
        number = this.year * 12 + this.month - 1
        first, final = number - months.last, number - 1
        return date(first // 12, first % 12 + 1, 1), date(final // 12, final % 12 + 1, 1)


def moved(today: date, by: c.Today) -> date:
    if by.span is c.Span.DAYS:
        return date.fromordinal(today.toordinal() + by.by)
    months = today.year * 12 + today.month - 1 + by.by * (12 if by.span is c.Span.YEARS else 1)
    for day in range(today.day, 0, -1):
        try:
            return date(months // 12, months % 12 + 1, day)
        except ValueError:
            continue
    raise AssertionError(by)


def compared(  # noqa: C901, PLR0911 - one for each operator
    held: Any, operator: c.Operator, values: list[Any]
) -> bool:
    """Compare plainly: nothing compared with something is false, and its negation true."""
    match operator:
        case c.Operator.NULL:
            return held is None
        case c.Operator.NOT_NULL:
            return held is not None
        case c.Operator.UNEQUAL | c.Operator.NOT_IN:
            return held not in values
    if held is None:
        return False
    match operator:
        case c.Operator.EQUAL | c.Operator.IN:
            return held in values
        case c.Operator.LESS:
            return bool(held < values[0])
        case c.Operator.AT_MOST:
            return bool(held <= values[0])
        case c.Operator.GREATER:
            return bool(held > values[0])
        case c.Operator.AT_LEAST:
            return bool(held >= values[0])
        case c.Operator.BETWEEN:
            return bool(values[0] <= held <= values[1])
        case c.Operator.BEGINS:
            return str(held).startswith(values[0])
        case c.Operator.WITHIN:
            return values[0] in PATHS and PATHS[held].startswith(PATHS[values[0]])
    raise AssertionError(operator)


def reached(name: str, comparison: c.Comparison, thing: dict[str, Any]) -> bool:
    """Compare a contact medium, as it is found by its blind index."""
    is_asked = (thing["kind"] == "postal") == (name == "address")
    held = contact_form(thing["kind"], thing["sealed"]) if is_asked else None
    asked = [contact_form(thing["kind"], str(value)) for value in comparison.values]
    return compared(held, comparison.operator, asked)
