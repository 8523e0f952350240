"""What a question costs: how large its answer may be, how much is read for it, and how much may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from shared.kernel.settings import Settings
from shared.statistics.indicators import CATALOGUE
from shared.statistics.parts import Part
from shared.statistics.problems import QuestionTooCostly
from shared.statistics.question import (
    MOST_COLUMNS,
    MOST_INDICATORS,
    MOST_ROWS,
    Question,
)

VALUES_OF_A_SKETCH = 5_000
"""A sketch takes as long to read and merge as so many values."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may cost.

    Attributes:
        values: stored values that are read at most.
        seconds: that the database may take.
    """

    values: int = 500_000_000
    seconds: int = 60

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the limits of a node."""
        return cls(settings.statistics_value_limit, settings.statistics_timeout_seconds)


ORDINARY = Limits()


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a question would cost. All numbers are upper bounds.

    Attributes:
        rows: of the figures, before any are put together.
        columns: of figures.
        indicators: that are computed.
        slices: that are read.
        values: that are read of them.
    """

    rows: int
    columns: int
    indicators: int
    slices: int
    values: int

    @classmethod
    def of(cls, question: Question, parts: Sequence[Part]) -> Self:
        """Estimate a question that is answered from these parts."""
        needed = {dataset: sum(map(_values, codes)) for dataset, codes in question.measures.items()}
        return cls(
            rows=question.most_rows,
            columns=question.most_columns,
            indicators=len(question.indicators),
            slices=sum(len(each.cities.split()) for each in parts),
            values=sum(each.row_count * needed[each.dataset] for each in parts),
        )

    def excess(self, limits: Limits) -> list[str]:
        """Return what is too much: what a question has to be reduced in before it is answered."""
        most = {
            "rows": (self.rows, MOST_ROWS),
            "columns": (self.columns, MOST_COLUMNS),
            "indicators": (self.indicators, MOST_INDICATORS),
            "values": (self.values, limits.values),
        }
        return [name for name, (found, allowed) in most.items() if found > allowed]

    def require_within(self, limits: Limits) -> None:
        """Refuse what would read too much.

        Raises:
            QuestionTooCostly: with how much it would be (422).
        """
        if self.values > limits.values:
            raise QuestionTooCostly(values=self.values, slices=self.slices, most=limits.values)


def _values(code: str) -> int:
    measure = CATALOGUE.indicators.get(code)
    return VALUES_OF_A_SKETCH if measure is not None and measure.is_sketch else 1
