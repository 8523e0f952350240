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
from typing import Any, Self

import orjson

from shared.statistics import sketches
from shared.statistics.period import Period

Value = int | bytes | None
"""A number, the image of a sketch, or nothing."""
LEAST_VALUE, GREATEST_VALUE = -(2**63), 2**63 - 1
"""What the store holds."""


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
            totals = dict(zip(self.measures, map(_total, self.columns()), strict=True))
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
            SliceInvalid: if a code or key comes twice, a cell has another length, or a value does not fit.
        """
        for kind, codes in (("dimension", dimensions), ("measure", measures)):
            if len(set(codes)) < len(codes):
                raise SliceInvalid(f"The slice names a {kind} twice: {', '.join(codes)}.")
        by_dimension = sorted(range(len(dimensions)), key=lambda at: dimensions[at])
        by_measure = sorted(range(len(measures)), key=lambda at: measures[at])
        are_measures_ordered = by_measure == list(range(len(measures)))
        ordered: dict[tuple[str, ...], tuple[Value, ...]] = {}
        for key, values in cells:
            if (len(key), len(values)) != (len(dimensions), len(measures)):
                raise SliceInvalid(
                    f"The cell {list(key)} does not have one value for each dimension and measure."
                )
            place = tuple(key[at] for at in by_dimension)
            if place in ordered:
                raise SliceInvalid(f"The cell {list(place)} comes twice.")
            known = [value for value in values if isinstance(value, int)]
            if known and not LEAST_VALUE <= min(known) <= max(known) <= GREATEST_VALUE:
                raise SliceInvalid(f"The cell {list(place)} holds a value of more than 64 bits.")
            if known or any(values):
                ordered[place] = (
                    tuple(values)
                    if are_measures_ordered
                    else tuple(values[at] for at in by_measure)
                )
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


def _total(column: Sequence[Any]) -> int:
    """Add up a measure's values; without a call for each where all are numbers, as in most."""
    has_sketches = bytes in set(map(type, column))
    total: int = sum(map(_counted, column) if has_sketches else filter(None, column))
    return total


def _counted(value: Value) -> int:
    return sketches.digest(value) if isinstance(value, bytes) else value or 0


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
