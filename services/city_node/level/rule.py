"""How the policy of levels becomes SQL, and the same read plainly beside it.

A customer is *entitled* to the highest of three: the level of the mean monthly spend, of an appointment, and the least
level of a member of the group. What is held and higher than that is kept until the grace ends.
"""

from collections.abc import Mapping
from typing import Any

from services.city_node.customer.models import Level
from services.city_node.evaluation.facts import Fact, Source, Window, months_later
from services.city_node.evaluation.rule import Rule
from services.city_node.evaluation.spend import FACTS, mean_spend, spend_step
from services.city_node.level.models import Basis, LevelResult
from services.city_node.level.wording import advise, explain
from shared.kernel.language import Text
from shared.policy.kinds.level import LEVEL, LevelPolicy

RISING = (Level.STANDARD, Level.SILVER, Level.GOLD, Level.DIAMOND)
"""Levels by rank: the place in this tuple."""
_NAMES = f"ARRAY{[level.value for level in RISING]}"


def rank(column: str) -> str:
    """Return the SQL of the rank of a level."""
    whens = " ".join(
        f"WHEN '{level.value}' THEN {place}" for place, level in enumerate(RISING) if place
    )
    return f"CASE {column} {whens} ELSE 0 END"


def _named(number: str) -> str:
    return f"({_NAMES})[{number} + 1]"


HELD = Fact("held", Text("level that is held", "现有级别"), rank("c.level"))
APPOINTED = Fact(
    "appointed",
    Text("level by appointment", "特批级别"),
    "coalesce(appointment.appointed, 0)",
    Source(
        "appointment",
        "level_appointment a",
        "a.customer_id",
        "a.state = 'approved' AND a.since <= {on} AND a.until > {on}",
    ),
    f"max({rank('a.level')})",
)
GROUP_HELD = Fact(
    "group_held",
    Text("level that the group holds", "所属集团级别"),
    "coalesce(membership.group_held, 0)",
    Source(
        "membership",
        "group_member m JOIN customer g ON g.id = m.customer_id AND g.library = 'in_network'",
        "m.member_id",
        "m.since <= {on} AND (m.until IS NULL OR m.until > {on})",
    ),
    f"max({rank('g.level')})",
)
TURNING = """
    SELECT customer_id FROM level_appointment
    WHERE state = 'approved' AND ((since > $1 AND since <= $2) OR (until > $1 AND until <= $2))
    UNION SELECT member_id FROM group_member WHERE (since > $1 AND since <= $2) OR (until > $1 AND until <= $2)"""


def facts(_: LevelPolicy) -> tuple[Fact, ...]:
    """Return what levels go by."""
    return (HELD, *FACTS, APPOINTED, GROUP_HELD)


def _thresholds(policy: LevelPolicy) -> dict[int, int]:
    """Return the least mean monthly spend by rank, the highest first."""
    given = policy.thresholds
    return {3: given.diamond_fen, 2: given.gold_fen, 1: given.silver_fen}


def _floors(policy: LevelPolicy) -> dict[int, int]:
    """Return the least rank of a member by the rank of the group."""
    return {
        RISING.index(Level(group)): RISING.index(Level(member))
        for group, member in policy.member_levels.items()
    }


def steps(policy: LevelPolicy, window: Window) -> tuple[Mapping[str, str], ...]:
    """Compile the policy."""
    thresholds = " ".join(
        f"WHEN mean_fen >= {fen} THEN {place}" for place, fen in _thresholds(policy).items()
    )
    floors = " ".join(f"WHEN {group} THEN {member}" for group, member in _floors(policy).items())
    marks = " ".join(f"WHEN {place} THEN {fen}" for place, fen in _thresholds(policy).items())
    grace_ends = months_later(window.on, policy.grace_months)
    return (
        spend_step(policy.empty_months),
        {
            "earned": f"CASE WHEN months < {policy.minimum_months} THEN 0 {thresholds} ELSE 0 END",
            "granted": f"CASE group_held {floors} ELSE 0 END" if floors else "0",
        },
        {"due": "greatest(earned, appointed, granted)"},
        {
            "basis": "CASE WHEN earned = due THEN 'spend' WHEN appointed = due THEN 'appointment' ELSE 'group' END",
            "grace_level": f"CASE WHEN held > due THEN {_named('held')} END",
            "grace_until": f"""
                CASE WHEN held <= due THEN NULL WHEN was_grace_level = {_named('held')} THEN was_grace_until
                     ELSE DATE '{grace_ends}' END""",
        },
        {
            "entitled": _named("due"),
            "level": f"CASE WHEN grace_until > DATE '{window.on}' THEN grace_level ELSE {_named('due')} END",
            "threshold_fen": f"CASE due {marks} END",
            "held_level": _named("held"),
            "group_level": f"CASE WHEN group_held > 0 THEN {_named('group_held')} END",
        },
    )  # fmt: skip


def judge(policy: LevelPolicy, window: Window, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read the policy plainly: the same as :func:`steps`, for one customer."""
    known = {**given, **mean_spend(policy.empty_months, given)}
    earned = 0
    if known["months"] >= policy.minimum_months:
        earned = next(
            (place for place, fen in _thresholds(policy).items() if known["mean_fen"] >= fen), 0
        )
    granted = _floors(policy).get(known["group_held"], 0)
    due, held = max(earned, known["appointed"], granted), known["held"]
    if earned == due:
        basis = Basis.SPEND
    elif known["appointed"] == due:
        basis = Basis.APPOINTMENT
    else:
        basis = Basis.GROUP
    level, grace_level, grace_until = due, None, None
    if held > due:
        grace_level = RISING[held].value
        grace_until = (
            known["was_grace_until"]
            if known["was_grace_level"] == grace_level
            else months_later(window.on, policy.grace_months)
        )
        level = held if grace_until > window.on else due
    return {
        **known,
        "earned": earned,
        "granted": granted,
        "level": RISING[level].value,
        "entitled": RISING[due].value,
        "basis": basis.value,
        "grace_level": grace_level,
        "grace_until": grace_until,
        "threshold_fen": _thresholds(policy).get(due),
        "held_level": RISING[held].value,
        "group_level": RISING[known["group_held"]].value if known["group_held"] else None,
    }


def cost(policy: LevelPolicy) -> str:
    """Return the SQL of what a level costs a year."""
    each = policy.yearly_cost_fen
    whens = " ".join(
        f"WHEN '{level.value}' THEN {getattr(each, f'{level.value}_fen')}" for level in RISING
    )
    return f"CASE {{}}level {whens} ELSE 0 END"


RULE: Rule[LevelPolicy] = Rule(
    kind=LEVEL,
    results=LevelResult,
    outcome=("level", "entitled", "basis", "grace_level", "grace_until"),
    label="level",
    used=lambda _: (
        "billed_fen",
        "billed_months",
        "months",
        "mean_fen",
        "threshold_fen",
        "held_level",
        "group_level",
    ),
    window=lambda policy: policy.window_months,
    facts=facts,
    steps=steps,
    judge=judge,
    cost=cost,
    explain=explain,
    advise=advise,
    turning=TURNING,
)
