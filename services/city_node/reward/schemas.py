"""Rewards as they are taken and answered."""

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.city_node.customer.models import Level
from services.city_node.customer.schemas import Body, Day, Line
from shared.kernel.language import Text
from shared.kernel.wording import Unfit

RewardCode = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$"), Field(examples=["umbrella"])
]
Price = Annotated[int, Field(ge=1, le=2**53, description="Points for one.")]


def _levels_once(levels: list[Level] | None) -> None:
    if levels and len(set(levels)) < len(levels):
        raise Unfit(Text("a level is named twice", "等级重复"))


class RewardCreate(Body):
    """A new reward."""

    code: RewardCode
    name_zh: Line = Field(examples=["晴雨伞"])
    name_en: Line = Field(examples=["Umbrella"])
    points: Price
    stock: int | None = Field(
        default=None, ge=0, le=2**53, description="How many there are; not counted without it."
    )
    valid_from: Day
    valid_until: Day | None = Field(
        default=None, description="The first day on which it cannot be had any more."
    )
    levels: list[Level] = Field(
        default=[], max_length=4, description="For customers of these levels; of any without."
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        _levels_once(self.levels)
        if self.valid_until is not None and self.valid_until <= self.valid_from:
            raise Unfit(
                Text("valid_until must be after valid_from", "valid_until 必须晚于 valid_from")
            )
        return self


class RewardPatch(Body):
    """What of a reward is changed (RFC 7396); its stock is changed by what comes and goes."""

    name_zh: Line = Field(default="", examples=["晴雨伞"])
    name_en: Line = ""
    points: Price = 1
    valid_from: Day = date.min
    valid_until: Day | None = None
    levels: list[Level] = Field(default=[], max_length=4)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        _levels_once(self.levels)
        return self


class StockChange(Body):
    """What came into stock, or went otherwise than to customers."""

    change: int = Field(ge=-(2**31), le=2**31, description="Less than nothing went.")


class RewardOut(BaseModel):
    """A reward."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    name_zh: str
    name_en: str
    points: int
    stock: int | None
    valid_from: date
    valid_until: date | None
    levels: list[Level]
    version: int
    updated_at: datetime
    updated_by: str


class RewardPage(BaseModel):
    """A page of rewards, the cheapest first."""

    items: list[RewardOut]
    next: str | None
    count: int | None = None
