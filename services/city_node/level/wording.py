"""Levels in words: why somebody has one, and what the next one takes."""

from collections.abc import Mapping
from typing import Any

from services.city_node.evaluation.wording import filled, joined, period, yuan
from shared.kernel.language import Text
from shared.policy.kinds.level import LevelPolicy

NAMES: Mapping[str, Text] = {
    "diamond": Text("Diamond", "钻石卡"),
    "gold": Text("Gold", "金卡"),
    "silver": Text("Silver", "银卡"),
    "standard": Text("Standard", "普通"),
}
_SPEND = Text(
    "mean monthly spend over {period} is {mean} yuan",
    "{period} 月均消费 {mean} 元",
)
_AT_LEAST = Text("at least {threshold}", "达到 {threshold} 元的标准")
_BELOW = Text("below what a key customer's level takes", "未达到大客户级别标准")
_BASES: Mapping[str, Text] = {
    "appointment": Text("by an appointment that two people approved", "经双人审批特批"),
    "group": Text("as a member of a group that holds {group}", "为持有{group}级别集团的成员客户"),
}
_BECAUSE = Text("{level} because {why}.", "级别为{level}：{why}。")
_GRACE = Text(
    "{level} is kept until {until}: the customer holds it and is entitled to {entitled} only, for {why}.",
    "{level}保留至 {until}（宽限期）：按现有条件仅可享{entitled}，{why}。",
)
_GRACE_OVER = Text(
    "{entitled} because {why}; the grace for {level} ended on {until}.",
    "级别为{entitled}：{why}；{level}的宽限期已于 {until} 届满。",
)
_NEXT = Text(
    "{level} takes a mean monthly spend of {threshold} yuan: {missing} more than {mean}.",
    "升至{level}需月均消费 {threshold} 元，比现在的 {mean} 元多 {missing} 元。",
)
_MONTHS = Text(
    "Spend gives a level once {minimum} months count; now {months} do.",
    "消费统计满 {minimum} 个月后方可按消费定级，目前为 {months} 个月。",
)


def explain(result: Mapping[str, Any]) -> Text:
    """Say why a level is what it is."""
    why, kept = _why(result), result["grace_level"]
    if kept is None:
        return filled(_BECAUSE, level=NAMES[result["level"]], why=why)
    form = _GRACE if result["level"] == kept else _GRACE_OVER
    entitled, until = NAMES[result["entitled"]], result["grace_until"]
    return filled(form, level=NAMES[kept], entitled=entitled, until=until, why=why)


def _why(result: Mapping[str, Any]) -> Text:
    spend = filled(_SPEND, period=period(result), mean=yuan(result["mean_fen"]))
    if result["basis"] != "spend":
        group = NAMES[result["group_level"] or "standard"]
        return joined(filled(_BASES[result["basis"]], group=group), spend)
    if result["threshold_fen"] is None:
        return joined(spend, _BELOW)
    return joined(spend, filled(_AT_LEAST, threshold=yuan(result["threshold_fen"])))


def advise(policy: LevelPolicy, result: Mapping[str, Any]) -> tuple[Text, ...]:
    """Say what the next level takes."""
    months, mean = result["months"], result["mean_fen"]
    if months < policy.minimum_months:
        return (filled(_MONTHS, minimum=policy.minimum_months, months=months),)
    thresholds = policy.thresholds
    rising = {
        "standard": 0,
        "silver": thresholds.silver_fen,
        "gold": thresholds.gold_fen,
        "diamond": thresholds.diamond_fen,
    }
    higher = list(rising)[list(rising).index(result["entitled"]) + 1 :]
    for name in higher[:1]:
        missing = yuan(rising[name] - mean)
        values = {"threshold": yuan(rising[name]), "mean": yuan(mean), "missing": missing}
        return (filled(_NEXT, level=NAMES[name], **values),)
    return ()
