"""The policy of prospects: who may become a key customer or a better one, how they are ranked, and how they are won."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.capability import Bound, PolicyKind
from shared.kernel.language import Text
from shared.policy.declaration import PolicyDocument, RuleBroken

_ONCE = Text("each code may stand once", "步骤代码不得重复")
Points = Annotated[int, Field(ge=0, le=1000)]
Signal = Literal["near", "growing", "competitor"]


class Near(PolicyDocument):
    """Near the threshold of the next level."""

    within_permille: int = Field(
        ge=0,
        le=1000,
        description="How far mean monthly spend may be below the threshold, in thousandths of it.",
    )
    points: Points = Field(description="Points at the threshold; further below it in proportion.")


class Growing(PolicyDocument):
    """Growing towards the threshold: the straight line through the bills of the last months reaches it."""

    trend_months: int = Field(
        ge=3, le=24, description="Over how many whole months before the day the line is drawn."
    )
    within_months: int = Field(
        ge=0,
        le=24,
        description="In how many months after the last one it must reach the threshold.",
    )
    minimum_growth_permille: int = Field(
        ge=0,
        le=1000,
        description="Growth a month at least, in thousandths of the mean of these months.",
    )
    points: Points = Field(description="Points if it is there already; later in proportion.")


class Competitor(PolicyDocument):
    """A competitor's: with what goes there, the customer would reach the threshold."""

    minimum_fen: int = Field(
        ge=0, description="What goes to competitors a month, at least, in fen."
    )
    share_weight_permille: int = Field(
        ge=0,
        le=1000,
        description="Where only a share is known, not a fee: which part of the spend here the share is taken to be of, "
        "in thousandths.",
    )
    points: Points = Field(
        description="Points if what goes there is the whole threshold; less in proportion."
    )


class TargetPoints(PolicyDocument):
    """What a prospect for a level is worth more, whatever the reason."""

    diamond: Points = Field(description="Points of a prospect for diamond.")
    gold: Points = Field(description="Points of a prospect for gold.")
    silver: Points = Field(description="Points of a prospect for silver.")


class PlanStep(PolicyDocument):
    """A step by which a qualified prospect is nurtured."""

    code: str = Field(pattern="^[a-z][a-z0-9-]{0,39}$", description="Name of the step.")
    title_zh: str = Field(min_length=1, max_length=100, description="What is to be done.")
    title_en: str = Field(min_length=1, max_length=200, description="The same in English.")
    responsible: Literal["manager", "supervisor"] = Field(
        description="Who does it: the prospect's account manager, or the supervisor of the unit."
    )
    days: int = Field(ge=0, le=730, description="Due so many days after the plan begins.")
    only_for: tuple[Signal, ...] = Field(
        description="Only where the prospect has one of these reasons; for all if empty."
    )


class ProspectPolicy(PolicyDocument):
    """How prospects are found, ranked and nurtured. Thresholds are those of the policy of levels in force."""

    minimum_months: int = Field(
        ge=1, le=36, description="How many months must count before spend here makes a prospect."
    )
    near: Near = Field(description="Who is near a threshold.")
    growing: Growing = Field(description="Who grows towards it.")
    competitor: Competitor = Field(description="Who spends at competitors what would reach it.")
    target_points: TargetPoints = Field(description="Points for the level to be reached.")
    minimum_score: int = Field(ge=0, le=4000, description="Who has fewer points is not found.")
    rest_months: int = Field(
        ge=0,
        le=36,
        description="For how many months who was disqualified or dropped is not found again.",
    )
    plan: Annotated[tuple[PlanStep, ...], Field(min_length=1, max_length=20)] = Field(
        description="The steps by which prospects are nurtured."
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        codes = [step.code for step in self.plan]
        for place, code in enumerate(codes):
            if code in codes[:place]:
                raise RuleBroken(_ONCE, "plan", place, "code")
        return self


def _step(
    code: str, days: int, zh: str, en: str, *only_for: Signal, responsible: str = "manager"
) -> PlanStep:
    return PlanStep.model_validate({
        "code": code, "title_zh": zh, "title_en": en, "responsible": responsible, "days": days, "only_for": only_for,
    })  # fmt: skip


PROSPECT: PolicyKind[ProspectPolicy] = PolicyKind(
    name="prospect",
    title=Text("Prospects: customers who may reach a level", "潜在大客户"),
    document=ProspectPolicy,
    default=ProspectPolicy(
        minimum_months=2,
        near=Near(within_permille=200, points=400),
        growing=Growing(trend_months=6, within_months=6, minimum_growth_permille=30, points=300),
        competitor=Competitor(minimum_fen=5_000, share_weight_permille=500, points=300),
        target_points=TargetPoints(diamond=200, gold=100, silver=0),
        minimum_score=40,
        rest_months=6,
        plan=(
            _step("contact", 7, "联系客户，了解需求", "Contact the customer and learn what is needed"),
            _step("propose", 21, "按实际使用提出方案", "Propose what fits the customer's real usage"),
            _step(
                "counter-offer", 30, "针对竞争对手产品提出替代方案",
                "Make an offer in the place of the competitor's product", "competitor",
            ),
            _step("follow-up", 60, "回访并确认结果", "Follow up, and note what came of it"),
            _step(
                "review", 90, "评估是否继续培育", "Decide whether to go on", responsible="supervisor"
            ),
        ),
    ),
    bounds=(
        Bound("/minimum_months", minimum=1, maximum=6),
        Bound("/near/within_permille", minimum=50, maximum=400),
        Bound("/near/points"),
        Bound("/growing/trend_months", minimum=3, maximum=12),
        Bound("/growing/within_months", minimum=1, maximum=12),
        Bound("/growing/minimum_growth_permille", minimum=10, maximum=200),
        Bound("/growing/points"),
        Bound("/competitor"),
        Bound("/target_points"),
        Bound("/minimum_score"),
        Bound("/rest_months", minimum=1, maximum=24),
        Bound("/plan"),
    ),
)  # fmt: skip
