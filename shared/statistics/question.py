"""What may be asked: from the words of a request to a question that makes sense, or a problem that says why not."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.kernel.listing import QueryInvalid
from shared.kernel.problems import Fault
from shared.kernel.tier import Tier
from shared.organisation.division import (
    HQ_CODE,
    Division,
    UnknownDivision,
    cities_of,
    division,
    is_within,
    province_of,
)
from shared.statistics.analysis import Analysis, derived, offered, parts
from shared.statistics.catalogue import (
    Catalogue,
    Change,
    Dimension,
    Earlier,
    Growth,
    Indicator,
    MovingSum,
)
from shared.statistics.period import Period
from shared.statistics.problems import (
    FilterUnknown,
    PeriodRangeInvalid,
    PivotTooWide,
    QuestionTooLarge,
    RegionOutOfScope,
)
from shared.statistics.relative import relative_periods

MOST_INDICATORS = 40
MOST_PERIODS = 400
MOST_ROWS = 100_000
OPEN_VALUES = 50
"""So many values are expected of a dimension whose values the cities say."""

MOST_TOP = 1_000
MOST_COLUMNS = 4_000
"""So many columns a pivot may have: spreadsheets open four times as many."""

BY_PERIOD, BY_REGION = "period", "region"


class RegionLevel(StrEnum):
    """How finely regions are told apart, the coarsest first."""

    NATION = "nation"
    PROVINCE = "province"
    CITY = "city"


LEVELS = tuple(RegionLevel)
_LEVEL_OF_TIER = dict(zip((Tier.HQ, Tier.PROVINCE, Tier.CITY), LEVELS, strict=True))


@dataclass(frozen=True, slots=True)
class Words:
    """A question as it is put, before it is known to make sense."""

    indicators: Sequence[str]
    period: str | None = None
    first: str | None = None
    last: str | None = None
    by: Sequence[str] = ()
    region: str | None = None
    region_level: str | None = None
    filters: Mapping[str, Sequence[str]] | None = None
    as_known_at: datetime | None = None
    compare: Sequence[str] = ()
    share: Sequence[str] = ()
    top: int | None = None
    top_by: str | None = None
    pivot: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question that makes sense.

    Attributes:
        indicators: what is computed: what is asked for, what is derived from it, and the parts of both that are needed.
        periods: which months or days, in order.
        by_period: whether each period has rows of its own; otherwise they are aggregated.
        dimensions: by what the rows are told apart, besides period and region.
        region: where.
        region_level: how finely regions are told apart.
        filters: the dimension values that count, by dimension.
        as_known_at: the moment whose knowledge is asked for; ``None`` for the present.
        scope: division code of the region that the asker may see.
        analysis: how the figures are looked at.
    """

    indicators: tuple[Indicator, ...]
    periods: tuple[Period, ...]
    by_period: bool
    dimensions: tuple[Dimension, ...]
    region: Division
    region_level: RegionLevel
    filters: tuple[tuple[Dimension, tuple[str, ...]], ...]
    as_known_at: datetime | None
    scope: str
    analysis: Analysis

    @property
    def told(self) -> tuple[Indicator, ...]:
        """The indicators that the answer has, without those that others are only put together from."""
        return tuple(each for each in self.indicators if each.code not in self.analysis.hidden)

    @property
    def own_level(self) -> RegionLevel:
        """The level of the region that is asked about."""
        return _LEVEL_OF_TIER[self.region.tier]

    @property
    def tells_regions_apart(self) -> bool:
        """Whether regions below the one that is asked about have rows of their own."""
        return self.region_level is not self.own_level

    @property
    def measures(self) -> dict[str, list[str]]:
        """The measures that are needed, by dataset."""
        needed: dict[str, dict[str, None]] = {}
        for indicator in self.indicators:
            needed.setdefault(indicator.dataset, {}).update(dict.fromkeys(indicator.measures))
        return {dataset: list(codes) for dataset, codes in needed.items()}

    @property
    def tells_periods_apart(self) -> bool:
        """Whether every period has rows of its own."""
        return self.by_period or len(self.periods) == 1

    @property
    def consulted(self) -> tuple[Period, ...]:
        """The periods that are needed: those asked for, and the earlier ones that are looked back to."""
        earlier = {
            back
            for indicator in self.indicators
            if isinstance(indicator.aggregation, Change | Growth | MovingSum)
            for each in self.periods
            for back in _looked_back_to(indicator, each)
        }
        return tuple(sorted(earlier.union(self.periods))) if earlier else self.periods

    def bucket(self, period: str) -> str:
        """Return how rows call the period: itself, or the whole range, ``2026-09/2026-11`` as in ISO 8601."""
        if self.tells_periods_apart:
            return period
        return f"{self.periods[0]}/{self.periods[-1]}"

    def region_of(self, city: str) -> Division:
        """Return the region of the asked level in which a city lies."""
        match self.region_level:
            case RegionLevel.NATION:
                return division(HQ_CODE)
            case RegionLevel.PROVINCE:
                return province_of(city)
            case RegionLevel.CITY:
                return division(city)

    @property
    def most_values(self) -> dict[str, int]:
        """How many values each thing has at most by which rows are told apart."""
        filtered = {dimension.code: len(values) for dimension, values in self.filters}
        regions = {self.region_of(city.code).code for city in cities_of(self.region.code)}
        return {
            BY_PERIOD: len(self.periods) if self.by_period else 1,
            BY_REGION: len(regions),
            **{
                each.code: filtered.get(each.code, len(each.values) or OPEN_VALUES)
                for each in self.dimensions
            },
        }

    @property
    def most_rows(self) -> int:
        """The number of rows of the answer if every combination occurs."""
        return math.prod(self.most_values.values())

    @property
    def most_columns(self) -> int:
        """The number of columns of figures of the answer."""
        pivot = self.analysis.pivot
        return len(self.told) * (self.most_values[pivot] if pivot else 1)


