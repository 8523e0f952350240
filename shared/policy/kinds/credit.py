"""The policy of credit: a scorecard, the ratings that a score gives, and the limit that goes with each."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.capability import Bound, PolicyKind
from shared.kernel.language import Text
from shared.policy.declaration import PolicyDocument, RuleBroken

_FALLING = Text(
    "list the highest at_least first, each once, and 0 last",
    "at_least 须从高到低排列且不重复，最后一项为 0",
)
_ONCE = Text("each code may stand once", "等级代码不得重复")
Points = Annotated[int, Field(ge=0, le=1000)]


class Band(PolicyDocument):
    """The points of a value from ``at_least`` up to the band before."""

    at_least: int = Field(ge=0, description="The least value of the band.")
    points: Points = Field(description="What the band adds to the score.")


class ContractPoints(PolicyDocument):
    """The points of a contract, by its term."""

    none: Points = Field(description="Without a contract.")
    monthly: Points = Field(description="From month to month.")
    one_year: Points = Field(description="Bound for one year.")
    two_year: Points = Field(description="Bound for two years.")


class Rating(PolicyDocument):
    """A rating: the score it takes, and the limit it gives."""

    code: str = Field(
        pattern="^[A-Z]{1,3}$", description="Name of the rating: A is the best by default."
    )
    at_least: int = Field(ge=0, description="The least score.")
    multiplier_permille: int = Field(
        ge=0,
        le=100_000,
        description="The limit as a multiple of mean monthly spend, in thousandths.",
    )
    most_fen: int = Field(ge=0, description="The highest limit, in fen.")


Bands = Annotated[tuple[Band, ...], Field(min_length=1, max_length=20)]


class CreditPolicy(PolicyDocument):
    """How credit is scored, rated and limited. Bands and ratings are listed from the highest value down to 0."""

    window_months: int = Field(
        ge=1,
        le=36,
        description="Over how many whole months before the evaluation bills are looked at.",
    )
    empty_months: Literal["zero", "skip"] = Field(
        description="Months since entry without a bill: `zero` counts them as spend of nothing, `skip` leaves them out."
    )
    tenure_months: Bands = Field(description="Points for whole months since entry.")
    mean_fen: Bands = Field(description="Points for mean monthly spend, in fen.")
    punctuality_permille: Bands = Field(
        description="Points for the share of due bills that were paid in time, in thousandths; none without a due bill."
    )
    arrears_fen: Bands = Field(description="Points for what is overdue, in fen.")
    suspensions: Bands = Field(description="Points for how often lines were suspended.")
    contract: ContractPoints = Field(description="Points for the term of the contract.")
    ratings: Annotated[tuple[Rating, ...], Field(min_length=1, max_length=10)] = Field(
        description="The ratings, the best first."
    )
    limit_step_fen: int = Field(
        gt=0, description="Limits are rounded down to a multiple of this, in fen."
    )

    @model_validator(mode="after")
    def _descending(self) -> Self:
        listed: dict[str, Sequence[Band | Rating]] = {
            "tenure_months": self.tenure_months,
            "mean_fen": self.mean_fen,
            "punctuality_permille": self.punctuality_permille,
            "arrears_fen": self.arrears_fen,
            "suspensions": self.suspensions,
            "ratings": self.ratings,
        }
        for name, bands in listed.items():
            starts = [band.at_least for band in bands]
            if starts != sorted(set(starts), reverse=True) or starts[-1] != 0:
                raise RuleBroken(_FALLING, name)
        if len({rating.code for rating in self.ratings}) < len(self.ratings):
            raise RuleBroken(_ONCE, "ratings")
        return self


def _bands(*pairs: tuple[int, int]) -> tuple[Band, ...]:
    return tuple(Band(at_least=at_least, points=points) for at_least, points in pairs)


CREDIT: PolicyKind[CreditPolicy] = PolicyKind(
    name="credit",
    title=Text("Credit rating of customers", "客户信誉度评定"),
    document=CreditPolicy,
    default=CreditPolicy(
        window_months=12,
        empty_months="zero",
        tenure_months=_bands((60, 20), (36, 15), (24, 10), (12, 5), (0, 0)),
        mean_fen=_bands((170_000, 20), (70_000, 16), (30_000, 12), (10_000, 6), (0, 0)),
        punctuality_permille=_bands((1000, 25), (900, 18), (750, 10), (500, 4), (0, 0)),
        arrears_fen=_bands((100_000, 0), (30_000, 3), (5_000, 8), (1, 12), (0, 20)),
        suspensions=_bands((3, 0), (2, 2), (1, 4), (0, 7)),
        contract=ContractPoints(none=0, monthly=2, one_year=5, two_year=8),
        ratings=(
            Rating(code="A", at_least=80, multiplier_permille=3000, most_fen=1_000_000),
            Rating(code="B", at_least=65, multiplier_permille=2000, most_fen=500_000),
            Rating(code="C", at_least=50, multiplier_permille=1000, most_fen=200_000),
            Rating(code="D", at_least=35, multiplier_permille=500, most_fen=50_000),
            Rating(code="E", at_least=0, multiplier_permille=0, most_fen=0),
        ),
        limit_step_fen=10_000,
    ),
    bounds=(
        Bound("/ratings/*/multiplier_permille", minimum=0, maximum=5000),
        Bound("/ratings/*/most_fen", minimum=0, maximum=2_000_000),
        Bound("/limit_step_fen", minimum=1_000, maximum=50_000),
    ),
)
