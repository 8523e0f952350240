"""What an indicator is, and the rules that a catalogue of them keeps.

A *measure* is an indicator that cities compute: a plain count, sum or extremum for each *cell*, a combination of
values of its dataset's dimensions. A *ratio* is one measure over another, divided when it is asked for, from sums: so
that no average is ever averaged. Both measures of a ratio come from one dataset, hence from the same cities, and add
up over time in the same way, hence speak of the same periods.

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
_ROW_WORDS = frozenset({"period", "region", "values", "others", "withheld"})

_CODE = re.compile(r"[a-z][a-z0-9_]{0,49}")


class CatalogueInvalid(ValueError):
    """A catalogue contradicts itself or common sense."""


class Aggregation(StrEnum):
    """How a measure's values are put together."""

    SUM = "sum"
    SNAPSHOT = "snapshot"
    MAX = "max"
    MIN = "min"

    @property
    def adds_up(self) -> bool:
        """Whether values of different regions are added."""
        return self in {Aggregation.SUM, Aggregation.SNAPSHOT}


AGGREGATION_NAMES: Mapping[str, Text] = {
    "sum": Text("adds up over regions and over time", "按地区、按时间均可累加"),
    "snapshot": Text(
        "adds up over regions; over time the last period stands",
        "按地区累加；按时间取期末值",
    ),
    "max": Text("the greatest over regions and time", "按地区、按时间取最大值"),
    "min": Text("the least over regions and time", "按地区、按时间取最小值"),
    "ratio": Text(
        "divided from sums when asked for, never averaged", "查询时由合计相除，不对平均值再平均"
    ),
    "difference": Text("subtracted from sums when asked for", "查询时由合计相减"),
    "share": Text("of the answer's total of the period", "占查询结果当期合计的比重"),
    "change": Text("less that of an earlier period of the same cities", "与相同地市往期之差"),
    "growth": Text("compared with an earlier period of the same cities", "与相同地市的往期相比"),
    "rank": Text("among the answer's rows of the period", "在查询结果当期各行中的名次"),
    "moving_sum": Text("added over the last periods of the same cities", "按相同地市的近几期累加"),
}


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
        sql: of a measure: the aggregate over its dataset's rows.
        valid_from: first day that it speaks of; ``None`` if there is no first.
        valid_until: first day that it speaks of no longer; ``None`` if it goes on.
        defined_by: the version of HQ's definitions that it comes from; nothing if it ships with the program.
    """

    code: str
    name: Text
    unit: Unit
    family: Family
    dataset: str
    aggregation: Aggregation | Ratio | Difference | Windowed
    formula: Text
    sql: str = ""
    valid_from: date | None = None
    valid_until: date | None = None
    defined_by: str = ""

    @property
    def aggregation_code(self) -> str:
        """How its values come about, as :data:`AGGREGATION_NAMES` has it."""
        how = self.aggregation
        return how.value if isinstance(how, Aggregation) else _CODES[type(how)]

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
            case windowed:
                return windowed.of.measures


_CODES = {
    Ratio: "ratio",
    Difference: "difference",
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
        if not isinstance(indicator.aggregation, Ratio):
            return
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
            if not isinstance(measure.aggregation, Aggregation) or not measure.aggregation.adds_up:
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
            if not isinstance(how, Aggregation) or not how.adds_up:
                raise CatalogueInvalid(
                    f"The dataset {dataset.code} counts people by {code}, which is no measure of it that adds up."
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
        return self.indicators[indicator.measures[0]].aggregation is Aggregation.SNAPSHOT
