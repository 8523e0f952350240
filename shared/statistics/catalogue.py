"""What an indicator is, and the rules that a catalogue of them keeps.

A *measure* is an indicator that cities compute: a plain count, sum or extremum for each *cell*, a combination of
values of its dataset's dimensions. A *ratio* is one measure over another, divided when it is asked for, from sums: so
that no average is ever averaged. Both measures of a ratio come from one dataset, hence from the same cities, and are
put together over time in the same way, hence speak of the same periods.

Measures of two kinds are *sketches* (:mod:`shared.statistics.sketches`), which are merged and never added: distinct
people, counted once over cities and periods, and distributions, of which the median and other *quantiles* are told.

What HQ defines besides (:mod:`shared.statistics.definition`) is *derived* from these when it is asked for: a ratio, a
difference, a share, growth, a rank, or a moving sum; so is what a question compares
(:mod:`shared.statistics.analysis`).

A measure's formula is one SQL expression, of which the city's statement is made: what is shown is what is counted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Difference, Quantile, Ratio
from shared.statistics.people import Within
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

QUESTION_WORDS = frozenset(
    {
        *("indicator", "period", "from", "to", "by", "region", "region_level", "as_known_at"),
        *("compare", "share", "top", "top_by", "pivot", "provenance", "format", "bom"),
    }
)
"""Names that a question gives to other things than dimensions."""
COLUMNS_OF_ROWS = frozenset({"period", "region_code", "region_name", "others", "withheld"})
"""What the columns of an answer's flat form are called that are neither dimensions nor indicators."""
_ROW_WORDS = frozenset({"period", "region", "values", "others", "withheld"})

_CODE = re.compile(r"[a-z][a-z0-9_]{0,49}")


class CatalogueInvalid(ValueError):
    """A catalogue contradicts itself or common sense."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many percent of the answer's total of the period."""

    of: "Indicator"


class Earlier(StrEnum):
    """With which period is compared."""

    PERIOD = "period"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Change:
    """By how much more than in the period before, or in the same one a year before."""

    of: "Indicator"
    over: Earlier


@dataclass(frozen=True, slots=True)
class Growth:
    """By how many percent more than in the period before, or in the same one a year before."""

    of: "Indicator"
    over: Earlier


@dataclass(frozen=True, slots=True)
class Rank:
    """Which place among the answer's rows of the period, the greatest first."""

    of: "Indicator"


@dataclass(frozen=True, slots=True)
class MovingSum:
    """The sum over so many periods, of which the one asked for is the last."""

    of: "Indicator"
    periods: int


Windowed = Share | Change | Growth | Rank | MovingSum
"""Made of other rows of the answer, or of other periods."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """An angle from which figures are seen, and what it distinguishes, in the order in which it is shown.

    Attributes:
        values: what it distinguishes; none if the cities say, as they do of their brands, units and offers.
        version: which edition of its values this is.
        of: the finer dimension whose values it puts together; a dataset of that one can be asked by this one too.
        parents: to which value each value of the finer dimension belongs.
    """

    code: str
    name: Text
    values: Mapping[str, Text]
    version: str = "1"
    of: str | None = None
    parents: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether the cities say what it distinguishes."""
        return not self.values


@dataclass(frozen=True, slots=True)
class Dataset:
    """Measures that are computed together, by the same dimensions, and sent as one slice.

    Attributes:
        rows: SQL of the rows that a city counts: a column for each dimension, and those of which formulas speak.
            ``:first`` is the period's first day, ``:after`` the day after its last, ``:first_at`` and ``:after_at`` are
            the moments at which these begin in China.
        late: tables of which rows may come, change or go long after their day, with the column that tells it: a past
            period is counted again when, and only when, they do. Without any, nothing of a past period can change, or
            it is the state at its end that is counted.
        present_only: whether the tables know the present alone, so that a past period cannot be counted any more.
        people: the measure that counts the people its cells are about, or what stands for them: their lines, their
            contacts. Nothing if they are about none.
        others: of measures that are about other people than these: which measures count those.
        within: of measures that count those of some values of its dimensions alone: which; for whoever is told such a
            measure by other dimensions is told finer cells.
    """

    code: str
    name: Text
    dimensions: tuple[str, ...]
    periods: frozenset[PeriodKind]
    rows: str = ""
    late: Mapping[str, str] = field(default_factory=dict)
    present_only: bool = False
    people: str = ""
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    within: Mapping[str, Within] = field(default_factory=dict)

    def counts_of(self, measure: str) -> tuple[str, ...]:
        """Return the measures that count the people whom a measure is about."""
        return self.others.get(measure) or ((self.people,) if self.people else ())


