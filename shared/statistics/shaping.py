"""The rows of an answer put into another shape: the top ones with the others together, or one thing across."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared.kernel.language import Language, Text
from shared.statistics.catalogue import Catalogue, Indicator
from shared.statistics.combining import Combining, Number, Values
from shared.statistics.figures import region_name
from shared.statistics.question import BY_PERIOD, BY_REGION, Question

Row = dict[str, Any]
OTHERS = Text("Others", "其他")
WITHHELD = "withheld"
"""Under what a row names the indicators that are withheld in it; it has none where nothing ever is."""
MARK = "×"
"""How tables for people show it."""
NOT_SAID = ""
"""The code of a column for what has no value of the dimension that goes across."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """Rows in their shape, and what goes across, if anything does: codes with names, in order."""

    rows: list[Row]
    columns: dict[str, str] | None = None


def shape(
    question: Question, catalogue: Catalogue, rows: list[Row], *, language: Language
) -> Shaped:
    """Put the rows of the figures into the shape that was asked for."""
    shaping = _Shaping(question, catalogue, language)
    if question.analysis.top is not None:
        rows = list(shaping.top(rows, question.analysis.top))
    return Shaped(rows) if shaping.pivot is None else shaping.pivoted(rows, shaping.pivot)


@dataclass(frozen=True, slots=True)
class _Shaping:
    question: Question
    catalogue: Catalogue
    language: Language

    @property
    def pivot(self) -> str | None:
        return self.question.analysis.pivot

    @property
    def names(self) -> tuple[str, ...]:
        """By what rows are told apart."""
        return (BY_PERIOD, BY_REGION, *(each.code for each in self.question.dimensions))

    def top(self, rows: list[Row], most: int) -> Iterator[Row]:
        """Give the rows of the greatest values, and after those of each period one of all others together.

        If something goes across, a row is all that stands beside one another; if it is the periods, the last decides.
        """
        question = self.question
        by = next(each for each in question.told if each.code == question.analysis.top_by)
        down = tuple(name for name in self.names if name != self.pivot)
        for everything in _grouped(rows, () if self.pivot == BY_PERIOD else (BY_PERIOD,)):
            last = max(row[BY_PERIOD] for row in everything)
            everybody = [row["values"] for row in everything if row[BY_PERIOD] == last]

            def place(
                group: list[Row], last: str = last, everybody: Sequence[Values] = everybody
            ) -> tuple[bool, Number]:
                members = [row["values"] for row in group if row[BY_PERIOD] == last]
                value = self.figure(by, members, everybody)
                return value is None, -(value or 0)

            groups = sorted(_grouped(everything, down), key=place)
            for row in (row for group in groups[:most] for row in group):
                told = {each.code: row["values"][each.code] for each in question.told}
                yield {**row, **self.marks([row]), "values": told}
            rest = [row for group in groups[most:] for row in group]
            for members in _grouped(rest, (self.pivot,) if self.pivot else ()):
                period = members[0][BY_PERIOD]
                beside = [row["values"] for row in everything if row[BY_PERIOD] == period]
                yield self.others(members, beside, len(groups) - most)

    def figure(
        self, indicator: Indicator, members: Sequence[Row], everybody: Sequence[Values]
    ) -> Number | None:
        """Return the figure of some rows, which may be one or none."""
        if len(members) > 1:
            return Combining(self.catalogue, everybody).together(indicator, members)
        alone: Number | None = members[0][indicator.code] if members else None
        return alone

    def others(self, members: list[Row], everybody: Sequence[Values], count: int) -> Row:
        """Return one row for several of the same period and, if something goes across, of the same column."""
        first, values = members[0], [row["values"] for row in members]
        marks = self.marks(members)
        is_one_region = self.pivot == BY_REGION or not self.question.tells_regions_apart
        nobody = {"code": None, "name": OTHERS.speak(self.language)}
        return {
            BY_PERIOD: first[BY_PERIOD],
            BY_REGION: first[BY_REGION] if is_one_region else nobody,
            **{name: first[name] if name == self.pivot else None for name in self.names[2:]},
            "others": count,
            **marks,
            "values": {
                each.code: None
                if each.code in marks.get(WITHHELD, ())
                else self.figure(each, values, everybody)
                for each in self.question.told
            },
        }

    def marks(self, rows: list[Row]) -> dict[str, list[str]]:
        """Return what a row that puts several together says of what is withheld; nothing if nothing ever is."""
        if WITHHELD not in rows[0]:
            return {}
        hidden = {code for row in rows for code in row[WITHHELD]}
        return {WITHHELD: [each.code for each in self.question.told if each.code in hidden]}

    def pivoted(self, rows: list[Row], pivot: str) -> Shaped:
        """Return a row for all rows that differ in nothing but what goes across."""
        question, across = self.question, self.columns(rows, pivot)
        whole: Row = {}
        if pivot == BY_PERIOD:
            whole[BY_PERIOD] = f"{question.periods[0]}/{question.periods[-1]}"
        if pivot == BY_REGION:
            name = region_name(question.region).speak(self.language)
            whole[BY_REGION] = {"code": question.region.code, "name": name}
        names = (*self.names, "others")
        found: list[Row] = []
        for group in _grouped(rows, tuple(name for name in names if name != pivot)):
            cells = {_code(row, pivot): row["values"] for row in group}
            row = {name: value for name, value in group[0].items() if name != pivot} | whole
            row["values"] = {
                each.code: {x: cells[x][each.code] if x in cells else None for x in across}
                for each in question.told
            }
            if WITHHELD in row:
                hidden = {_code(each, pivot): each[WITHHELD] for each in group}
                of = {
                    code: [x for x in across if code in hidden.get(x, ())] for code in row["values"]
                }
                row[WITHHELD] = {code: columns for code, columns in of.items() if columns}
            found.append({name: row[name] for name in (*names, WITHHELD, "values") if name in row})
        return Shaped(found, across)

    def columns(self, rows: list[Row], pivot: str) -> dict[str, str]:
        """Return the codes and names of what goes across and occurs, in the order in which rows would have them."""
        if pivot == BY_REGION:
            return dict(sorted({_code(x, pivot): x[BY_REGION]["name"] for x in rows}.items()))
        codes = {_code(row, pivot) for row in rows}
        if pivot == BY_PERIOD:
            return {code: code for code in sorted(codes)}
        dimension = next(each for each in self.question.dimensions if each.code == pivot)
        declared = {code: name.speak(self.language) for code, name in dimension.values.items()}
        ordered = [code for code in declared if code in codes] + sorted(codes - declared.keys())
        return {code: declared.get(code, code) for code in ordered}


def _grouped(rows: list[Row], names: tuple[str, ...]) -> list[list[Row]]:
    """Return the rows that are alike in what is named together, in the order in which they come."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(_code(row, name) for name in names)].append(row)
    return list(groups.values())


def _code(row: Row, name: str) -> str:
    value = row[BY_REGION]["code"] if name == BY_REGION else row.get(name)
    return NOT_SAID if value is None else str(value)
