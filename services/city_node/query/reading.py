"""From the JSON form to a condition: everything is checked, and each mistake is told with its JSON pointer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.city_node.query import condition as c
from services.city_node.query.catalogue import (
    ATTRIBUTE,
    ATTRIBUTE_FIELD,
    CHANGEABLE,
    COUNTED,
    FIELDS,
    MEASURES,
    RELATIONS,
    Field,
)
from services.city_node.query.values import (
    Wrong,
    compared_value,
    months_of,
    one_of,
    only,
    text_of,
    value_of,
)
from shared.kernel.problems import Fault

_DATE = FIELDS["entry_date"]


@dataclass(slots=True)
class Reader:
    """Reads one condition.

    Attributes:
        permissions: what the caller holds; ``None`` for everything.
        is_kept: whether the condition is going to be kept.
        faults: what was found wrong.
        forbidden: what was found that the caller may not ask for.
    """

    permissions: frozenset[str] | None = None
    is_kept: bool = False
    faults: list[Fault] = field(default_factory=list)
    forbidden: list[Fault] = field(default_factory=list)
    _parts: int = 0

    def read(
        self, form: Any, pointer: str = "", fields: Mapping[str, Field] = FIELDS, depth: int = 1
    ) -> c.Condition | None:
        """Return the condition that ``form`` says; ``None`` if it has faults, which are noted."""
        try:
            return self._node(form, pointer, fields, depth)
        except Wrong as wrong:
            self.faults.append(wrong.fault)
            return None

    def _node(
        self, form: Any, pointer: str, fields: Mapping[str, Field], depth: int
    ) -> c.Condition:
        if not isinstance(form, dict):
            raise Wrong(pointer, "expected a condition: an object")
        self._parts += 1
        if self._parts > c.MOST_PARTS:
            raise Wrong(pointer, f"expected no more than {c.MOST_PARTS} conditions in all")
        if depth > c.DEEPEST:
            raise Wrong(pointer, f"expected no more than {c.DEEPEST} conditions inside each other")
        readers: Mapping[str, Callable[..., c.Condition]] = {
            "and": self._several,
            "or": self._several,
            "not": self._not,
            "has": self._has,
            "changed": self._changed,
            "count": self._comparison,
            "measure": self._comparison,
            "field": self._comparison,
        }
        kinds = [kind for kind in readers if kind in form]
        if len(kinds) != 1:
            raise Wrong(pointer, f"expected an object with one of: {', '.join(readers)}")
        if fields is not FIELDS and kinds[0] not in {"and", "or", "not", "field"}:
            raise Wrong(f"{pointer}/{kinds[0]}", "expected a condition on fields of one thing here")
        return readers[kinds[0]](form, pointer, fields, depth)

    def _several(
        self, form: dict[str, Any], pointer: str, fields: Mapping[str, Field], depth: int
    ) -> c.Condition:
        kind = "and" if "and" in form else "or"
        only(form, pointer, kind)
        items = form[kind]
        if not isinstance(items, list) or not items:
            raise Wrong(f"{pointer}/{kind}", "expected a list of conditions, one at least")
        read = [
            self.read(item, f"{pointer}/{kind}/{at}", fields, depth + 1)
            for at, item in enumerate(items[: c.MOST_PARTS + 1])
        ]
        good = tuple(item for item in read if item is not None)
        if len(good) == 1:
            return good[0]
        return c.And(good) if kind == "and" else c.Or(good)

    def _not(
        self, form: dict[str, Any], pointer: str, fields: Mapping[str, Field], depth: int
    ) -> c.Condition:
        only(form, pointer, "not")
        return c.Not(self._node(form["not"], f"{pointer}/not", fields, depth + 1))

    def _has(
        self, form: dict[str, Any], pointer: str, _fields: Mapping[str, Field], depth: int
    ) -> c.Condition:
        only(form, pointer, "has", "where")
        return c.Has(*self._things(form, "has", pointer, depth))

    def _things(
        self, form: dict[str, Any], kind: str, pointer: str, depth: int
    ) -> tuple[str, c.Condition | None]:
        name = one_of(form[kind], RELATIONS, f"{pointer}/{kind}")
        if form.get("where") is None:
            return name, None
        inside = RELATIONS[name].fields
        return name, self._node(form["where"], f"{pointer}/where", inside, depth + 1)

    def _changed(
        self, form: dict[str, Any], pointer: str, _fields: Mapping[str, Field], _depth: int
    ) -> c.Condition:
        only(form, pointer, "changed", "from", "to", "since", "before")
        name = one_of(form["changed"], CHANGEABLE, f"{pointer}/changed")
        _, changed = self._field(name, f"{pointer}/changed", FIELDS)

        def read(key: str, of: Field) -> Any:
            return None if form.get(key) is None else value_of(form[key], of, f"{pointer}/{key}")

        old, new = read("from", changed), read("to", changed)
        for key, value in (("from", old), ("to", new)):
            if isinstance(value, c.Today):
                raise Wrong(f"{pointer}/{key}", "expected a fixed date here")
        return c.Changed(name, old, new, read("since", _DATE), read("before", _DATE))

    def _comparison(
        self, form: dict[str, Any], pointer: str, fields: Mapping[str, Field], depth: int
    ) -> c.Condition:
        operand, compared = self._operand(form, pointer, fields, depth)
        names = [operator.value for operator in compared.operators]
        operator = c.Operator(one_of(form.get("operator"), names, f"{pointer}/operator"))
        place = f"{pointer}/value"
        if operator in {c.Operator.NULL, c.Operator.NOT_NULL}:
            if form.get("value") is not None:
                raise Wrong(place, f"expected no value after `{operator}`")
            return c.Comparison(operand, operator, ())
        if "value" not in form:
            raise Wrong(pointer, f"expected a value after `{operator}`")
        given = form["value"]
        if operator not in {c.Operator.IN, c.Operator.NOT_IN, c.Operator.BETWEEN}:
            return c.Comparison(
                operand, operator, (compared_value(given, compared, operator, place),)
            )
        if not isinstance(given, list):
            raise Wrong(place, f"expected a list of values after `{operator}`")
        if operator is c.Operator.BETWEEN and len(given) != 2:  # noqa: PLR2004 - from and to
            raise Wrong(place, "expected two values after `between`")
        if not 0 < len(given) <= c.MOST_VALUES:
            raise Wrong(place, f"expected 1 to {c.MOST_VALUES} values")
        values = tuple(
            compared_value(each, compared, operator, f"{place}/{at}")
            for at, each in enumerate(given)
        )
        return c.Comparison(operand, operator, values)

    def _operand(
        self, form: dict[str, Any], pointer: str, fields: Mapping[str, Field], depth: int
    ) -> tuple[c.Operand, Field]:
        if "count" in form:
            only(form, pointer, "count", "where", "operator", "value")
            return c.Count(*self._things(form, "count", pointer, depth)), COUNTED
        if "measure" in form:
            only(form, pointer, "measure", "function", "months", "operator", "value")
            name = one_of(form["measure"], MEASURES, f"{pointer}/measure")
            functions = [function.value for function in c.Function]
            function = one_of(form.get("function", "sum"), functions, f"{pointer}/function")
            months = months_of(form.get("months"), f"{pointer}/months")
            return c.Series(name, c.Function(function), months), MEASURES[name].value
        only(form, pointer, "field", "operator", "value")
        return self._field(form["field"], f"{pointer}/field", fields)

    def _field(
        self, name: Any, pointer: str, fields: Mapping[str, Field]
    ) -> tuple[c.Operand, Field]:
        if fields is FIELDS and isinstance(name, str) and name.startswith(ATTRIBUTE):
            key = text_of(name.removeprefix(ATTRIBUTE), pointer)
            if not key:
                raise Wrong(pointer, "expected the name of an attribute: attribute.NAME")
            return c.FieldOf(name), ATTRIBUTE_FIELD
        found = fields[one_of(name, fields, pointer, ATTRIBUTE if fields is FIELDS else None)]
        held = self.permissions
        if found.permission and held is not None and found.permission not in held:
            why = f"{name} can be asked for only with the permission {found.permission}"
            self.forbidden.append(Fault(pointer, why))
        if self.is_kept and not found.kept:
            self.forbidden.append(
                Fault(pointer, f"{name} is not kept in a condition: ask for it in a single query")
            )
        return c.FieldOf(name), found
