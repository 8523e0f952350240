"""What an indicator is, and the rules that a catalogue of them keeps.

A *measure* is an indicator that cities compute: a plain count, sum or extremum for each *cell*, a combination of
values of its dataset's dimensions. A *ratio* is one measure over another, divided when it is asked for, from sums: so
that no average is ever averaged. Both measures of a ratio come from one dataset, hence from the same cities, and add
up over time in the same way, hence speak of the same periods.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from shared.kernel.language import Text
from shared.statistics.period import PeriodKind

QUESTION_WORDS = frozenset(
    {
        *("indicator", "period", "from", "to", "by", "region", "region_level", "as_known_at"),
        "provenance",
    }
)
"""Names that a question gives to other things than dimensions."""
_ROW_WORDS = frozenset({"period", "region", "values"})

_CODE = re.compile(r"[a-z][a-z0-9_]{0,49}")


class CatalogueInvalid(ValueError):
    """A catalogue contradicts itself or common sense."""


class Family(StrEnum):
    """One of the six families of indicators (9.3)."""

    CUSTOMERS = "customers"
    VOLUME = "volume"
    REVENUE = "revenue"
    MANAGERS = "managers"
    SERVICE = "service"
    MARKETING = "marketing"


FAMILY_NAMES: Mapping[Family, Text] = {
    Family.CUSTOMERS: Text("Customers", "客户类"),
    Family.VOLUME: Text("Volume", "业务量类"),
    Family.REVENUE: Text("Revenue", "收入类"),
    Family.MANAGERS: Text("Managers", "客户经理类"),
    Family.SERVICE: Text("Service", "服务类"),
    Family.MARKETING: Text("Marketing", "营销类"),
}


class Unit(StrEnum):
    """What a value counts."""

    CUSTOMERS = "customers"
    SUBSCRIPTIONS = "subscriptions"
    BILLS = "bills"
    FEN = "fen"
    MONTHS = "months"
    PERCENT = "percent"
    PER_CUSTOMER = "per_customer"


UNIT_NAMES: Mapping[Unit, Text] = {
    Unit.CUSTOMERS: Text("customers", "户"),
    Unit.SUBSCRIPTIONS: Text("subscriptions", "用户"),
    Unit.BILLS: Text("bills", "张"),
    Unit.FEN: Text("fen", "分"),
    Unit.MONTHS: Text("months", "月"),
    Unit.PERCENT: Text("%", "%"),
    Unit.PER_CUSTOMER: Text("per customer", "每户"),
}


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
}


@dataclass(frozen=True, slots=True)
class Ratio:
    """One measure over another, times ``scale``."""

    numerator: str
    denominator: str
    scale: int = 1


@dataclass(frozen=True, slots=True)
class Dimension:
    """An angle from which figures are seen, and what it distinguishes, in the order in which it is shown."""

    code: str
    name: Text
    values: Mapping[str, Text]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Measures that are computed together, by the same dimensions, and sent as one slice."""

    code: str
    name: Text
    dimensions: tuple[str, ...]
    periods: frozenset[PeriodKind]


@dataclass(frozen=True, slots=True)
class Indicator:
    """A figure that can be asked for."""

    code: str
    name: Text
    unit: Unit
    family: Family
    dataset: str
    aggregation: Aggregation | Ratio
    formula: Text

    @property
    def aggregation_code(self) -> str:
        """``sum``, ``snapshot``, ``max``, ``min`` or ``ratio``."""
        how = self.aggregation
        return "ratio" if isinstance(how, Ratio) else how.value

    @property
    def measures(self) -> tuple[str, ...]:
        """Codes of the measures that it is made of: itself, or both sides of the ratio."""
        how = self.aggregation
        return (how.numerator, how.denominator) if isinstance(how, Ratio) else (self.code,)


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

    def _check_names(self) -> None:
        for dimension in self.dimension_list:
            if dimension.code in QUESTION_WORDS | _ROW_WORDS:
                raise CatalogueInvalid(
                    f"No dimension can be called {dimension.code!r}: a question or its answer uses that word."
                )
            if not dimension.values:
                raise CatalogueInvalid(f"The dimension {dimension.code} distinguishes nothing.")
        for dataset in self.dataset_list:
            for code in dataset.dimensions:
                if code not in self.dimensions:
                    raise CatalogueInvalid(
                        f"The dataset {dataset.code} has an unknown dimension {code}."
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
            if not measure.aggregation.adds_up:
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
