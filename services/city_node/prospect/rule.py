"""Who is a prospect, compiled to SQL over the facts, and the same read plainly beside it.

The *target* is the level above what the customer holds or is entitled to; an open prospect that somebody works on keeps
its own. Three signals make a prospect: mean spend *near* the target's threshold, spend *growing* towards it (the least
squares line through the last months' bills, in whole numbers), and a *competitor* who has what is missing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.evaluation.facts import Window
from services.city_node.level import rule as levels
from services.city_node.prospect.models import Signal
from shared.policy.kinds.level import LEVEL, LevelPolicy
from shared.policy.kinds.prospect import PROSPECT, Growing, ProspectPolicy
from shared.policy.service import in_force

Step = Mapping[str, str]
MOST_SHARE = 99
"""A share of everything says nothing of how much that is: it counts as this much, in percent."""
USED = (
    *("held_level", "months", "mean_fen", "threshold_fen", "near_permille"),
    *("trend_fen", "growth_fen", "reach_months"),
    *("competitor_fen", "competitors", "competitor_expires_on", "refuses"),
)
"""What a prospect keeps, so that it can be explained for ever."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The two policies that prospects are found by, and their references."""

    prospect: ProspectPolicy
    level: LevelPolicy
    reference: str

    def window(self, on: date) -> Window:
        """Return the months that a day looks back on: those of the policy of levels."""
        return Window(on, self.level.window_months)

    def thresholds(self) -> dict[int, int]:
        """Return the least mean monthly spend by rank."""
        given = self.level.thresholds
        return {3: given.diamond_fen, 2: given.gold_fen, 1: given.silver_fen}

    def worth(self) -> dict[int, int]:
        """Return the points of a target by rank."""
        given = self.prospect.target_points
        return {3: given.diamond, 2: given.gold, 1: given.silver}


async def terms_in_force(session: AsyncSession, *, on: date, node: str) -> Terms:
    """Return the policies in force at a node."""
    prospect = await in_force(session, PROSPECT, on=on, node=node)
    level = await in_force(session, LEVEL, on=on, node=node)
    reference = f"{prospect.reference}; {level.reference}"
    return Terms(prospect.document, level.document, reference)


def _entitling(level: LevelPolicy, window: Window) -> Iterator[Step]:
    """Give the steps of the rule of levels as far as what a customer is entitled to (``due``)."""
    for step in levels.steps(level, window):
        yield step
        if "due" in step:
            return


def steps(terms: Terms, window: Window) -> tuple[Step, ...]:
    """Compile the policies."""
    policy = terms.prospect
    thresholds = " ".join(f"WHEN {rank} THEN {fen}" for rank, fen in terms.thresholds().items())
    worth = " ".join(f"WHEN {rank} THEN {points}" for rank, points in terms.worth().items())
    names = " ".join(f"WHEN {rank} THEN '{levels.RISING[rank].value}'" for rank in (1, 2, 3))
    near, growing, competitor = policy.near, policy.growing, policy.competitor
    later = growing.within_months + 1
    share = f"least(competitor_share, {MOST_SHARE})"
    return (
        *_entitling(terms.level, window),
        {
            "target_rank": """
                CASE WHEN was_target IS NOT NULL AND (was_worked OR due >= was_target) THEN was_target
                     ELSE greatest(held, due) + 1 END""",
            "entitled": "was_target IS NOT NULL AND due >= was_target",
            "growth_fen": f"CASE WHEN trend_weighted > 0 THEN 6 * trend_weighted / {_denominator(growing)} ELSE 0 END",
            "competitor_fen": f"""
                competitor_fee_fen + mean_fen * {competitor.share_weight_permille} * {share} / ((100 - {share}) * 1000)""",
        },
        {"threshold_fen": f"CASE target_rank {thresholds} END"},
        {
            # The least of something and nothing is something, hence the condition.
            "near_permille": "CASE WHEN threshold_fen > 0 THEN least(1000, mean_fen * 1000 / threshold_fen) END",
            "reach_months": _reach(growing),
        },
        {
            "near": f"coalesce(months >= {policy.minimum_months} AND near_permille >= {1000 - near.within_permille}, false)",
            "growing": f"coalesce(months >= {policy.minimum_months} AND reach_months <= {growing.within_months}, false)",
            "competitor": f"""
                coalesce(competitor_fen >= {competitor.minimum_fen} AND competitor_fen > 0
                         AND mean_fen + competitor_fen >= threshold_fen, false)""",
        },
        {
            "points": f"""
                CASE WHEN near THEN {near.points} * near_permille / 1000 ELSE 0 END
                + CASE WHEN growing THEN {growing.points} * ({later} - reach_months) / {later} ELSE 0 END
                + CASE WHEN competitor THEN {competitor.points} * least(1000, competitor_fen * 1000 / threshold_fen) / 1000
                       ELSE 0 END""",
            "signals": """
                array_remove(ARRAY[CASE WHEN near THEN 'near' END, CASE WHEN growing THEN 'growing' END,
                    CASE WHEN competitor THEN 'competitor' END, CASE WHEN entitled THEN 'entitled' END]::text[], NULL)""",
        },
        {
            "score": f"CASE WHEN near OR growing OR competitor THEN points + CASE target_rank {worth} END ELSE 0 END",
            "target": f"CASE target_rank {names} END",
            "held_level": f"CASE held {names} ELSE 'standard' END",
        },
        {
            "is_prospect": f"""
                entitled OR ((near OR growing OR competitor) AND score >= {policy.minimum_score}
                             AND NOT refuses AND NOT resting)""",
        },
    )  # fmt: skip


