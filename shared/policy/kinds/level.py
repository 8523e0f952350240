"""The policy of levels: who is a diamond, gold or silver customer, and for how long."""

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.capability import Bound, PolicyKind
from shared.kernel.language import Text
from shared.policy.declaration import PolicyDocument, RuleBroken

KeyLevel = Literal["diamond", "gold", "silver"]
_RISING = Text(
    "a higher level needs a higher threshold: diamond, gold, silver",
    "级别越高门槛须越高：钻石卡、金卡、银卡",
)
_ATTAINABLE = Text(
    "cannot be more than the {window} months of the window", "不得超过统计期的 {window} 个月"
)


class Thresholds(PolicyDocument):
    """What a customer spends a month on average, at least, for a level."""

    diamond_fen: int = Field(gt=0, description="Mean monthly spend for diamond, in fen.")
    gold_fen: int = Field(gt=0, description="Mean monthly spend for gold, in fen.")
    silver_fen: int = Field(gt=0, description="Mean monthly spend for silver, in fen.")

    @model_validator(mode="after")
    def _descending(self) -> Self:
        if self.diamond_fen <= self.gold_fen:
            raise RuleBroken(_RISING, "diamond_fen")
        if self.gold_fen <= self.silver_fen:
            raise RuleBroken(_RISING, "gold_fen")
        return self


class YearlyCost(PolicyDocument):
    """What a year of service costs the operator for one customer of a level."""

    diamond_fen: int = Field(ge=0, description="For a diamond customer, in fen.")
    gold_fen: int = Field(ge=0, description="For a gold customer, in fen.")
    silver_fen: int = Field(ge=0, description="For a silver customer, in fen.")
    standard_fen: int = Field(ge=0, description="For any other customer, in fen.")


class LevelPolicy(PolicyDocument):
    """How levels are given and taken."""

    window_months: int = Field(
        ge=1,
        le=36,
        description="Over how many whole months before the evaluation spend is averaged.",
    )
    empty_months: Literal["zero", "skip"] = Field(
        description="Months since entry without a bill: `zero` counts them as spend of nothing, `skip` leaves them out."
    )
    minimum_months: int = Field(
        ge=1, le=36, description="How many months must count before spend gives a level."
    )
    thresholds: Thresholds = Field(description="Mean monthly spend for each level.")
    grace_months: int = Field(
        ge=0,
        le=24,
        description="How many months a level is kept after its conditions ceased to hold.",
    )
    member_levels: dict[KeyLevel, KeyLevel] = Field(
        description="The least level of a member of a group that holds the level named first."
    )
    yearly_cost_fen: YearlyCost = Field(description="What levels cost, for dry runs.")

    @model_validator(mode="after")
    def _attainable(self) -> Self:
        if self.minimum_months > self.window_months:
            raise RuleBroken(_ATTAINABLE, "minimum_months", window=self.window_months)
        return self


LEVEL: PolicyKind[LevelPolicy] = PolicyKind(
    name="level",
    title=Text("Levels of customers", "客户级别划分"),
    document=LevelPolicy,
    default=LevelPolicy(
        window_months=6,
        empty_months="zero",
        minimum_months=3,
        thresholds=Thresholds(diamond_fen=170_000, gold_fen=70_000, silver_fen=30_000),
        grace_months=3,
        member_levels={"diamond": "gold", "gold": "silver"},
        yearly_cost_fen=YearlyCost(
            diamond_fen=120_000, gold_fen=48_000, silver_fen=18_000, standard_fen=2_000
        ),
    ),
    bounds=(
        Bound("/window_months", minimum=3, maximum=12),
        Bound("/minimum_months", minimum=1, maximum=6),
        Bound("/grace_months", minimum=1, maximum=12),
        Bound("/thresholds/diamond_fen", minimum=100_000, maximum=300_000),
        Bound("/thresholds/gold_fen", minimum=40_000, maximum=150_000),
        Bound("/thresholds/silver_fen", minimum=15_000, maximum=70_000),
        Bound("/yearly_cost_fen/*", minimum=0),
    ),
)
