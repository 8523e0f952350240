"""How values are put together that cities count, and what is computed from two of them or told of one.

What looks at other rows or other periods as well is declared beside the indicators that it is made of
(:mod:`shared.statistics.catalogue`).
"""

from dataclasses import dataclass
from enum import StrEnum


class Aggregation(StrEnum):
    """How a measure's values are put together."""

    SUM = "sum"
    SNAPSHOT = "snapshot"
    MAX = "max"
    MIN = "min"
    DISTINCT = "distinct"
    DISTRIBUTION = "distribution"
    DISTRIBUTION_AT_END = "distribution_at_end"

    @property
    def adds_up(self) -> bool:
        """Whether values of different regions are added."""
        return self in {Aggregation.SUM, Aggregation.SNAPSHOT}

    @property
    def divides(self) -> bool:
        """Whether it can be a side of a ratio."""
        return self.adds_up or self is Aggregation.DISTINCT

    @property
    def is_distribution(self) -> bool:
        """Whether quantiles are told of it."""
        return self in {Aggregation.DISTRIBUTION, Aggregation.DISTRIBUTION_AT_END}

    @property
    def is_sketch(self) -> bool:
        """Whether cities send a sketch of it rather than a number."""
        return self is Aggregation.DISTINCT or self.is_distribution

    @property
    def is_at_end(self) -> bool:
        """Whether it speaks of one moment: over time its last period stands."""
        return self in {Aggregation.SNAPSHOT, Aggregation.DISTRIBUTION_AT_END}


@dataclass(frozen=True, slots=True)
class Ratio:
    """One measure over another, times ``scale``."""

    numerator: str
    denominator: str
    scale: int = 1


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure less another of the same unit."""

    minuend: str
    subtrahend: str


@dataclass(frozen=True, slots=True)
class Quantile:
    """The value that so many percent of a distribution do not exceed."""

    of: str
    percent: int


MEDIAN = 50
"""Percent: the quantile that is told of a distribution itself."""
