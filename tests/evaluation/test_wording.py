"""What customers are told: why they stand as they do, and what they would need."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

from services.city_node.credit.scorecard import RULE as CREDIT
from services.city_node.credit.scorecard import points_of
from services.city_node.credit.wording import ways
from services.city_node.evaluation.facts import Window
from services.city_node.level.rule import RULE as LEVEL
from tests.evaluation.folk import folk, known
from tests.evaluation.policies import credit_policies, level_policies

FOLK = folk("wording", 30)
ON = date(2026, 11, 23)
MONTHS: Mapping[str, str] = {"from": "2026-05", "before": "2026-11"}


@settings(max_examples=60, deadline=None)
@given(credit_policies(), some.sampled_from(FOLK))
def test_each_way_to_the_next_rating_leads_there(policy: Any, someone: Any) -> None:
    window = Window(ON, policy.window_months)
    result = CREDIT.judge(policy, window, known(someone, FOLK, window))
    codes = [rating.code for rating in policy.ratings]
    place = codes.index(result["rating"])
    advice = CREDIT.advise(policy, {**result, **MONTHS})
    if place == 0:
        assert advice == ()
        return
    following = policy.ratings[place - 1]
    missing = following.at_least - result["score"]
    found = list(ways(policy, result, missing))
    assert len(advice) == max(1, len(found))
    assert all(following.code in text.en and following.code in text.zh for text in advice)
    for way in found:
        if way.name == "contract":
            points = getattr(policy.contract, str(way.bound))
        else:
            value = int(way.bound) - way.below
            assert value != result[way.name]
            points = points_of(getattr(policy, way.name), value)
        score = result["score"] - result[f"{way.name}_points"] + points
        assert score >= following.at_least


@settings(max_examples=60, deadline=None)
@given(level_policies(), some.sampled_from(FOLK))
def test_the_missing_spend_gives_the_next_level(policy: Any, someone: Any) -> None:
    window = Window(ON, policy.window_months)
    facts = known(someone, FOLK, window)
    result = LEVEL.judge(policy, window, facts)
    advice = LEVEL.advise(policy, {**result, **MONTHS})
    assert len(advice) == (
        result["entitled"] != "diamond" or result["months"] < policy.minimum_months
    )
    if advice and result["months"] >= policy.minimum_months:
        rising = ["standard", "silver", "gold", "diamond"]
        better = rising[rising.index(result["entitled"]) + 1]
        threshold = getattr(policy.thresholds, f"{better}_fen")
        billed = threshold * result["months"]
        after = LEVEL.judge(policy, window, {**facts, "billed_fen": billed})
        assert after["entitled"] == better


def test_credit_is_explained_by_its_points() -> None:
    window = Window(ON, 12)
    someone = next(each for each in FOLK if each.bills)
    result = CREDIT.judge(CREDIT.kind.default, window, known(someone, FOLK, window))
    text = CREDIT.explain({**result, "from": "2025-11", "before": "2026-11"})
    parts = ("tenure_months", "mean_fen", "punctuality_permille", "arrears_fen", "suspensions")
    assert f"score over 2025-11..2026-10 is {result['score']}" in text.en
    for name in (*parts, "contract"):
        assert f"({result[f'{name}_points']:+})" in text.en
        assert f"（{result[f'{name}_points']:+} 分）" in text.zh
