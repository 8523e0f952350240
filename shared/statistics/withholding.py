"""Which rows of an answer are withheld: the people of its cells are counted, and decided with their whole node's.

What is withheld must not depend on the question (:mod:`~shared.statistics.disclosure`). So the tables that are decided
are of all regions of the node, without filters, by everything that the question tells apart or filters by. A row of the
answer is withheld if one of the cells is that it puts together; and so is, in it, a measure that counts some finer
cells alone, if one of these is.

Whom a figure is about, its dataset says (:class:`~shared.statistics.catalogue.Dataset`). Stocks are decided for each
period; what flows in a day is decided together with the other days of its month, which the month adds up.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.language import Language
from shared.organisation.division import division, is_within, province_of
from shared.statistics import figures
from shared.statistics.aggregation import Aggregation
from shared.statistics.analysis import Analysis
from shared.statistics.catalogue import Catalogue, Dataset, Dimension
from shared.statistics.cost import Estimate, Limits
from shared.statistics.disclosure import ALL, Axis, Cell, Levels, flat, withheld
from shared.statistics.hiding import Withheld
from shared.statistics.parts import Part, read_parts
from shared.statistics.period import Period, PeriodKind
from shared.statistics.privacy import Rule
from shared.statistics.problems import DisclosureTooCostly
from shared.statistics.question import LEVELS, Question

Row = dict[str, Any]
"""A row of the answer to a table's question, as JSON has it."""

MOST_CELLS = 100_000
"""Tables of more cells take too long to decide while somebody waits for an answer."""
_NONE = "\0"
"""Stands for no value of a dimension; no city says it, for PostgreSQL stores none."""


@dataclass(frozen=True, slots=True)
class People:
    """Tables of people that are decided before a question is answered: those of one dataset.

    Attributes:
        dataset: which.
        question: how many people there are, in all cells of the node.
        parts: what that is answered from.
        by_month: whether the days of a month are decided together.
        within: the measures that follow from some of the cells; none if it is decided for all measures.
    """

    dataset: str
    question: Question
    parts: Sequence[Part]
    by_month: bool
    within: Sequence[str] = ()

    @property
    def fingerprint(self) -> str:
        """What is the same as long as these people are."""
        return f"{self.dataset}/{self.by_month}/{self.within}/{sum(each.fingerprint for each in self.parts)}"


async def people_of(
    session: AsyncSession, question: Question, catalogue: Catalogue, rule: Rule
) -> list[People]:
    """Return the tables by which it is decided what is withheld from the answer to a question."""
    found = []
    for dataset, measures in question.measures.items():
        for finer, of_these in _by_dimensions(catalogue.datasets[dataset], measures).items():
            counts = dict.fromkeys(
                each for code in of_these for each in catalogue.datasets[dataset].counts_of(code)
            )
            for are_flows in (False, True):
                chosen = [
                    each
                    for each in (catalogue.indicators[code] for code in counts)
                    if (each.aggregation is Aggregation.SUM) == are_flows
                ]
                if not chosen:
                    continue
                kinds = catalogue.datasets[dataset].periods
                are_days = question.periods[0].kind is PeriodKind.DAY
                by_month = are_flows and are_days and PeriodKind.MONTH in kinds
                asked = replace(
                    question,
                    indicators=tuple(chosen),
                    periods=_whole_months(question.consulted) if by_month else question.consulted,
                    by_period=True,
                    dimensions=_finest(question, catalogue, finer),
                    region=division(rule.node),
                    filters=(),
                    analysis=Analysis(),
                )
                parts = await read_parts(session, asked, in_full=False)
                found.append(People(dataset, asked, parts, by_month, of_these if finer else ()))
    return found


def _by_dimensions(
    dataset: Dataset, measures: Sequence[str]
) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return measures by the dimensions that they tell apart besides those that are asked for."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {(): tuple(measures)}
    for code in measures:
        if code in dataset.within:
            finer = dataset.within[code].dimensions
            found[finer] = (*found.get(finer, ()), code)
    return found


