"""What may be asked: from the words of a request to a question that makes sense, or a problem that says why not."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from shared.kernel.language import Text
from shared.kernel.listing import QueryInvalid
from shared.kernel.problems import Fault, Problem
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
from shared.statistics.catalogue import Catalogue, Dimension, Earlier, Growth, Indicator, MovingSum
from shared.statistics.period import Period

MOST_INDICATORS = 40
MOST_PERIODS = 400
MOST_ROWS = 100_000
OPEN_VALUES = 50
"""So many values are expected of a dimension whose values the cities say."""

BY_PERIOD, BY_REGION = "period", "region"

Thing = TypeVar("Thing")


class RegionLevel(StrEnum):
    """How finely regions are told apart, the coarsest first."""

    NATION = "nation"
    PROVINCE = "province"
    CITY = "city"


_LEVELS = tuple(RegionLevel)
_LEVEL_OF_TIER = dict(zip((Tier.HQ, Tier.PROVINCE, Tier.CITY), _LEVELS, strict=True))


class IndicatorUnknown(Problem):
    """An indicator that the catalogue of this node does not have."""

    status = 404
    title = Text("Indicator unknown", "指标不存在")
    sentence = Text(
        "There is no indicator {code}: `GET /statistics/indicators` lists them.",
        "没有指标 {code}：可用 GET /statistics/indicators 查看全部指标。",
    )


class RegionOutOfScope(Problem):
    """A question about a region that the asker, or this node, does not cover."""

    status = 403
    title = Text("Region out of scope", "地区超出权限范围")
    sentence = Text(
        "You may ask about {scope} and what lies in it; {region} does not.",
        "您可查询 {scope} 及其下属地区，{region} 不在其内。",
    )


class PeriodRangeInvalid(Problem):
    """Two periods that make no range."""

    status = 422
    title = Text("Period range invalid", "期间范围无效")
    sentence = Text(
        "'{first}' to '{last}' is no range: give either `period`, or `from` and `to`: two months or two days, "
        "the earlier first, at most {most} of them.",
        "“{first}”至“{last}”不是有效范围：请填写 period，或同时填写 from 与 to（同为月份或同为日期，先早后晚，至多 {most} 期）。",
    )


class QuestionTooLarge(Problem):
    """A question whose answer would be too large."""

    status = 422
    title = Text("Question too large", "查询过大")
    sentence = Text(
        "The answer could have {rows} rows of {indicators} indicators; at most {most_rows} rows of {most_indicators} are given. "
        "Ask for fewer periods, dimensions or regions, or a coarser region_level.",
        "结果可能达 {rows} 行、{indicators} 个指标，上限为 {most_rows} 行、{most_indicators} 个指标。请减少期间、维度或地区，或提高地区层级。",
    )


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


@dataclass(frozen=True, slots=True)
class Question:
    """A question that makes sense.

    Attributes:
        indicators: what is asked for.
        periods: which months or days, in order.
        by_period: whether each period has rows of its own; otherwise they are aggregated.
        dimensions: by what the rows are told apart, besides period and region.
        region: where.
        region_level: how finely regions are told apart.
        filters: the dimension values that count, by dimension.
        as_known_at: the moment whose knowledge is asked for; ``None`` for the present.
    """

    indicators: tuple[Indicator, ...]
    periods: tuple[Period, ...]
    by_period: bool
    dimensions: tuple[Dimension, ...]
    region: Division
    region_level: RegionLevel
    filters: tuple[tuple[Dimension, tuple[str, ...]], ...]
    as_known_at: datetime | None

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
        found = set(self.periods)
        for indicator in self.indicators:
            found.update(back for each in self.periods for back in _looked_back_to(indicator, each))
        return tuple(sorted(found))

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
    def most_rows(self) -> int:
        """The number of rows of the answer if every combination occurs."""
        filtered = {dimension.code: len(values) for dimension, values in self.filters}
        cities = cities_of(self.region.code)
        regions = {self.region_of(city.code).code for city in cities}
        cells = math.prod(
            filtered.get(each.code, len(each.values) or OPEN_VALUES) for each in self.dimensions
        )
        return len(regions) * cells * (len(self.periods) if self.by_period else 1)


def _looked_back_to(indicator: Indicator, period: Period) -> list[Period]:
    match indicator.aggregation:
        case Growth(over=Earlier.PERIOD):
            return [period.previous]
        case Growth():
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
    indicators = tuple(
        _offered("indicator", code, catalogue.indicators)
        for code in dict.fromkeys(words.indicators)
    )
    if not indicators:
        raise QueryInvalid("indicator", "", ", ".join(catalogue.indicators))
    dimensions = _common_dimensions(catalogue, indicators)
    by = {
        code: _offered("by", code, {BY_PERIOD: None, BY_REGION: None, **dimensions})
        for code in words.by or (BY_PERIOD,)
    }
    region = _region(words.region or scope, scope)
    question = Question(
        indicators=indicators,
        periods=_periods(words, catalogue, indicators, now),
        by_period=BY_PERIOD in by,
        dimensions=tuple(each for each in by.values() if each is not None),
        region=region,
        region_level=_region_level(words.region_level, region, told_apart=BY_REGION in by),
        filters=_filters(words.filters or {}, dimensions),
        as_known_at=words.as_known_at,
    )
    if not question.tells_periods_apart:
        for each in indicators:
            if _looked_back_to(each, question.periods[0]):
                raise QueryInvalid("by", ", ".join(by), f"period, for {each.code}")
    rows = question.most_rows
    if rows > MOST_ROWS or len(indicators) > MOST_INDICATORS:
        raise QuestionTooLarge(
            rows=rows,
            most_rows=MOST_ROWS,
            indicators=len(indicators),
            most_indicators=MOST_INDICATORS,
        )
    return question


def _offered(parameter: str, code: str, things: Mapping[str, Thing]) -> Thing:
    if code not in things:
        raise QueryInvalid(parameter, code, ", ".join(things))
    return things[code]


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
        unknown.faults = (Fault("query:region", "a six-digit division code"),)
        raise
    if not is_within(code, scope):
        fault = Fault("query:region", f"{scope} or a division in it")
        raise RegionOutOfScope(faults=[fault], region=code, scope=scope)
    return region


def _region_level(asked: str | None, region: Division, *, told_apart: bool) -> RegionLevel:
    own = _LEVELS.index(_LEVEL_OF_TIER[region.tier])
    if asked is None:
        return _LEVELS[min(own + 1, len(_LEVELS) - 1) if told_apart else own]
    return _offered("region_level", asked, {level.value: level for level in _LEVELS[own:]})


def _periods(
    words: Words, catalogue: Catalogue, indicators: Sequence[Indicator], now: datetime
) -> tuple[Period, ...]:
    if words.first is None and words.last is None:
        periods = [Period.at(now) if words.period is None else Period.parse(words.period)]
    else:
        periods = _range(words)
    for indicator in indicators:
        kinds = catalogue.datasets[indicator.dataset].periods
        if periods[0].kind not in kinds:
            offered = ", ".join(f"a {kind.value}" for kind in kinds)
            raise QueryInvalid("period", str(periods[0]), f"{offered}, for {indicator.code}")
        begins, ends = indicator.valid_from, indicator.valid_until
        if (begins and periods[0].start < begins) or (ends and periods[-1].end > ends):
            valid = f"what lies from {begins or '…'} up to {ends or '…'}, for {indicator.code}"
            raise QueryInvalid("period", str(periods[0]), valid)
    return tuple(periods)


def _range(words: Words) -> list[Period]:
    refusal = PeriodRangeInvalid(
        faults=[
            Fault(f"query:{name}", "two months or two days, the earlier first")
            for name in ("from", "to")
        ],
        first=words.first or "",
        last=words.last or "",
        most=MOST_PERIODS,
    )
    if words.first is None or words.last is None or words.period is not None:
        raise refusal
    first, last = Period.parse(words.first, "from"), Period.parse(words.last, "to")
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
            raise QueryInvalid(code, ",".join(values), f"filters by {', '.join(dimensions)}")
        for value in () if dimensions[code].is_open else values:
            _offered(code, value, dimensions[code].values)
        filters.append((dimensions[code], tuple(dict.fromkeys(values))))
    return tuple(filters)