def _looked_back_to(indicator: Indicator, period: Period) -> list[Period]:
    match indicator.aggregation:
        case Change(over=Earlier.PERIOD) | Growth(over=Earlier.PERIOD):
            return [period.previous]
        case Change() | Growth():
            return [period.year_before] if period.year_before else []
        case MovingSum(periods=count):
            back = [period]
            while len(back) < count:
                back.append(back[-1].previous)
            return back[1:]
    return []


def read_question(words: Words, catalogue: Catalogue, *, scope: str, now: datetime) -> Question:
    """Make sense of a question.

    Args:
        words: what was asked.
        catalogue: what there is to ask for.
        scope: division code of the region that the asker may see; the default region too.
        now: the present moment: without a period, its month is meant.

    Raises:
        QueryInvalid, PeriodInvalid, PeriodRangeInvalid, UnknownDivision, RegionOutOfScope, QuestionTooLarge: each
            points to what is wrong, and says what could be asked instead.
    """
    question = understood(words, catalogue, scope=scope, now=now)
    require_size(question)
    return question


def understood(words: Words, catalogue: Catalogue, *, scope: str, now: datetime) -> Question:
    """Make sense of a question as :func:`read_question`, however large its answer may be."""
    asked = tuple(
        offered("indicator", code, catalogue.indicators) for code in dict.fromkeys(words.indicators)
    )
    if not asked:
        raise QueryInvalid("indicator", "", ", ".join(catalogue.indicators))
    dimensions = _common_dimensions(catalogue, asked)
    by = {
        code: offered("by", code, {BY_PERIOD: None, BY_REGION: None, **dimensions})
        for code in words.by or (BY_PERIOD,)
    }
    region = _region(words.region or scope, scope)
    indicators, analysis = _analysed(words, catalogue, asked, by)
    question = Question(
        indicators=indicators,
        periods=_periods(words, catalogue, asked, now),
        by_period=BY_PERIOD in by,
        dimensions=tuple(each for each in by.values() if each is not None),
        region=region,
        region_level=_region_level(words.region_level, region, told_apart=BY_REGION in by),
        filters=_filters(words.filters or {}, dimensions),
        as_known_at=words.as_known_at,
        scope=scope,
        analysis=analysis,
    )
    if not question.tells_periods_apart:
        for each in indicators:
            if _looked_back_to(each, question.periods[0]):
                raise QueryInvalid("by", ", ".join(by), f"{each.code}: period")
    return question


def require_size(question: Question) -> None:
    """Refuse a question whose answer could be too large.

    Raises:
        QuestionTooLarge: with its size, and what is given.
        PivotTooWide: with the number of columns.
    """
    rows, indicators = question.most_rows, len(question.indicators)
    if rows > MOST_ROWS or indicators > MOST_INDICATORS:
        raise QuestionTooLarge(
            rows=rows,
            most_rows=MOST_ROWS,
            indicators=indicators,
            most_indicators=MOST_INDICATORS,
        )
    if question.most_columns > MOST_COLUMNS:
        fault = Fault("query:pivot", "something that has fewer values", "取值较少的内容")
        raise PivotTooWide(faults=[fault], columns=question.most_columns, most=MOST_COLUMNS)


