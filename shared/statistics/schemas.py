"""What goes over the wire: questions' answers, the catalogue, and the slice message."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from shared.statistics import sketches
from shared.statistics.cost import Estimate, Limits
from shared.statistics.period import Period
from shared.statistics.question import MOST_COLUMNS, MOST_INDICATORS, MOST_ROWS
from shared.statistics.slices import GREATEST_VALUE, LEAST_VALUE, Content, Slice, SliceInvalid

SLICE = "guanxi.statistics.slice.v1"
"""Type of the message by which a city tells its province and HQ a slice."""

_Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")]


def _without_nul(key: list[str]) -> list[str]:
    if "\0" in "".join(key):
        raise ValueError("a value of a dimension holds the character U+0000, which is not stored")
    return key


# Not by a pattern: for each of a night's cells that takes eight times as long as all else.
_Key = Annotated[list[Annotated[str, Field(max_length=100)]], AfterValidator(_without_nul)]
_Number = Annotated[int, Field(strict=True, ge=LEAST_VALUE, le=GREATEST_VALUE)]
_Sketch = Annotated[bytes, BeforeValidator(sketches.read)]
_Value = Annotated[_Number | _Sketch, Field(union_mode="left_to_right")] | None


class SliceMessage(BaseModel):
    """Payload of :data:`SLICE`: one revision, whole."""

    model_config = ConfigDict(extra="ignore")

    dataset: _Code
    node: Annotated[str, Field(pattern=r"^\d{6}$")]
    period: str
    revision: Annotated[int, Field(strict=True, ge=1)]
    reason: Annotated[str, Field(max_length=500)] | None
    computed_at: AwareDatetime
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    row_count: int
    control_totals: dict[str, Annotated[int, Field(strict=True)]]
    dimensions: list[_Code]
    measures: list[_Code]
    cells: list[tuple[_Key, list[_Value]]]

    @classmethod
    def of(cls, slice_: Slice) -> dict[str, Any]:
        """Write a slice as the payload of a message."""
        content = slice_.content
        return {
            "dataset": content.dataset,
            "node": content.node,
            "period": str(content.period),
            "revision": slice_.revision,
            "reason": slice_.reason,
            "computed_at": slice_.computed_at.isoformat(),
            "hash": content.hash,
            "row_count": content.row_count,
            "control_totals": dict(content.control_totals),
            "dimensions": list(content.dimensions),
            "measures": list(content.measures),
            "cells": content.rows(),
        }

    def verified(self) -> Slice:
        """Read the slice, and check that it is what it says.

        Raises:
            SliceInvalid: if cells, row count, control totals or hash do not agree.
            PeriodInvalid: if the period is none.
        """
        content = Content.of(
            self.dataset,
            self.node,
            Period.parse(self.period),
            dimensions=self.dimensions,
            measures=self.measures,
            cells=self.cells,
        )
        slice_ = Slice(content, self.revision, self.reason, self.computed_at)
        for what, said, found in (
            ("row count", self.row_count, content.row_count),
            ("control totals", self.control_totals, dict(content.control_totals)),
            ("hash", self.hash, content.hash),
        ):
            if said != found:
                raise SliceInvalid(
                    f"The slice {slice_.name} comes with the {what} {said}, but its cells give {found}."
                )
        return slice_

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        """Read a payload.

        Raises:
            pydantic.ValidationError: if it has another form.
        """
        return cls.model_validate(data)


class Named(BaseModel):
    """A name in both languages."""

    en: str
    zh: str


class DimensionValue(BaseModel):
    """One value of a dimension."""

    code: str
    name: Named
    parts: list[str] = Field(description="Values of the finer dimension that it puts together.")


class DimensionOut(BaseModel):
    """A dimension of the catalogue."""

    code: str
    name: Named
    version: str = Field(description="Edition of its values.", examples=["GB/T 4754-2017"])
    of: str | None = Field(description="The finer dimension whose values it puts together.")
    open: bool = Field(description="Whether the cities say what it distinguishes.")
    values: list[DimensionValue]


class DimensionsOut(BaseModel):
    """Every dimension."""

    items: list[DimensionOut]


HowAggregated = Literal[
    "sum",
    "snapshot",
    "max",
    "min",
    "ratio",
    "difference",
    "distinct",
    "distribution",
    "distribution_at_end",
    "quantile",
    "share",
    "change",
    "growth",
    "rank",
    "moving_sum",
]


class RatioOut(BaseModel):
    """What a ratio divides."""

    numerator: str
    denominator: str
    scale: int


class IndicatorOut(BaseModel):
    """An indicator of the catalogue."""

    code: str
    name: Named
    unit: Named
    family: str
    dataset: str
    aggregation: HowAggregated
    ratio: RatioOut | None
    formula: Named
    measures: list[str] = Field(description="What cities count for it.")
    sql: str | None = Field(
        description="Of a measure: the aggregate over its dataset's rows, or what a sketch estimates."
    )
    dimensions: list[str]
    periods: list[str]
    owner: Named = Field(description="Which department of HQ answers for its meaning.")
    valid_from: date | None = Field(description="First day that it speaks of.")
    valid_until: date | None = Field(description="First day that it speaks of no longer.")
    defined_by: str | None = Field(
        description="The version of HQ's definitions; nothing if it ships with the program.",
        examples=["indicator 3"],
    )


class IndicatorsOut(BaseModel):
    """Every indicator."""

    items: list[IndicatorOut]


class Heading(BaseModel):
    """An indicator as it heads an answer's column."""

    code: str = Field(examples=["customers"])
    name: str = Field(examples=["Customers in the network"])
    unit: str = Field(examples=["customers"])
    aggregation: str = Field(examples=["snapshot"])
    snapshot_period: str | None = Field(
        description="Where several periods are aggregated: the one whose snapshot stands for them.",
        examples=[None],
    )


