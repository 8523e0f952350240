"""The slice: what one city says about one period, whole.

Its content is a list of cells in one canonical order, so that equal figures have equal hashes: dimensions and measures
by code, cells by their dimension values, ``None`` where a cell has no value. A measure that adds up and is zero has no
value either; its being part of a slice at all says that it was counted. The *control total* of a measure is the plain
sum of its values, for people and programs to compare without opening the cells. The value of some measures is a
*sketch* (:mod:`shared.statistics.sketches`): the control total adds up their digests.

Whoever stores a slice does not have to know its measures and dimensions: a node passes on and keeps what a newer
city computes, and will answer questions about it when it has been upgraded.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self, cast

import orjson

from shared.statistics import sketches
from shared.statistics.period import Period

Value = int | bytes | None
"""A number, the image of a sketch, or nothing."""
GREATEST_VALUE = 2**63 - 1
LEAST_VALUE = -GREATEST_VALUE
"""What the values of a measure may come to, whatever their signs: so that no sum of some of them exceeds 64 bits."""


class SliceInvalid(Exception):
    """A slice is not what its hash, totals or sender say it is."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of dimension values, with the value of each measure."""

    key: tuple[str, ...]
    """Dimension values, in the order of the slice's dimensions."""
    values: tuple[Value, ...]
    """Measures' values, in the order of the slice's measures."""


@dataclass(frozen=True, slots=True)
class Content:
    """The figures of a slice, in canonical order, and what can be told from them."""

    dataset: str
    node: str
    period: Period
    dimensions: tuple[str, ...]
    measures: tuple[str, ...]
    cells: tuple[Cell, ...]
    control_totals: Mapping[str, int] = field(init=False)
    hash: str = field(init=False)
    """SHA-256 of the canonical JSON, in hexadecimal."""

    def __post_init__(self) -> None:
        totals = dict.fromkeys(self.measures, 0)
        if self.cells:
            totals = {
                measure: self._total(measure, column)
                for measure, column in zip(self.measures, self.columns(), strict=True)
            }
        object.__setattr__(self, "control_totals", totals)
        object.__setattr__(self, "hash", hashlib.sha256(self._canonical()).hexdigest())

    @classmethod
    def of(
        cls,
        dataset: str,
        node: str,
        period: Period,
        *,
        dimensions: Sequence[str],
        measures: Sequence[str],
        cells: Iterable[tuple[Sequence[str], Sequence[Value]]],
    ) -> Self:
        """Put cells in canonical order.

        Args:
            dataset: what they are the figures of.
            node: division code of the city that computed them.
            period: which month or day.
            dimensions: codes, in the order of each cell's key.
            measures: codes, in the order of each cell's values.
            cells: key and values of each; those without any value are left out.

        Raises:
            SliceInvalid: if a code or key comes twice, a cell has another length, or values come to too much.
        """
        for kind, codes in (("dimension", dimensions), ("measure", measures)):
            if len(set(codes)) < len(codes):
                raise SliceInvalid(f"The slice names a {kind} twice: {', '.join(codes)}.")
        by_dimension = sorted(range(len(dimensions)), key=lambda at: dimensions[at])
        by_measure = sorted(range(len(measures)), key=lambda at: measures[at])
        are_dimensions_ordered = by_dimension == list(range(len(dimensions)))
        are_measures_ordered = by_measure == list(range(len(measures)))
        lengths = len(dimensions), len(measures)
        ordered: dict[tuple[str, ...], tuple[Value, ...]] = {}
        for key, values in cells:
            if (len(key), len(values)) != lengths:
                raise SliceInvalid(
                    f"The cell {list(key)} does not have one value for each dimension and measure."
                )
            place = tuple(key if are_dimensions_ordered else (key[at] for at in by_dimension))
            if place in ordered:
                raise SliceInvalid(f"The cell {list(place)} comes twice.")
            kept = tuple(values if are_measures_ordered else (values[at] for at in by_measure))
            if kept.count(None) < len(kept):
                ordered[place] = kept
        return cls(
            dataset,
            node,
            period,
            tuple(dimensions[at] for at in by_dimension),
            tuple(measures[at] for at in by_measure),
            tuple(Cell(key, ordered[key]) for key in sorted(ordered)),
        )

    @property
    def row_count(self) -> int:
        """How many cells there are; none is a statement too: all figures are zero."""
        return len(self.cells)

    def columns(self) -> Iterator[tuple[Value, ...]]:
        """Return the values measure by measure; none without cells."""
        return zip(*(cell.values for cell in self.cells), strict=True)

    def rows(self) -> list[list[Any]]:
        """Return the cells as they are written in JSON: key, values."""
        return [[list(cell.key), [_written(value) for value in cell.values]] for cell in self.cells]

    def _total(self, measure: str, column: Sequence[Value]) -> int:
        """Add up a measure's values; without a look at each where all are numbers, as in most."""
        if set(map(type, column)) == {int}:
            numbers, sketched = cast("Sequence[int]", column), 0
        else:
            numbers = [value for value in column if isinstance(value, int)]
            sketched = sum(sketches.digest(value) for value in column if isinstance(value, bytes))
        if sum(map(abs, numbers)) > GREATEST_VALUE:
            raise SliceInvalid(f"The values of {measure} come to more than 64 bits.")
        return sum(numbers) + sketched

    def _canonical(self) -> bytes:
        return orjson.dumps(
            {
                "cells": [(cell.key, cell.values) for cell in self.cells],
                "dataset": self.dataset,
                "dimensions": self.dimensions,
                "measures": self.measures,
                "node": self.node,
                "period": str(self.period),
            },
            default=_written,  # of a sketch: what it does not know
        )


def _written(value: Value) -> int | str | None:
    return sketches.write(value) if isinstance(value, bytes) else value


@dataclass(frozen=True, slots=True)
class Slice:
    """A city's statement: this content, as this revision.

    Attributes:
        content: the figures.
        revision: 1 for the first statement about the dataset and period, then dense.
        reason: why it replaces the revision before; ``None`` for the first.
        computed_at: when the city computed it.
    """

    content: Content
    revision: int
    reason: str | None
    computed_at: datetime

    @property
    def name(self) -> str:
        """How sentences call it."""
        content = self.content
        return f"{content.dataset} of {content.node} for {content.period}, revision {self.revision}"