@dataclass(frozen=True, slots=True)
class Indicator:
    """A figure that can be asked for.

    Attributes:
        sql: of a measure: the aggregate over its dataset's rows; of a sketch: the person or the value, ``NULL`` if a
            row has none.
        valid_from: first day that it speaks of; ``None`` if there is no first.
        valid_until: first day that it speaks of no longer; ``None`` if it goes on.
        defined_by: the version of HQ's definitions that it comes from; nothing if it ships with the program.
    """

    code: str
    name: Text
    unit: Unit
    family: Family
    dataset: str
    aggregation: Aggregation | Ratio | Difference | Quantile | Windowed
    formula: Text
    sql: str = ""
    valid_from: date | None = None
    valid_until: date | None = None
    defined_by: str = ""

    @property
    def aggregation_code(self) -> str:
        """How its values come about, as ``AGGREGATION_NAMES`` has it."""
        how = self.aggregation
        return how.value if isinstance(how, Aggregation) else _CODES[type(how)]

    @property
    def is_sketch(self) -> bool:
        """Whether it is a measure of which cities send sketches."""
        return isinstance(self.aggregation, Aggregation) and self.aggregation.is_sketch

    @property
    def measures(self) -> tuple[str, ...]:
        """Codes of the measures that it is made of: itself, both sides, or those of what it is derived from."""
        match self.aggregation:
            case Aggregation():
                return (self.code,)
            case Ratio(numerator, denominator):
                return numerator, denominator
            case Difference(minuend, subtrahend):
                return minuend, subtrahend
            case Quantile(of):
                return (of,)
            case windowed:
                return windowed.of.measures


_CODES = {
    Ratio: "ratio",
    Difference: "difference",
    Quantile: "quantile",
    Share: "share",
    Change: "change",
    Growth: "growth",
    Rank: "rank",
    MovingSum: "moving_sum",
}


