"""A kind of policy for tests: with numbers, choices, a list and a rule between fields."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from shared import audit, organisation, policy, staff
from shared.capability import Capability
from shared.kernel.language import Text
from shared.policy.declaration import Bound, PolicyDocument, PolicyKind, RuleBroken


class Band(PolicyDocument):
    from_fen: int = Field(ge=0, description="From this spend on.")
    name: str = Field(max_length=20, description="What it is called.")


class Campaign(PolicyDocument):
    name: str = Field(description="What it is called.")
    permille: int = Field(ge=0, description="Of the usual.")


class Thresholds(PolicyDocument):
    gold: Band = Field(description="The upper one.")
    silver: Band = Field(description="The lower one.")
    window_months: int = Field(ge=1, le=24, description="How far back.")
    mode: Literal["mean", "median", "last"] = Field(description="How months are put together.")
    campaigns: tuple[Campaign, ...] = Field(default=(), description="For a time.")

    @model_validator(mode="after")
    def _descends(self) -> Self:
        if self.silver.from_fen >= self.gold.from_fen:
            raise RuleBroken(
                Text("must be below gold's {gold}", "必须低于金级的 {gold}"),
                "silver",
                "from_fen",
                gold=self.gold.from_fen,
            )
        return self


THRESHOLDS = PolicyKind(
    name="thresholds",
    title=Text("Thresholds", "门槛"),
    document=Thresholds,
    default=Thresholds(
        gold=Band(from_fen=70_000, name="gold"),
        silver=Band(from_fen=30_000, name="silver"),
        window_months=6,
        mode="mean",
    ),
    bounds=(
        Bound("/gold/from_fen", minimum=50_000, maximum=100_000),
        Bound("/silver/from_fen", minimum=20_000, maximum=60_000),
        Bound("/mode", one_of=("mean", "median")),
        Bound("/campaigns"),
        Bound("/campaigns/*/permille", maximum=3_000),
    ),
)
DEFAULT: dict[str, Any] = THRESHOLDS.default.model_dump(mode="json")

TRYING = Capability(
    name="trying", summary=Text("A policy to try", "试验政策"), policies=(THRESHOLDS,)
)
CAPABILITIES = (
    organisation.capability,
    staff.capability,
    audit.capability,
    policy.capability,
    TRYING,
)


def national(**changes: Any) -> dict[str, Any]:
    """Return a whole document that differs from the default."""
    return {**DEFAULT, **changes}


def gold(fen: int) -> dict[str, Any]:
    """Return an override of one threshold."""
    return {"gold": {"from_fen": fen}}
