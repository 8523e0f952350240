"""Indicators that HQ defines: ratios, differences, shares, growth, ranks and moving sums of those that ship.

They are a policy: HQ drafts a list of definitions, a second person publishes it with the day from which it holds, and
the signed statement goes down to every province and city (:mod:`shared.policy`), whose questions know the indicators
from that day on. Nothing is counted for them, so no city has to do anything. There are no bounds: all tiers mean the
same by a code.

A definition is checked for sense before it can be drafted: averages are never averaged, what is subtracted has one
unit, what is put together is of one dataset and adds up over time in one way. A node whose older program lacks one of
the measures sets the whole version aside for the one before, as with any policy.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from sqlalchemy.ext.asyncio import AsyncSession

from shared.capability import PolicyKind
from shared.kernel.clock import business_day
from shared.kernel.language import Text
from shared.policy.declaration import PolicyDocument, RuleBroken
from shared.policy.service import in_force
from shared.statistics.aggregation import Aggregation, Difference, Ratio
from shared.statistics.catalogue import (
    COLUMNS_OF_ROWS,
    Catalogue,
    Earlier,
    Growth,
    Indicator,
    MovingSum,
    Rank,
    Share,
)
from shared.statistics.indicators import CATALOGUE
from shared.statistics.vocabulary import Unit

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
Words = Annotated[str, Field(min_length=1, max_length=100)]
Kind = Literal["ratio", "difference", "share", "growth", "rank", "moving_sum"]

_NEEDS: Mapping[str, frozenset[str]] = {
    "ratio": frozenset({"by", "unit"}),
    "difference": frozenset({"by"}),
    "share": frozenset(),
    "growth": frozenset({"over"}),
    "rank": frozenset(),
    "moving_sum": frozenset({"periods"}),
}
_UNKNOWN = Text("{code} is no indicator that ships with the program", "{code} 不是系统自带的指标")
_TAKEN = Text("the code {code} is taken", "代码 {code} 已被使用")
_RESERVED = Text(
    "answers have another column {code}, or may have one: choose a code without two underscores in a row",
    "查询结果另有或可能另有名为 {code} 的列：请改用其他代码，且不得含连续两个下划线",
)
_NEEDED = Text("a {kind} needs {field}", "{kind} 须填写 {field}")
_NOT_NEEDED = Text("a {kind} has no {field}", "{kind} 不应填写 {field}")
_NO_SUM = Text(
    "{code} does not add up: averages are never averaged, and extremes are not added",
    "{code} 不可累加：平均值不再平均，极值不相加",
)
_NOT_OVER_TIME = Text(
    "{code} is a state at the period's end and does not add up over time",
    "{code} 为期末状态，不可按时间累加",
)
_OTHER_DATASET = Text(
    "{code} is of the dataset {dataset}, not of {expected}: perhaps of other cities",
    "{code} 属于数据集 {dataset}，而非 {expected}，所含地市可能不同",
)
_OTHER_TIME = Text(
    "{code} adds up over time in another way than {other}", "{code} 与 {other} 的时间汇总方式不同"
)
_SAME = Text("{code} is on both sides", "两侧均为 {code}")
_OTHER_UNIT = Text("{code} has another unit than {other}", "{code} 与 {other} 的单位不同")
_GROWTH = {
    Earlier.PERIOD: Text("Growth of `{}` over the period before", "`{}` 环比增长"),
    Earlier.YEAR: Text("Growth of `{}` over the year", "`{}` 同比增长"),
}
_BACKWARDS = Text("must be after valid_from", "必须晚于 valid_from")


class Definition(PolicyDocument):
    """One derived indicator."""

    code: Code = Field(description="By which it is asked for.")
    name_zh: Words = Field(description="What it is called in Chinese.")
    name_en: Words = Field(description="What it is called in English.")
    kind: Kind = Field(description="How it is derived.")
    of: Code = Field(
        description="What it is derived from: the numerator of a ratio, what a difference subtracts from."
    )
    by: Code | None = Field(
        default=None, description="The denominator of a ratio; what a difference subtracts."
    )
    scale: int = Field(
        default=1, ge=1, le=1_000_000, description="By what a ratio is multiplied: 100 for percent."
    )
    unit: Literal[tuple(unit.value for unit in Unit)] | None = Field(  # type: ignore[valid-type]
        default=None, description="Of a ratio; every other kind has the unit that follows."
    )
    over: Literal["period", "year"] | None = Field(
        default=None, description="Growth over the period before, or over the same a year before."
    )
    periods: int | None = Field(
        default=None, ge=2, le=36, description="Over how many periods a moving sum goes."
    )
    valid_from: date | None = Field(default=None, description="First day that it speaks of.")
    valid_until: date | None = Field(
        default=None, description="First day that it speaks of no longer."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        self._require_fields()
        if self.valid_from and self.valid_until and self.valid_from >= self.valid_until:
            raise RuleBroken(_BACKWARDS, "valid_until")
        if self.code in CATALOGUE.indicators:
            raise RuleBroken(_TAKEN, "code", code=self.code)
        if "__" in self.code or self.code in COLUMNS_OF_ROWS | CATALOGUE.dimensions.keys():
            raise RuleBroken(_RESERVED, "code", code=self.code)
        base = _shipped(self.of, "of")
        if self.kind == "ratio":
            _require_sides(base, "of")
        if self.kind in {"difference", "share", "moving_sum"}:
            _require_sum(base, "of")
        if self.kind == "moving_sum" and base.aggregation is not Aggregation.SUM:
            raise RuleBroken(_NOT_OVER_TIME, "of", code=base.code)
        if self.by is not None:
            self._require_alike(base, _shipped(self.by, "by"))
        return self

    def _require_fields(self) -> None:
        for field in ("by", "unit", "over", "periods"):
            is_given = getattr(self, field) is not None
            if is_given != (field in _NEEDS[self.kind]):
                sentence = _NOT_NEEDED if is_given else _NEEDED
                raise RuleBroken(sentence, field, kind=self.kind, field=field)
        if self.scale != 1 and self.kind != "ratio":
            raise RuleBroken(_NOT_NEEDED, "scale", kind=self.kind, field="scale")

    def _require_alike(self, base: Indicator, other: Indicator) -> None:
        (_require_sides if self.kind == "ratio" else _require_sum)(other, "by")
        names = {"code": other.code, "other": base.code}
        if other is base:
            raise RuleBroken(_SAME, "by", **names)
        if other.dataset != base.dataset:
            raise RuleBroken(
                _OTHER_DATASET, "by", code=other.code, dataset=other.dataset, expected=base.dataset
            )
        if other.aggregation is not base.aggregation:
            raise RuleBroken(_OTHER_TIME, "by", **names)
        if self.kind == "difference" and other.unit is not base.unit:
            raise RuleBroken(_OTHER_UNIT, "by", **names)

    def indicator(self, defined_by: str) -> Indicator:
        """Return the indicator that it defines."""
        base = CATALOGUE.indicators[self.of]
        how, unit, formula = self._derived(base)
        return Indicator(
            self.code,
            Text(self.name_en, self.name_zh),
            unit,
            base.family,
            base.dataset,
            how,
            formula,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            defined_by=defined_by,
        )

    def _derived(
        self, base: Indicator
    ) -> tuple[Ratio | Difference | Share | Growth | Rank | MovingSum, Unit, Text]:
        of, by = self.of, self.by or ""
        how: Ratio | Difference | Share | Growth | Rank | MovingSum
        match self.kind:
            case "ratio":
                times = f" × {self.scale}" if self.scale != 1 else ""
                how, unit = Ratio(of, by, self.scale), Unit(str(self.unit))
                words = Text(f"`{of}` / `{by}`{times}", f"`{of}` ÷ `{by}`{times}")
            case "difference":
                how, unit = Difference(of, by), base.unit
                words = Text(f"`{of}` − `{by}`", f"`{of}` − `{by}`")
            case "share":
                how, unit = Share(base), Unit.PERCENT
                words = Text(f"Share of the total of `{of}`", f"`{of}` 占合计的比重")
            case "growth":
                how, unit = Growth(base, Earlier(str(self.over))), Unit.PERCENT
                words = _GROWTH[how.over]
            case "rank":
                how, unit = Rank(base), Unit.PLACE
                words = Text(f"Place by `{of}`, the greatest first", f"按 `{of}` 从大到小的名次")
            case "moving_sum":
                count = self.periods or 0
                how, unit = MovingSum(base, count), base.unit
                words = Text(f"Sum of `{of}` over {count} periods", f"`{of}` 近 {count} 期累计")
        return how, unit, Text(words.en.format(of), words.zh.format(of))


def _shipped(code: str, field: str) -> Indicator:
    found = CATALOGUE.indicators.get(code)
    if found is None:
        raise RuleBroken(_UNKNOWN, field, code=code)
    return found


def _require_sum(indicator: Indicator, field: str) -> None:
    how = indicator.aggregation
    if not isinstance(how, Aggregation) or not how.adds_up:
        raise RuleBroken(_NO_SUM, field, code=indicator.code)


def _require_sides(indicator: Indicator, field: str) -> None:
    how = indicator.aggregation
    if not isinstance(how, Aggregation) or not how.divides:
        raise RuleBroken(_NO_SUM, field, code=indicator.code)


class IndicatorPolicy(PolicyDocument):
    """Every indicator that HQ defines beside those that ship with the program."""

    indicators: Annotated[tuple[Definition, ...], Field(max_length=500)] = Field(
        description="The definitions."
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for at, code in _repeated(self.indicators):
            raise RuleBroken(_TAKEN, "indicators", at, "code", code=code)
        return self


def _repeated(definitions: tuple[Definition, ...]) -> Iterator[tuple[int, str]]:
    seen = set()
    for at, each in enumerate(definitions):
        if each.code in seen:
            yield at, each.code
        seen.add(each.code)


INDICATOR: PolicyKind[IndicatorPolicy] = PolicyKind(
    name="indicator",
    title=Text("Derived indicators", "派生指标"),
    document=IndicatorPolicy,
    default=IndicatorPolicy(indicators=()),
)


async def catalogue_in_force(session: AsyncSession, node: str, now: datetime) -> Catalogue:
    """Return what can be asked for at a node today: what ships, and what HQ has defined."""
    found = await in_force(session, INDICATOR, on=business_day(now), node=node)
    return extended(found.document, found.reference)


@lru_cache(maxsize=16)
def extended(document: IndicatorPolicy, reference: str) -> Catalogue:
    """Return the catalogue that ships with what a version defines."""
    defined = tuple(each.indicator(reference) for each in document.indicators)
    return replace(CATALOGUE, indicator_list=(*CATALOGUE.indicator_list, *defined))