@dataclass(frozen=True)
class Catalogue:
    """All dimensions, datasets and indicators; checked when it is made.

    Raises:
        CatalogueInvalid: naming what does not make sense.
    """

    dimension_list: tuple[Dimension, ...]
    dataset_list: tuple[Dataset, ...]
    indicator_list: tuple[Indicator, ...]

    def __post_init__(self) -> None:
        for kind, codes in (
            ("dimension", [each.code for each in self.dimension_list]),
            ("dataset", [each.code for each in self.dataset_list]),
            ("indicator", [each.code for each in self.indicator_list]),
        ):
            for code in codes:
                if not _CODE.fullmatch(code):
                    raise CatalogueInvalid(
                        f"The {kind} code {code!r} is not of the form {_CODE.pattern}."
                    )
                if codes.count(code) > 1:
                    raise CatalogueInvalid(f"The {kind} {code} is declared twice.")
        self._check_names()
        for indicator in self.indicator_list:
            self._check_indicator(indicator)
        for dataset in self.dataset_list:
            self._check_people(dataset)

    def _check_names(self) -> None:
        for dimension in self.dimension_list:
            if dimension.code in QUESTION_WORDS | _ROW_WORDS:
                raise CatalogueInvalid(
                    f"No dimension can be called {dimension.code!r}: a question or its answer uses that word."
                )
            if dimension.of is None:
                continue
            finer = self.dimensions.get(dimension.of)
            if finer is None or finer.of is not None:
                raise CatalogueInvalid(
                    f"The dimension {dimension.code} puts together {dimension.of}, which is no dimension of cells."
                )
            if set(dimension.parents) != set(finer.values) or not set(
                dimension.parents.values()
            ) <= set(dimension.values):
                raise CatalogueInvalid(
                    f"The dimension {dimension.code} does not say where each value of {dimension.of} belongs."
                )
        for dataset in self.dataset_list:
            for code in dataset.dimensions:
                if code not in self.dimensions:
                    raise CatalogueInvalid(
                        f"The dataset {dataset.code} has an unknown dimension {code}."
                    )
                if self.dimensions[code].of is not None:
                    raise CatalogueInvalid(
                        f"The dataset {dataset.code} is counted by {code}, which follows from a finer dimension."
                    )

    def _check_indicator(self, indicator: Indicator) -> None:
        if indicator.dataset not in self.datasets:
            raise CatalogueInvalid(
                f"The indicator {indicator.code} is of an unknown dataset {indicator.dataset}."
            )
        if isinstance(indicator.aggregation, Ratio):
            self._check_ratio(indicator)
        if isinstance(indicator.aggregation, Quantile):
            of = self.indicators.get(indicator.aggregation.of)
            if of is None or not (of.is_sketch and of.aggregation is not Aggregation.DISTINCT):
                raise CatalogueInvalid(f"The quantile {indicator.code} is of no distribution.")

    def _check_ratio(self, indicator: Indicator) -> None:
        ways = set()
        for code in indicator.measures:
            measure = self.indicators.get(code)
            if measure is None:
                raise CatalogueInvalid(
                    f"The ratio {indicator.code} is made of an unknown measure {code}."
                )
            if isinstance(measure.aggregation, Ratio):
                raise CatalogueInvalid(
                    f"The ratio {indicator.code} is made of the ratio {code}: averages are never averaged."
                )
            if not isinstance(measure.aggregation, Aggregation) or not measure.aggregation.divides:
                raise CatalogueInvalid(
                    f"The ratio {indicator.code} is made of {code}, which does not add up."
                )
            if measure.dataset != indicator.dataset:
                raise CatalogueInvalid(
                    f"The ratio {indicator.code} is made of {code}, which is of another dataset."
                )
            ways.add(measure.aggregation)
        if len(ways) > 1:
            raise CatalogueInvalid(
                f"The ratio {indicator.code} divides what adds up over time by what does not, or the reverse."
            )

    def _check_people(self, dataset: Dataset) -> None:
        measures = {each.code: each.aggregation for each in self.measures_of(dataset.code)}
        counts = {each for counts in dataset.others.values() for each in counts}
        for code in (counts | {dataset.people}) - {""}:
            how = measures.get(code)
            if not isinstance(how, Aggregation) or not how.divides:
                raise CatalogueInvalid(
                    f"The dataset {dataset.code} counts people by {code}, which is no measure of it that counts."
                )
        for code, within in dataset.within.items():
            if not set(within.dimensions) <= set(dataset.dimensions):
                raise CatalogueInvalid(f"The measure {code} is not counted by {within.dimensions}.")
        for code in (dataset.others.keys() | dataset.within.keys()) - measures.keys():
            raise CatalogueInvalid(f"The dataset {dataset.code} has no measure {code}.")

    @cached_property
    def dimensions(self) -> Mapping[str, Dimension]:
        """Dimensions by code."""
        return {each.code: each for each in self.dimension_list}

    @cached_property
    def datasets(self) -> Mapping[str, Dataset]:
        """Datasets by code."""
        return {each.code: each for each in self.dataset_list}

    @cached_property
    def indicators(self) -> Mapping[str, Indicator]:
        """Indicators by code."""
        return {each.code: each for each in self.indicator_list}

    def dimensions_of(self, dataset: str) -> tuple[Dimension, ...]:
        """Return what a dataset can be asked by: the dimensions of its cells, and the coarser ones above them."""
        own = self.datasets[dataset].dimensions
        return tuple(each for each in self.dimension_list if each.code in own or each.of in own)

    def measures_of(self, dataset: str) -> tuple[Indicator, ...]:
        """Return the measures that make up a dataset's slices."""
        return tuple(
            each
            for each in self.indicator_list
            if each.dataset == dataset and isinstance(each.aggregation, Aggregation)
        )

    def is_snapshot(self, indicator: Indicator) -> bool:
        """Tell whether an indicator speaks of one moment: over time its last period stands."""
        how = self.indicators[indicator.measures[0]].aggregation
        return isinstance(how, Aggregation) and how.is_at_end
