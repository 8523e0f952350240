"""The policy of points: what a bill is worth, how long points live, and what takes a second person."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.capability import Bound, PolicyKind
from shared.kernel.language import Text
from shared.policy.declaration import PolicyDocument, RuleBroken

LevelName = Literal["diamond", "gold", "silver", "standard"]
Permille = Annotated[int, Field(ge=0, le=10_000)]
CampaignCode = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Brand = Annotated[str, StringConstraints(min_length=1, max_length=60)]


class LevelRates(PolicyDocument):
    """What customers of each level get of a point, in thousandths."""

    diamond: Permille = Field(description="For a diamond customer.")
    gold: Permille = Field(description="For a gold customer.")
    silver: Permille = Field(description="For a silver customer.")
    standard: Permille = Field(description="For any other customer.")


class TenureBonus(PolicyDocument):
    """What a customer gets besides who has been in the network for long."""

    years: int = Field(ge=1, le=80, description="For so many whole years or more.")
    permille: Permille = Field(description="What is added to the rate of the level.")


class Campaign(PolicyDocument):
    """More points for some bills. Every condition that is stated must hold; of several campaigns the best counts."""

    name_zh: str = Field(min_length=1, max_length=60, description="What it is called, in Chinese.")
    name_en: str = Field(min_length=1, max_length=60, description="What it is called, in English.")
    first_period: date = Field(description="First day of the first month whose bills count.")
    last_period: date = Field(description="First day of the last month whose bills count.")
    permille: Annotated[int, Field(ge=1000, le=10_000)] = Field(
        description="By what points are multiplied, in thousandths."
    )
    levels: tuple[LevelName, ...] = Field(
        default=(), max_length=4, description="For customers of these levels; of any without."
    )
    kind: Literal["individual", "group"] | None = Field(
        default=None, description="For persons or groups alone."
    )
    brands: tuple[Brand, ...] = Field(
        default=(), max_length=20, description="For lines of these brands; of any without."
    )
    minimum_fen: int = Field(
        default=0, ge=0, le=2**53, description="For bills of so much or more, in fen."
    )
    birthday_month: bool = Field(
        default=False, description="For the bill of the month in which the customer was born."
    )

    @model_validator(mode="after")
    def _months(self) -> Self:
        if self.first_period.day != 1 or self.last_period.day != 1:
            raise RuleBroken(
                Text(
                    "first_period and last_period are the first days of months",
                    "first_period 与 last_period 须为月份第一天",
                )
            )
        if self.last_period < self.first_period:
            raise RuleBroken(Text("lies before first_period", "早于 first_period"), "last_period")
        return self


class Transfers(PolicyDocument):
    """Whether customers may give points to one another."""

    allowed: bool = Field(description="Whether they may.")
    minimum: int = Field(ge=1, le=2**53, description="The fewest points of one transfer.")


class PointsPolicy(PolicyDocument):
    """How points are earned, kept and used."""

    fen_per_point: int = Field(ge=1, le=1_000_000, description="Fen of a bill for one point.")
    first_period: date | None = Field(
        default=None, description="Bills of earlier months earn nothing; all count without it."
    )
    only_when_paid: bool = Field(
        description="Whether a bill earns its points only once it is paid."
    )
    level_permille: LevelRates = Field(description="The rate of each level: 1000 is one point.")
    tenure: tuple[TenureBonus, ...] = Field(
        max_length=10,
        description="Bonuses for tenure, the longest first; the first that holds counts.",
    )
    credit_permille: dict[Annotated[str, StringConstraints(pattern="^[A-Z]{1,3}$")], Permille] = (
        Field(description="What is added to the rate of the level, by credit rating.")
    )
    campaigns: dict[CampaignCode, Campaign] = Field(description="Campaigns by code.")
    expiry_months: int = Field(
        ge=1, le=60, description="How many months points can be used, counted from their issue."
    )
    expiry_end: Literal["month", "year"] = Field(
        description="Points expire at the end of the month, or of the year, in which those months end."
    )
    reversal_grace_days: int = Field(
        ge=0,
        le=366,
        description="Points that come back after they would have expired can be used for so many days.",
    )
    redemption_minimum: int = Field(
        ge=1, le=2**53, description="The fewest points of one redemption."
    )
    adjustment_limit: int = Field(
        ge=0, le=2**53, description="An adjustment of more points takes a second person."
    )
    transfers: Transfers = Field(description="Points that customers give to one another.")

    @model_validator(mode="after")
    def _descending(self) -> Self:
        years = [bonus.years for bonus in self.tenure]
        if years != sorted(set(years), reverse=True):
            raise RuleBroken(
                Text(
                    "is listed from the longest down, each length once", "须由长到短列出，且不重复"
                ),
                "tenure",
            )
        return self

    def expires_on(self, issued: date) -> date:
        """Return the first day on which points that are issued on a day cannot be used any more."""
        last = _months_after(issued, self.expiry_months) - 1
        if self.expiry_end == "year":
            return date(_year_month(last)[0] + 1, 1, 1)
        year, month = _year_month(last + 1)
        return date(year, month, 1)


def issue_day(period: date) -> date:
    """Return the day on which the points of a month's bills are issued: the first of the month after."""
    year, month = _year_month(_ordinal(period) + 1)
    return date(year, month, 1)


def _ordinal(day: date) -> int:
    return day.year * 12 + day.month - 1


def _year_month(ordinal: int) -> tuple[int, int]:
    return ordinal // 12, ordinal % 12 + 1


def _months_after(day: date, months: int) -> int:
    """Return the month that begins when ``months`` from ``day`` on are over; a month that has begun counts whole."""
    return _ordinal(day) + months + (day.day > 1)


DEFAULT = PointsPolicy(
    fen_per_point=100,
    only_when_paid=False,
    level_permille=LevelRates(diamond=2000, gold=1500, silver=1200, standard=1000),
    tenure=(TenureBonus(years=10, permille=200), TenureBonus(years=5, permille=100)),
    credit_permille={"A": 100},
    campaigns={},
    expiry_months=24,
    expiry_end="year",
    reversal_grace_days=30,
    redemption_minimum=100,
    adjustment_limit=1000,
    transfers=Transfers(allowed=True, minimum=100),
)

POINTS = PolicyKind(
    name="points",
    title=Text("Points", "积分"),
    document=PointsPolicy,
    default=DEFAULT,
    bounds=(
        Bound("/campaigns"),
        Bound("/campaigns/*/permille", minimum=1000, maximum=3000),
        Bound("/only_when_paid"),
        Bound("/redemption_minimum", minimum=1, maximum=10_000),
        Bound("/adjustment_limit", minimum=0, maximum=10_000),
        Bound("/transfers/allowed"),
        Bound("/transfers/minimum", minimum=1, maximum=10_000),
    ),
)
"""Provinces and cities may run campaigns of their own, up to three times the points, and be stricter or milder about
what people do by hand; what a fen is worth and how long points live is HQ's."""
