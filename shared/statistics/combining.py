"""The figure of several rows of an answer together.

What is put together is put together as the catalogue says and as the database does: sums add, extrema compare, a ratio
is divided from the sums of its parts, a comparison is made between sums. What cannot be put together, as ranks, is
empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from shared.statistics.aggregation import Aggregation, Difference, Ratio
from shared.statistics.analysis import change_code
from shared.statistics.catalogue import Catalogue, Change, Growth, Indicator, MovingSum, Share
from shared.statistics.figures import DECIMALS

Number = int | float
Values = Mapping[str, Number | Fraction | None]
"""The figures of a row, by indicator."""


@dataclass(frozen=True, slots=True)
class Combining:
    """How rows are put together.

    Attributes:
        catalogue: what the indicators are made of.
        everybody: the values of all rows of the period, which shares are shares of.
    """

    catalogue: Catalogue
    everybody: Sequence[Values]

    def together(self, indicator: Indicator, members: Sequence[Values]) -> Number | None:
        """Return the figure of several rows together; ``None`` if it is not known, or there can be none.

        Args:
            indicator: which.
            members: the values of the rows, with those of the parts that the indicator is made of.
        """
        exact = self._exact(indicator, members)
        return None if exact is None else _rounded(exact)

    def _exact(self, indicator: Indicator, members: Sequence[Values]) -> Fraction | None:
        figure: Fraction | None = None
        match indicator.aggregation:
            case Aggregation() as how:
                figure = _aggregated(how, _known(indicator.code, members))
            case Ratio(numerator, denominator, scale):
                figure = _divided(
                    self._of(numerator, members), self._of(denominator, members), scale
                )
            case Difference(minuend, subtrahend):
                figure = _less(self._of(minuend, members), self._of(subtrahend, members))
            case Share(of):
                figure = _divided(self._exact(of, members), self._exact(of, self.everybody), 100)
            case MovingSum():
                known = _known(indicator.code, members)
                figure = sum(known, Fraction()) if len(known) == len(members) else None
            case Change() | Growth() as how:
                figure = self._compared(how, members)
        return figure

    def _of(self, code: str, members: Sequence[Values]) -> Fraction | None:
        return self._exact(self.catalogue.indicators[code], members)

    def _compared(self, how: Change | Growth, members: Sequence[Values]) -> Fraction | None:
        """Compare with what the rows were in an earlier period, if that is known of every one."""
        before: list[Values] = []
        for each in members:
            then = {
                code: _less(_fraction(each[code]), _fraction(each[change_code(code, how.over)]))
                for code in how.of.measures
            }
            if None in then.values():
                return None
            before.append(then)
        earlier = self._exact(how.of, before)
        change = _less(self._exact(how.of, members), earlier)
        return change if isinstance(how, Change) else _divided(change, earlier, 100)


def _aggregated(how: Aggregation, known: Sequence[Fraction]) -> Fraction | None:
    functions = {Aggregation.MAX: max, Aggregation.MIN: min}
    if how.adds_up:
        return sum(known, Fraction()) if known else None
    return functions[how](known) if known and how in functions else None


def _known(code: str, members: Sequence[Values]) -> list[Fraction]:
    return [value for each in members if (value := _fraction(each[code])) is not None]


def _fraction(value: Number | Fraction | None) -> Fraction | None:
    """Return what the database said, of which a float is the nearest one."""
    return None if value is None else Fraction(str(value))


def _less(minuend: Fraction | None, subtrahend: Fraction | None) -> Fraction | None:
    return None if minuend is None or subtrahend is None else minuend - subtrahend


def _divided(above: Fraction | None, below: Fraction | None, scale: int) -> Fraction | None:
    return None if above is None or not below else above * scale / below


def _rounded(exact: Fraction) -> Number:
    """Round half away from zero, as PostgreSQL does."""
    unit = 10**DECIMALS
    steps = floor(abs(exact) * unit + Fraction(1, 2))
    value: Number = steps // unit if steps % unit == 0 else steps / unit
    return -value if exact < 0 else value
