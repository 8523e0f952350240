"""The policy of repairs: how long a handset is in warranty, what home bears, and on what terms a handset is lent."""

from typing import Annotated, Literal

from pydantic import Field

from shared.capability import Bound, PolicyKind
from shared.kernel.language import Text
from shared.policy.declaration import PolicyDocument

Share = Annotated[int, Field(ge=0, le=1000)]
Fen = Annotated[int, Field(ge=0, le=100_000_000)]
LevelName = Literal["diamond", "gold", "silver", "standard"]


class Bearing(PolicyDocument):
    """What part of the cost of a repair the home city bears."""

    share_permille: Share = Field(description="Its share of the cost, in thousandths.")
    cap_fen: Fen = Field(description="The most that it bears of one repair, in fen.")


class LevelTerms(Bearing):
    """What customers of a level get."""

    deposit_fen: Fen = Field(description="Deposit on a loan handset, in fen; 0 where it is waived.")
    loan_days: int = Field(
        ge=1, le=180, description="For how many days a handset is lent before it is asked back."
    )


class LevelsTerms(PolicyDocument):
    """What customers of each level get, out of warranty."""

    diamond: LevelTerms = Field(description="For a diamond customer.")
    gold: LevelTerms = Field(description="For a gold customer.")
    silver: LevelTerms = Field(description="For a silver customer.")
    standard: LevelTerms = Field(description="For any other customer.")


class RepairPolicy(PolicyDocument):
    """What a city promises for its customers' handsets that are repaired in other cities."""

    warranty_months: int = Field(
        ge=0, le=60, description="For how many months from the purchase a handset is in warranty."
    )
    warranty_needs_known_imei: bool = Field(
        description="Whether it is in warranty only if its IMEI is the one on the record of the line."
    )
    warranty: Bearing = Field(
        description="What the home city bears in warranty, whatever the level, unless the level gives more."
    )
    levels: LevelsTerms = Field(
        description="What it bears out of warranty, and the terms of a loan."
    )

    def of(self, level: str) -> LevelTerms:
        """Return what customers of that level get."""
        terms: LevelTerms = getattr(self.levels, level)
        return terms

    def bearing(self, level: str, *, in_warranty: bool) -> Bearing:
        """Return what the home city bears of a repair."""
        by_level = self.of(level)
        if not in_warranty:
            return Bearing(share_permille=by_level.share_permille, cap_fen=by_level.cap_fen)
        return Bearing(
            share_permille=max(self.warranty.share_permille, by_level.share_permille),
            cap_fen=max(self.warranty.cap_fen, by_level.cap_fen),
        )


def _terms(share: int, cap: int, deposit: int, days: int) -> LevelTerms:
    return LevelTerms(share_permille=share, cap_fen=cap, deposit_fen=deposit, loan_days=days)


REPAIR: PolicyKind[RepairPolicy] = PolicyKind(
    name="repair",
    title=Text("Repairs of handsets in other cities", "跨地区终端维修"),
    document=RepairPolicy,
    default=RepairPolicy(
        warranty_months=12,
        warranty_needs_known_imei=True,
        warranty=Bearing(share_permille=1000, cap_fen=300_000),
        levels=LevelsTerms(
            diamond=_terms(500, 50_000, 0, 30),
            gold=_terms(300, 30_000, 20_000, 15),
            silver=_terms(200, 20_000, 30_000, 15),
            standard=_terms(0, 0, 50_000, 7),
        ),
    ),
    bounds=(
        Bound("/warranty_months", minimum=6, maximum=36),
        Bound("/warranty/cap_fen", minimum=100_000, maximum=1_000_000),
        Bound("/levels/*/share_permille", minimum=0, maximum=1000),
        Bound("/levels/*/cap_fen", minimum=0, maximum=200_000),
        Bound("/levels/*/deposit_fen", minimum=0, maximum=100_000),
        Bound("/levels/*/loan_days", minimum=3, maximum=60),
    ),
)