def _denominator(growing: Growing) -> int:
    """Return what the weighted sum of ``n`` months is divided by, six times, for the line's slope: n(n²-1)."""
    return growing.trend_months * (growing.trend_months**2 - 1)


def _reach(growing: Growing) -> str:
    """Return the SQL of how many months after the last one the line reaches the threshold; nothing if it does not rise.

    With the bills y of month i from 0 to n-1, and the weight 2i-(n-1) of each, the line k months after the last one is
    at (Σy·(n²-1) + 3·Σwy·(n-1+2k)) / n(n²-1).
    """
    n = growing.trend_months
    short = f"(threshold_fen * {_denominator(growing)} - trend_fen * {n * n - 1} - 3 * trend_weighted * {n - 1})"
    slow = f"6000 * trend_weighted < {growing.minimum_growth_permille * (n * n - 1)} * trend_fen"
    return f"""
        CASE WHEN tenure_months < {n} OR trend_fen <= 0 OR trend_weighted <= 0 OR {slow} THEN NULL
             WHEN {short} <= 0 THEN 0 ELSE ({short} + 6 * trend_weighted - 1) / (6 * trend_weighted) END"""


def judge(terms: Terms, window: Window, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read the policies plainly: the same as :func:`steps`, for one customer."""
    policy, was = terms.prospect, given["was_target"]
    level = levels.judge(
        terms.level, window, {**given, "was_grace_level": None, "was_grace_until": None}
    )
    held, mean = given["held"], level["mean_fen"]
    due = next(place for place, name in enumerate(levels.RISING) if name == level["entitled"])
    entitled = was is not None and due >= was
    target = was if entitled or (was is not None and given["was_worked"]) else max(held, due) + 1
    threshold = terms.thresholds().get(target)
    share = min(given["competitor_share"], MOST_SHARE)
    estimate = mean * policy.competitor.share_weight_permille * share // ((100 - share) * 1000)
    fen = given["competitor_fee_fen"] + estimate
    closeness = None if threshold is None else min(1000, mean * 1000 // threshold)
    reach = None if threshold is None else _months_to(policy.growing, threshold, given)
    points: dict[Signal, int] = {}
    if closeness is not None and threshold is not None:
        enough = level["months"] >= policy.minimum_months
        if enough and closeness >= 1000 - policy.near.within_permille:
            points[Signal.NEAR] = policy.near.points * closeness // 1000
        if enough and reach is not None and reach <= policy.growing.within_months:
            later = policy.growing.within_months + 1
            points[Signal.GROWING] = policy.growing.points * (later - reach) // later
        if fen >= max(1, policy.competitor.minimum_fen) and mean + fen >= threshold:
            part = min(1000, fen * 1000 // threshold)
            points[Signal.COMPETITOR] = policy.competitor.points * part // 1000
    score = sum(points.values()) + terms.worth()[target] if points else 0
    welcome = not given["refuses"] and not given["resting"]
    weighted = given["trend_weighted"]
    return {
        **given,
        "months": level["months"],
        "mean_fen": mean,
        "held_level": levels.RISING[held].value,
        "target": None if threshold is None else levels.RISING[target].value,
        "threshold_fen": threshold,
        "near_permille": closeness,
        "growth_fen": 6 * weighted // _denominator(policy.growing) if weighted > 0 else 0,
        "reach_months": reach,
        "competitor_fen": fen,
        "signals": [signal.value for signal in points] + (["entitled"] if entitled else []),
        "score": score,
        "is_prospect": entitled or (bool(points) and score >= policy.minimum_score and welcome),
    }


def _months_to(growing: Growing, threshold: int, given: Mapping[str, Any]) -> int | None:
    """Read plainly when the line through the last months' bills reaches a threshold."""
    n = growing.trend_months
    total, weighted = int(given["trend_fen"]), int(given["trend_weighted"])
    if given["tenure_months"] < n or total <= 0 or weighted <= 0:
        return None
    # Growth of 6·Σwy / n(n²-1) a month, in thousandths of the mean, which is Σy / n.
    if 6000 * weighted < growing.minimum_growth_permille * (n * n - 1) * total:
        return None
    short = threshold * _denominator(growing) - total * (n * n - 1) - 3 * weighted * (n - 1)
    return max(0, -(-short // (6 * weighted)))