class Region(BaseModel):
    """A division."""

    code: str | None = Field(
        description="`null` for others that are put together.", examples=["440000"]
    )
    name: str = Field(examples=["Guangdong"])


class Row(BaseModel):
    """Figures of one period, region and combination of the dimensions that were asked for, which are fields too."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "period": "2026-11",
                    "region": {"code": "440000", "name": "Guangdong"},
                    "level": "gold",
                    "values": {"customers": 123, "arpu_fen": 6476.17},
                }
            ]
        },
    )

    period: str = Field(description="The period, or the whole range as first/last.")
    region: Region
    others: int | None = Field(
        default=None, description="Of a row that puts others together with `top`: how many."
    )
    withheld: list[str] | dict[str, list[str]] | None = Field(
        default=None,
        description="The indicators that are withheld in the row, with `pivot` each with the columns in which it is; "
        "left out where HQ's policy `disclosure` withholds nothing.",
    )
    values: dict[str, float | dict[str, float | None] | None] = Field(
        description="By indicator, and with `pivot` by column; `null` where nothing is known, nothing divides, or it is withheld."
    )


class CityRevision(BaseModel):
    """A slice that an answer is made of."""

    node: str = Field(examples=["440300"])
    revision: int = Field(examples=[1])
    hash: str
    computed_at: datetime
    received_at: datetime


class ErrorOut(BaseModel):
    """How far an estimate may be off."""

    relative: float | None = Field(
        default=None, description="Of a distinct count: as a part of it.", examples=[0.0163]
    )
    rank: float | None = Field(
        default=None, description="Of a quantile: the part of all values that it may be off by."
    )
    confidence: float = Field(description="In what part of all cases it is no farther off.")


class WithheldOut(BaseModel):
    """What is withheld of the figures of one dataset and period, and by which rule."""

    cells: int = Field(
        description="Rows of the figures that tell of too few people, or would give such rows away.",
        examples=[2],
    )
    least_people: int = Field(description="The threshold that HQ has set.", examples=[5])
    policy: str = Field(description="The version of HQ's policy.", examples=["disclosure 1"])
    always: list[str] = Field(
        description="Those of the indicators that are withheld in every row, however many people it is about."
    )


class Provenance(BaseModel):
    """What the figures of one dataset and period are made of."""

    dataset: str = Field(examples=["customer"])
    period: str = Field(examples=["2026-11"])
    expected: int = Field(description="Cities that the registry knows in the region.", examples=[4])
    included: int = Field(description="Cities whose slice is part of the figures.", examples=[3])
    as_of: datetime | None = Field(description="When the oldest of these slices was computed.")
    missing: list[str] = Field(
        description="Codes of the cities that are not part of the figures.", examples=[["110100"]]
    )
    errors: dict[str, ErrorOut] | None = Field(
        default=None, description="By indicator, of those that are estimated from sketches."
    )
    cities: list[CityRevision] | None = Field(
        default=None, description="The slices, unless only a summary was asked for."
    )
    withheld: WithheldOut | None = Field(
        default=None, description="Left out where HQ's policy `disclosure` withholds nothing."
    )


class Column(BaseModel):
    """What goes across, where something does."""

    code: str = Field(examples=["gold"])
    name: str = Field(examples=["Gold"])


class Drill(BaseModel):
    """Queries of the finer and coarser questions, by what they are finer or coarser in (RFC 6570, level 1)."""

    down: dict[str, str] = Field(
        description="With the row's own `{region}` or value of a dimension to be filled in.",
        examples=[{"region": "indicator=customers&period=2026-11&by=region&region={region}"}],
    )
    up: dict[str, str]


class ValuesOut(BaseModel):
    """The answer to a question, with what it is made of."""

    indicators: list[Heading]
    columns: list[Column] | None = Field(default=None, description="With `pivot` alone.")
    rows: list[Row]
    drill: Drill
    provenance: list[Provenance]


class LimitsOut(BaseModel):
    """What is answered at most."""

    rows: int
    columns: int
    indicators: int
    values: int
    seconds: int


class EstimateOut(BaseModel):
    """What a question would cost, and whether it would be answered. All numbers are upper bounds."""

    rows: int = Field(description="Of the figures, before any are put together.")
    columns: int = Field(description="Of figures.")
    indicators: int = Field(description="That are computed.")
    slices: int = Field(description="That are read.")
    values: int = Field(description="Stored values that are read of them.")
    answered: bool
    reduce: list[str] = Field(description="What is too much of these.", examples=[["rows"]])
    limits: LimitsOut

    @classmethod
    def of(cls, estimate: Estimate, limits: Limits) -> Self:
        """Show an estimate beside the limits of the node."""
        excess = estimate.excess(limits)
        most = LimitsOut(
            rows=MOST_ROWS,
            columns=MOST_COLUMNS,
            indicators=MOST_INDICATORS,
            values=limits.values,
            seconds=limits.seconds,
        )
        return cls(**asdict(estimate), answered=not excess, reduce=excess, limits=most)


class SliceOut(BaseModel):
    """A revision of a slice in the register."""

    node: str = Field(examples=["440300"])
    dataset: str = Field(examples=["customer"])
    period: str = Field(examples=["2026-11"])
    revision: int = Field(examples=[1])
    hash: str
    row_count: int
    control_totals: dict[str, int] | None = Field(
        description="`null` where HQ's policy `disclosure` withholds small cells."
    )
    reason: str | None
    computed_at: datetime
    received_at: datetime
    superseded_at: datetime | None = Field(description="Empty for the current revision.")
    in_force_at: datetime | None = Field(
        description="When it came into force here, for the last time; empty if it never has."
    )


class SlicePage(BaseModel):
    """A page of the register."""

    items: list[SliceOut]
    next: str | None
    count: int | None = None