def _analysed(
    words: Words,
    catalogue: Catalogue,
    asked: tuple[Indicator, ...],
    by: Mapping[str, Dimension | None],
) -> tuple[tuple[Indicator, ...], Analysis]:
    """Return what is to be computed, and how it is looked at."""
    codes = {each.code: each for each in asked}
    top_by = offered("top_by", words.top_by or asked[0].code, codes)
    if words.top is not None and not 1 <= words.top <= MOST_TOP:
        raise QueryInvalid("top", str(words.top), f"1 – {MOST_TOP}")
    if words.pivot is not None:
        offered("pivot", words.pivot, by)
    told = {each.code: each for each in derived(asked, words.compare, words.share)} | codes
    ordered = [*codes, *(code for code in told if code not in codes)]
    needed = parts(told.values(), catalogue) if words.top is not None else []
    hidden = {each.code: each for each in needed if each.code not in told}
    indicators = (*(told[code] for code in ordered), *hidden.values())
    return indicators, Analysis(
        asked=tuple(codes),
        compare=tuple(dict.fromkeys(words.compare)),
        share=tuple(dict.fromkeys(words.share)),
        top=words.top,
        top_by=top_by.code,
        pivot=words.pivot,
        hidden=tuple(hidden),
    )


def _common_dimensions(
    catalogue: Catalogue, indicators: Sequence[Indicator]
) -> dict[str, Dimension]:
    datasets = {indicator.dataset for indicator in indicators}
    return {
        code: dimension
        for code, dimension in catalogue.dimensions.items()
        if all(dimension in catalogue.dimensions_of(dataset) for dataset in datasets)
    }


def _region(code: str, scope: str) -> Division:
    try:
        region = division(code)
    except UnknownDivision as unknown:
        unknown.faults = (Fault("query:region", "a six-digit division code", "六位行政区划代码"),)
        raise
    if not is_within(code, scope):
        fault = Fault("query:region", f"{scope} or a division in it", f"{scope} 或其下属地区")
        raise RegionOutOfScope(faults=[fault], region=code, scope=scope)
    return region


def _region_level(asked: str | None, region: Division, *, told_apart: bool) -> RegionLevel:
    own = LEVELS.index(_LEVEL_OF_TIER[region.tier])
    if asked is None:
        return LEVELS[min(own + 1, len(LEVELS) - 1) if told_apart else own]
    return offered("region_level", asked, {level.value: level for level in LEVELS[own:]})


def _periods(
    words: Words, catalogue: Catalogue, indicators: Sequence[Indicator], now: datetime
) -> tuple[Period, ...]:
    if words.first is None and words.last is None:
        periods = _named_periods(words.period, now)
    else:
        periods = _range(words)
    for indicator in indicators:
        kinds = catalogue.datasets[indicator.dataset].periods
        if periods[0].kind not in kinds:
            listed = ", ".join(sorted(kinds))
            raise QueryInvalid("period", str(periods[0]), f"{indicator.code}: {listed}")
        begins, ends = indicator.valid_from, indicator.valid_until
        if (begins and periods[0].start < begins) or (ends and periods[-1].end > ends):
            valid = f"{indicator.code}: {begins or '…'} – {ends or '…'}"
            raise QueryInvalid("period", str(periods[0]), valid)
    return tuple(periods)


def _named_periods(named: str | None, now: datetime) -> list[Period]:
    if named is None:
        return [Period.at(now)]
    return relative_periods(named, now) or [Period.parse(named)]


def _range(words: Words) -> list[Period]:
    told = "two months or two days, the earlier first", "同为月份或同为日期，先早后晚"
    refusal = PeriodRangeInvalid(
        faults=[Fault(f"query:{name}", *told) for name in ("from", "to")],
        first=words.first or "",
        last=words.last or "",
        most=MOST_PERIODS,
    )
    if words.first is None or words.last is None or words.period is not None:
        raise refusal
    first, last = Period.parse(words.first, "query:from"), Period.parse(words.last, "query:to")
    if first.kind is not last.kind or last < first:
        raise refusal
    periods = [first]
    while periods[-1] < last:
        if len(periods) == MOST_PERIODS:
            raise refusal
        periods.append(periods[-1].next)
    return periods


def _filters(
    asked: Mapping[str, Sequence[str]], dimensions: Mapping[str, Dimension]
) -> tuple[tuple[Dimension, tuple[str, ...]], ...]:
    filters = []
    for code, values in asked.items():
        if code not in dimensions:
            raise FilterUnknown(code, ", ".join(dimensions))
        if not (dimensions[code].is_open and values):  # none at all would count nothing
            for value in values or ("",):
                offered(code, value, dimensions[code].values)
        filters.append((dimensions[code], tuple(dict.fromkeys(values))))
    return tuple(filters)