def with_counts(question: Question, catalogue: Catalogue) -> Question:
    """Return a question with the counts of people besides: a city that does not tell them yet is missing from both."""
    counts = {
        code: catalogue.indicators[code]
        for dataset, measures in question.measures.items()
        for measure in measures
        for code in catalogue.datasets[dataset].counts_of(measure)
    }
    return replace(question, indicators=(*question.indicators, *counts.values()))


def _whole_months(days: Sequence[Period]) -> tuple[Period, ...]:
    months = dict.fromkeys(Period.of(each.start, PeriodKind.MONTH) for each in days)
    return tuple(day for month in months for day in month.with_days[1:])


def _finest(
    question: Question, catalogue: Catalogue, finer: Sequence[str]
) -> tuple[Dimension, ...]:
    """Return these dimensions, and those that rows or filters go by, without what follows from another of them."""
    told = (*question.dimensions, *(dimension for dimension, _ in question.filters))
    asked = {each.code for each in told} | set(finer)
    return tuple(
        each
        for each in catalogue.dimension_list
        if each.code in asked and (each.of is None or each.of not in asked)
    )


async def count(
    session: AsyncSession, people: Sequence[People], catalogue: Catalogue, limits: Limits
) -> list[list[Row]]:
    """Count the people of each table.

    Raises:
        QuestionTooCostly: if too much would have to be read for it (422).
    """
    counted = []
    for each in people:
        Estimate.of(each.question, each.parts).require_within(limits)
        rows = await figures.rows(
            session, each.question, catalogue, each.parts, closing={}, language=Language.ENGLISH
        )
        counted.append(orjson.loads(rows))
    return counted


def decide(
    question: Question,
    catalogue: Catalogue,
    rule: Rule,
    people: Sequence[People],
    counted: Sequence[Sequence[Row]],
    *,
    most: int,
) -> Withheld:
    """Decide what is withheld from the answer to a question; takes its time, in a thread.

    Args:
        question: what is asked.
        catalogue: what there is to ask for.
        rule: what is withheld here.
        people: the tables of people.
        counted: the rows of each.
        most: so many cells a table may have.

    Raises:
        DisclosureTooCostly: if a table has too many cells (422).
    """
    rows: dict[tuple[str | None, ...], set[str]] = defaultdict(set)
    cells: dict[tuple[str, str], set[tuple[str | None, ...]]] = defaultdict(set)
    consulted = set(map(str, question.consulted))
    for table, found in zip(people, counted, strict=True):
        by_period: dict[str, list[Row]] = defaultdict(list)
        for row in found:
            by_period[row["period"]].append(row)
        for together in _groups(table):
            deciding = _Deciding(catalogue, rule, table, together, most)
            of_these = [row for period in together for row in by_period[period]]
            for code, period, cell in deciding.withheld(of_these):
                key = _row_of(question, rule, table, cell)
                reasons = _reasons(catalogue, table, code, cell)
                if period in consulted and key is not None and reasons:
                    rows[question.bucket(period), *key].update(reasons)
                    cells[table.dataset, period].add(key)
    return Withheld(rule, rows, {key: len(found) for key, found in cells.items()})


def _reasons(catalogue: Catalogue, table: People, count: str, cell: Cell) -> list[str]:
    """Return what is to be withheld because of a cell: all that goes by its count, or what counts these cells alone."""
    if not table.within:
        return [count]
    dataset = catalogue.datasets[table.dataset]
    names = [each.code for each in table.question.dimensions]
    found = []
    for measure in table.within:
        within = dataset.within[measure]
        value = cell[1 + names.index(within.dimensions[0])]
        if count in dataset.counts_of(measure) and within.holds(value):
            found.append(f"within_{measure}")
    return found


