"""From rows of texts to columns of values: what a mapping says, a column at a time.

A column with few different texts is converted text by text, any other cell by cell. A row with a fault in one cell is
left out of every column.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from services.city_node.customer.schemas import clean
from services.city_node.customer_import.mapping import Filling, ImportMapping
from services.city_node.customer_import.reading import Lines
from services.city_node.customer_import.rejecting import KEY, RowFault
from services.city_node.customer_import.targets import LONGEST_TEXT

_REPEATS = 2
"""How often a text must stand in a column on average for each to be converted once."""


@dataclass(slots=True)
class Columns:
    """The rows of a portion that have no fault in any cell, column by column.

    Attributes:
        lines: the line of each row.
        keys: key of each row's customer; nothing if the mapping names no key.
        values: the values that come from the file, by target.
        cells: the texts of each row.
        faults: what is wrong with the other rows.
    """

    lines: Sequence[int]
    keys: Sequence[str] | None
    values: dict[str, Sequence[Any]]
    cells: Sequence[Sequence[str]]
    faults: list[RowFault] = field(default_factory=list)


class Converter:
    """Converts the rows of one file.

    Args:
        mapping: how.
        header: the file's column names, among them all that the mapping names.
    """

    def __init__(self, mapping: ImportMapping, header: Sequence[str]) -> None:
        self._width = len(header)
        self._columns = [
            (name, header.index(filling.column), filling.convert)
            for name, filling in mapping.fillings.items()
            if filling.column is not None
        ]
        if mapping.key is not None:
            self._columns.insert(0, (KEY, header.index(mapping.key), _row_key))

    def convert(self, lines: Lines) -> Columns:
        """Return the columns of these rows."""
        numbers, rows, faults = lines.numbers, lines.rows, dict[int, list[RowFault]]()
        if set(map(len, rows)) - {self._width}:
            fits = [len(row) == self._width for row in rows]
            for number, row in compress(zip(numbers, rows, strict=True), (not fit for fit in fits)):
                reason = f"the row has {len(row)} cells, the header {self._width}"
                faults[number] = [RowFault(number, "", reason)]
            numbers, rows = list(compress(numbers, fits)), list(compress(rows, fits))
        texts: list[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [()] * self._width
        values: dict[str, Sequence[Any]] = {name: texts[index] for name, index, _ in self._columns}
        wrong = set[int]()
        for name, _, convert in self._columns:
            values[name], failed = _converted(convert, values[name])
            for place, reason in failed.items():
                wrong.add(place)
                faults.setdefault(numbers[place], []).append(RowFault(numbers[place], name, reason))
        if wrong:
            right = [place not in wrong for place in range(len(rows))]
            numbers, rows = list(compress(numbers, right)), list(compress(rows, right))
            values = {name: list(compress(column, right)) for name, column in values.items()}
        keys = values.pop(KEY, None)
        ordered = [fault for number in sorted(faults) for fault in faults[number]]
        return Columns(numbers, keys, values, rows, ordered)


def constants(fillings: Mapping[str, Filling]) -> Mapping[str, Any]:
    """Return the values that are the same in every row, by target."""
    return {name: filling.constant for name, filling in fillings.items() if filling.column is None}


def _converted(
    convert: Callable[[str], Any], texts: Sequence[str]
) -> tuple[list[Any], Mapping[int, str]]:
    """Return the values of a column, and by its place why a text has none."""
    distinct = set(texts)
    if len(distinct) * _REPEATS <= len(texts):
        known, wrong = dict[str, Any](), dict[str, str]()
        for text in distinct:
            try:
                known[text] = convert(text.strip())
            except ValueError as error:
                wrong[text] = str(error)
        failed = (
            {place: wrong[text] for place, text in enumerate(texts) if text in wrong}
            if wrong
            else {}
        )
        return list(map(known.get, texts)), failed
    try:
        return [convert(text.strip()) for text in texts], {}
    except ValueError:
        return _one_by_one(convert, texts)


def _one_by_one(
    convert: Callable[[str], Any], texts: Sequence[str]
) -> tuple[list[Any], Mapping[int, str]]:
    values, failed = list[Any](), dict[int, str]()
    for place, text in enumerate(texts):
        try:
            values.append(convert(text.strip()))
        except ValueError as error:
            values.append(None)
            failed[place] = str(error)
    return values, failed


def _row_key(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"is longer than {LONGEST_TEXT} characters")
    return clean(text)
