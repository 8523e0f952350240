"""How a scorecard becomes SQL, and the same read plainly beside it.

A *characteristic* of a customer falls into a band of the policy, which gives points; the points add up to the score;
the score gives the rating; the rating and the mean monthly spend give the limit.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from services.city_node.credit.models import CreditResult
from services.city_node.credit.wording import advise, explain
from services.city_node.evaluation.facts import (
    ARREARS,
    BILLS_DUE,
    BILLS_ON_TIME,
    CONTRACT,
    TENURE,
    TIMES_SUSPENDED,
    Fact,
    Window,
)
from services.city_node.evaluation.rule import Rule
from services.city_node.evaluation.spend import FACTS, mean_spend, spend_step
from shared.policy.kinds.credit import CREDIT, Band, CreditPolicy

BANDED = ("tenure_months", "mean_fen", "punctuality_permille", "arrears_fen", "suspensions")
"""Characteristics whose points are found in bands: named as the policy and the facts name them."""
CHARACTERISTICS = (*BANDED, "contract")


def facts(_: CreditPolicy) -> tuple[Fact, ...]:
    """Return what credit goes by."""
    return (TENURE, CONTRACT, *FACTS, BILLS_DUE, BILLS_ON_TIME, ARREARS, TIMES_SUSPENDED)


def _banded(name: str, bands: Sequence[Band]) -> str:
    whens = " ".join(f"WHEN {name} >= {band.at_least} THEN {band.points}" for band in bands)
    return f"CASE {whens} ELSE 0 END"


def steps(policy: CreditPolicy, _: Window) -> tuple[Mapping[str, str], ...]:
    """Compile the policy."""
    terms = policy.contract.model_dump().items()
    contract = " ".join(f"WHEN '{term}' THEN {points}" for term, points in terms)
    points = {f"{name}_points": _banded(name, getattr(policy, name)) for name in BANDED}
    ratings, step = policy.ratings, policy.limit_step_fen
    rated = " ".join(f"WHEN score >= {each.at_least} THEN '{each.code}'" for each in ratings)
    limited = " ".join(
        f"WHEN score >= {each.at_least} THEN least({each.most_fen}, mean_fen * {each.multiplier_permille} / 1000)"
        for each in ratings
    )
    return (
        {
            **spend_step(policy.empty_months),
            "punctuality_permille": "1000 * bills_on_time / nullif(bills_due, 0)",
        },
        {**points, "contract_points": f"CASE contract_term {contract} ELSE 0 END"},
        {"score": " + ".join(f"{name}_points" for name in CHARACTERISTICS)},
        {
            "rating": f"CASE {rated} END",
            "limit_fen": f"CASE {limited} END / {step} * {step}",
        },
    )


def judge(policy: CreditPolicy, _: Window, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read the policy plainly: the same as :func:`steps`, for one customer."""
    known = {**given, **mean_spend(policy.empty_months, given)}
    due = known["bills_due"]
    known["punctuality_permille"] = 1000 * known["bills_on_time"] // due if due else None
    points = {name: points_of(getattr(policy, name), known[name]) for name in BANDED}
    points["contract"] = getattr(policy.contract, known["contract_term"])
    score = sum(points.values())
    rating = next(each for each in policy.ratings if score >= each.at_least)
    limit = min(rating.most_fen, known["mean_fen"] * rating.multiplier_permille // 1000)
    return {
        **known,
        **{f"{name}_points": points[name] for name in CHARACTERISTICS},
        "score": score,
        "rating": rating.code,
        "limit_fen": limit // policy.limit_step_fen * policy.limit_step_fen,
    }


def points_of(bands: Sequence[Band], value: int | None) -> int:
    """Return the points of a value; none if there is no value."""
    if value is None:
        return 0
    return next((band.points for band in bands if value >= band.at_least), 0)


RULE: Rule[CreditPolicy] = Rule(
    kind=CREDIT,
    results=CreditResult,
    outcome=("score", "rating", "limit_fen"),
    label="rating",
    used=lambda _: (
        "contract_term",
        "months",
        *BANDED,
        *(f"{name}_points" for name in CHARACTERISTICS),
    ),
    window=lambda policy: policy.window_months,
    facts=facts,
    steps=steps,
    judge=judge,
    cost=lambda _: "coalesce({}limit_fen, 0)",
    explain=explain,
    advise=advise,
)