def _groups(table: People) -> list[list[str]]:
    """Return the periods that are decided together."""
    groups: dict[str, list[str]] = defaultdict(list)
    for period in sorted({each.period for each in table.parts}):
        groups[period[: len("2026-11")] if table.by_month else period].append(period)
    return list(groups.values())


@dataclass(frozen=True, slots=True)
class _Deciding:
    """The decision of a table of people in the periods that are decided together."""

    catalogue: Catalogue
    rule: Rule
    table: People
    periods: Sequence[str]
    most: int

    def withheld(self, found: Sequence[Row]) -> Iterator[tuple[str, str, Cell]]:
        """Give what is withheld: by which count, in which period, and the cell of region and dimensions."""
        for code in (each.code for each in self.table.question.indicators):
            people = self._people(found, code)
            axes, levels = self._axes(people)
            sizes = (
                len(axis.above[level - 1])
                for axis, level in zip(axes, levels, strict=True)
                if level
            )
            if (size := math.prod(sizes)) > self.most:
                raise DisclosureTooCostly(cells=size, most=self.most)
            for cell in withheld(axes, people, levels, threshold=self.rule.threshold):
                yield code, cell[0] or self.periods[0], cell[1:]

    def _people(self, found: Sequence[Row], code: str) -> dict[Cell, int]:
        question = self.table.question
        people = {}
        for row in found:
            if row["values"][code]:
                period = row["period"] if self.table.by_month else ALL
                region = row["region"]["code"] if question.tells_regions_apart else ALL
                values = (
                    _NONE if row[x.code] is None else row[x.code] for x in question.dimensions
                )
                people[period, region, *values] = int(row["values"][code])
        return people

    def _axes(self, people: Collection[Cell]) -> tuple[list[Axis], Levels]:
        """Return what cells are told apart by, and how finely: time, region, and each dimension."""
        question = self.table.question
        axes = [flat(self.periods), Axis(self._regions())]
        levels = [
            int(self.table.by_month),
            LEVELS.index(question.region_level) - LEVELS.index(question.own_level),
        ]
        for place, dimension in enumerate(question.dimensions, start=len(axes)):
            axis = _axis(self.catalogue, dimension, {cell[place] for cell in people})
            axes.append(axis)
            levels.append(axis.depth)
        return axes, tuple(levels)

    def _regions(self) -> list[dict[str, str]]:
        """Return the regions that have said something, level by level, each with the one that it is part of."""
        parts = [each for each in self.table.parts if each.period in self.periods]
        cities = {city: province_of(city).code for each in parts for city in each.cities.split()}
        if self.table.question.own_level is LEVELS[0]:
            return [dict.fromkeys(cities.values(), ALL), cities]
        return [dict.fromkeys(cities, ALL)]


def _axis(catalogue: Catalogue, dimension: Dimension, occurring: set[str]) -> Axis:
    """Return the axis of a dimension and the coarser one above it."""
    values = dict.fromkeys((*dimension.values, *sorted(occurring - dimension.values.keys())))
    above = next((each for each in catalogue.dimension_list if each.of == dimension.code), None)
    if above is None:
        return flat(list(values))
    parents = {value: above.parents.get(value, _NONE) for value in values}
    return Axis([dict.fromkeys(parents.values(), ALL), parents])


def _row_of(
    question: Question, rule: Rule, table: People, cell: Cell
) -> tuple[str | None, ...] | None:
    """Return region and dimensions of the row to which a cell belongs; ``None`` if the question leaves it out."""
    region = cell[0] or rule.node
    if not is_within(region, question.region.code):
        return None
    codes = (each.code for each in table.question.dimensions)
    values = dict(zip(codes, (None if x == _NONE else x for x in cell[1:]), strict=True))

    def of(dimension: Dimension) -> str | None:
        if dimension.code in values:
            return values[dimension.code]
        return dimension.parents.get(values[dimension.of or ""] or "")

    if any(of(dimension) not in wanted for dimension, wanted in question.filters):
        return None
    return region, *(of(each) for each in question.dimensions)
