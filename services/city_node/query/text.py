"""From the text form to the JSON form: ``level in (gold, diamond) and charge(last 3 months) > 300 yuan``.

``docs/query.md`` has the grammar. What the words mean is checked afterwards, on the JSON form, as everything is; each
part of it remembers where it stood in the text, so that a mistake found there is told by line and column.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from services.city_node.query.catalogue import MEASURES, UNITS
from services.city_node.query.condition import DEEPEST, Function
from services.city_node.query.values import LARGEST, WrittenInteger
from services.city_node.query.words import Misspelt, Word, words_of

_COMPARING = ("=", "!=", "<>", "<", "<=", ">", ">=")
_UNIT_WORDS = {
    word: (unit, factor) for unit, words in UNITS.items() for word, factor in words.items()
}
_LONGEST_NUMBER = 40


class Text:
    """A condition in its text form, cut into words.

    Attributes:
        form: the JSON form.
    """

    def __init__(self, text: str) -> None:
        self._words = words_of(text)
        self._next = 0
        self._depth = 0
        self._places: dict[tuple[int, Any], int] = {}
        self._root = self._words[0].at
        self.form: Any = self._either()
        if self._word.kind != "end":
            raise self._misspelt("`and`, `or` or the end")

    def place_of(self, pointer: str) -> int:
        """Return where in the text the part stands that a JSON pointer names, or the nearest part around it."""
        at, inside = self._root, self.form
        for step in pointer.split("/")[1:]:
            key: Any = int(step) if isinstance(inside, list) else step
            at = self._places.get((id(inside), key), at)
            try:
                inside = inside[key]
            except (LookupError, TypeError):
                break
        return at

    # --- conditions ---

    def _either(self) -> Any:
        return self._several("or", self._both)

    def _both(self) -> Any:
        return self._several("and", self._single)

    def _several(self, kind: str, part: Callable[[], Any]) -> Any:
        places, items = [self._word.at], [part()]
        while self._take(kind):
            places.append(self._word.at)
            items.append(part())
        if len(items) == 1:
            return items[0]
        self._places |= {(id(items), at): place for at, place in enumerate(places)}
        return {kind: items}

    def _single(self) -> Any:
        self._depth += 1
        if self._depth > DEEPEST + 1:
            raise self._misspelt(f"no more than {DEEPEST} conditions inside each other")
        try:
            at = self._word.at
            if self._take("not"):
                return self._placed({"not": self._single()}, **{"not": at})
            if self._take("("):
                inside = self._either()
                self._expect(")")
                return inside
            if self._take("has"):
                return self._things("has")
            if self._is("changed") and self._words[self._next + 1].text == "(":
                return self._changed()
            return self._comparison()
        finally:
            self._depth -= 1

    def _things(self, kind: str) -> dict[str, Any]:
        form = self._placed({kind: self._name("something to count")}, **{kind: self._before})
        if self._take("("):
            at = self._word.at
            form["where"] = self._either()
            self._places[id(form), "where"] = at
            self._expect(")")
        return form

    def _changed(self) -> dict[str, Any]:
        self._advance()
        self._expect("(")
        form = self._placed({"changed": self._name("a field")}, changed=self._before)
        while self._take(","):
            key = self._word.text
            if key not in {"from", "to", "since", "before"} or key in form:
                raise self._misspelt("`from`, `to`, `since` or `before`")
            self._advance()
            self._places[id(form), key] = self._word.at
            form[key] = self._value()
        self._expect(")")
        return form

    def _comparison(self) -> dict[str, Any]:
        form = self._operand()
        at = self._word.at
        form["operator"] = operator = self._operator()
        self._places[id(form), "operator"] = at
        if operator.startswith("is"):
            return form
        at = self._word.at
        if operator == "between":
            places = [at]
            values = [self._value()]
            self._expect("and")
            places.append(self._word.at)
            form["value"] = [*values, self._value()]
            self._places |= {(id(form["value"]), n): place for n, place in enumerate(places)}
        elif operator.endswith("in") and operator != "within":
            form["value"] = self._values()
        else:
            form["value"] = self._value()
        self._places[id(form), "value"] = at
        return form

    def _operand(self) -> dict[str, Any]:
        at = self._word.at
        if self._is("count") and self._words[self._next + 1].kind == "word":
            self._advance()
            return self._things("count")
        function = None
        if self._word.text in set(Function) and self._words[self._next + 1].kind == "word":
            function = self._word.text
            self._advance()
        name_at, name = self._word.at, self._name("a field, `has`, `count`, `changed` or `not`")
        if function or (name in MEASURES and self._is("(")):
            self._expect("(")
            months_at, months = self._word.at, self._months()
            self._expect(")")
            form = {"measure": name, "function": function or "sum", "months": months}
            return self._placed(form, measure=name_at, function=at, months=months_at)
        if self._take("."):
            name += "." + (self._quoted() if self._word.kind == "text" else self._name("a name"))
        return self._placed({"field": name}, field=at)

    def _operator(self) -> str:
        word = self._word.text
        if word in _COMPARING:
            self._advance()
            return "!=" if word == "<>" else word
        if self._take("in", "between", "within"):
            return word
        if self._take("not"):
            self._expect("in")
            return "not in"
        if self._take("begins"):
            self._expect("with")
            return "begins with"
        if self._take("is"):
            negated = "not " if self._take("not") else ""
            self._expect("null")
            return f"is {negated}null"
        raise self._misspelt(
            "an operator: =, !=, <, <=, >, >=, in, not in, between, begins with, within, is null"
        )

    def _months(self) -> Any:
        if self._take("this"):
            self._expect("month")
            return {"last": 0}
        if self._take("last"):
            number = self._number()
            if not self._take("months", "month"):
                raise self._misspelt("`months`")
            return {"last": number}
        if self._word.kind != "month":
            raise self._misspelt("months: `last 3 months`, `this month` or `2026-01 to 2026-06`")
        months = self._placed({"from": self._advance().text}, **{"from": self._before})
        months["to"] = self._advance().text if self._take("to") else months["from"]
        self._places[id(months), "to"] = self._before
        return months

    # --- values ---

    def _values(self) -> list[Any]:
        self._expect("(")
        values: list[Any] = []
        while True:
            self._places[id(values), len(values)] = self._word.at
            values.append(self._value())
            if not self._take(","):
                self._expect(")")
                return values

    def _value(self) -> Any:
        word = self._word
        match word.kind:
            case "text":
                return self._quoted()
            case "number":
                return self._quantity()
            case "day" | "month" | "id" | "code":
                return self._advance().text
            case "word" if word.text == "today":
                return self._today()
            case "word" if word.text in {"true", "false"}:
                return self._advance().text == "true"
            case "word":
                return self._advance().text
        raise self._misspelt("a value")

    def _quantity(self) -> Any:
        at, written = self._word.at, self._word.text
        number = self._number()
        if self._word.kind != "word" or self._word.text not in _UNIT_WORDS:
            return number
        unit, factor = _UNIT_WORDS[self._advance().text]
        quantity = Decimal(written) * factor
        if abs(quantity) > LARGEST or quantity != quantity.to_integral_value():
            raise Misspelt(at, f"expected a whole number of {unit}")
        return {unit: int(quantity)}

    def _today(self) -> dict[str, Any]:
        self._advance()
        sign = self._word
        if sign.text in {"+", "-"}:
            self._advance()
            number = self._number()
        elif sign.kind == "number" and sign.text.startswith("-"):
            number = self._number()  # `today -30 days`: read as one word with its sign
            return self._moved(number)
        else:
            return {"today": {}}
        return self._moved(-number if sign.text == "-" else number)

    def _moved(self, by: Any) -> dict[str, Any]:
        for span in ("days", "months", "years"):
            if self._take(span, span.removesuffix("s")):
                return {"today": {span: by}}
        raise self._misspelt("`days`, `months` or `years`")

    def _number(self) -> Any:
        if self._word.kind != "number" or len(self._word.text) > _LONGEST_NUMBER:
            raise self._misspelt("a number")
        written = self._advance().text
        return float(written) if set(written) & set(".eE") else WrittenInteger(written)

    def _quoted(self) -> str:
        at = self._word.at
        try:
            text: str = json.loads(self._advance().text)
        except ValueError:
            raise Misspelt(at, "expected a text with escapes as in JSON") from None
        return text

    # --- words ---

    @property
    def _word(self) -> Word:
        return self._words[self._next]

    @property
    def _before(self) -> int:
        """Where the word stands that was taken last."""
        return self._words[self._next - 1].at

    def _advance(self) -> Word:
        word = self._word
        self._next += word.kind != "end"
        return word

    def _is(self, text: str) -> bool:
        return self._word.text == text and self._word.kind in {"word", "sign"}

    def _take(self, *texts: str) -> bool:
        taken = any(self._is(text) for text in texts)
        if taken:
            self._advance()
        return taken

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._misspelt(f"`{text}`")

    def _name(self, what: str) -> str:
        if self._word.kind != "word":
            raise self._misspelt(what)
        return self._advance().text

    def _placed(self, form: dict[str, Any], **places: int) -> dict[str, Any]:
        self._places |= {(id(form), key): at for key, at in places.items()}
        return form

    def _misspelt(self, expected: str) -> Misspelt:
        found = repr(self._word.text) if self._word.kind != "end" else "the end"
        return Misspelt(self._word.at, f"expected {expected}, found {found}")
