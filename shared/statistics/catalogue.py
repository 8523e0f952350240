"""What an indicator is, and the rules that a catalogue of them keeps.

A *measure* is an indicator that cities compute: a plain count, sum or extremum for each *cell*, a combination of
values of its dataset's dimensions. A *ratio* is one measure over another, divided when it is asked for, from sums: so
that no average is ever averaged. Both measures of a ratio come from one dataset, hence from the same cities, and add
up over time in the same way, hence speak of the same periods.

A measure's formula is one SQL expression, of which the city's statement is made: what is shown is what is counted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
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
    LINES = "lines"
    PRODUCTS = "products"
    SECONDS = "seconds"
    MESSAGES = "messages"
    KILOBYTES = "kilobytes"
    POINTS = "points"
    TIMES = "times"
    PEOPLE = "people"
    TASKS = "tasks"
    DAYS = "days"
    MINUTES = "minutes"
    MARKS = "marks"
    MANAGERS = "managers"
    PLACE = "place"
    PERCENT = "percent"
    PER_CUSTOMER = "per_customer"


OWNERS: Mapping[Family, Text] = {
    Family.CUSTOMERS: Text("Key-customer management", "大客户管理"),
    Family.VOLUME: Text("Network and product management", "业务与产品管理"),
    Family.REVENUE: Text("Finance", "财务"),
    Family.MANAGERS: Text("Account-manager supervision", "客户经理管理"),
    Family.SERVICE: Text("Customer service", "客户服务"),
    Family.MARKETING: Text("Marketing", "市场营销"),
}
"""Which department of HQ answers for what an indicator means."""


UNIT_NAMES: Mapping[Unit, Text] = {
    Unit.CUSTOMERS: Text("customers", "户"),
    Unit.SUBSCRIPTIONS: Text("subscriptions", "用户"),
    Unit.BILLS: Text("bills", "张"),
    Unit.FEN: Text("fen", "分"),
    Unit.MONTHS: Text("months", "月"),
    Unit.LINES: Text("lines", "线"),
    Unit.PRODUCTS: Text("products", "个产品"),
    Unit.SECONDS: Text("seconds", "秒"),
    Unit.MESSAGES: Text("messages", "条"),
    Unit.KILOBYTES: Text("kilobytes", "千字节"),
    Unit.POINTS: Text("points", "积分"),
    Unit.TIMES: Text("times", "次"),
    Unit.PEOPLE: Text("people", "人"),
    Unit.TASKS: Text("tasks", "项"),
    Unit.DAYS: Text("days", "天"),
    Unit.MINUTES: Text("minutes", "分钟"),
    Unit.MARKS: Text("marks", "评分"),
    Unit.MANAGERS: Text("managers", "名经理"),
    Unit.PLACE: Text("place", "名次"),
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
    """

    code: str
    name: Text
    dimensions: tuple[str, ...]
    periods: frozenset[PeriodKind]
    rows: str = ""
    late: Mapping[str, str] = field(default_factory=dict)
    present_only: bool = False


@dataclass(frozen=True, slots=True)
class Indicator:
    """A figure that can be asked for.

    Attributes:
        sql: of a measure: the aggregate over its dataset's rows.
        valid_from: first day that it speaks of; ``None`` if there is no first.
        valid_until: first day that it speaks of no longer; ``None`` if it goes on.
    """

    code: str
    name: Text
    unit: Unit
    family: Family
    dataset: str
    aggregation: Aggregation | Ratio
    formula: Text
    sql: str = ""
    valid_from: date | None = None
    valid_until: date | None = None

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
