"""Prospects in words: why somebody is one, and what is missing."""

from collections.abc import Mapping
from typing import Any

from services.city_node.evaluation.wording import filled, joined, period, yuan
from services.city_node.level.wording import NAMES
from services.city_node.prospect.models import Signal
from shared.kernel.language import Text

_PROSPECT = Text("Prospect for {target}: {why}.", "潜在{target}客户：{why}。")
_WORKED = Text(
    "Worked on as a prospect for {target}, though no reason holds any more: {spend}.",
    "作为潜在{target}客户跟进中，但已无成立的理由：{spend}。",
)
_NONE = Text("No prospect: {why}.", "不是潜在大客户：{why}。")
_SPEND = Text("mean monthly spend over {period} is {mean} yuan", "{period} 月均消费 {mean} 元")
_NEAR = Text(
    "{spend}, {percent} % of the {threshold} that {target} takes",
    "{spend}，达到{target}标准 {threshold} 元的 {percent}%",
)
_GROWING = Text(
    "spend grew by {growth} yuan a month over the last {trend} months and reaches {threshold} in {months} months",
    "近 {trend} 个月消费每月增长 {growth} 元，按此趋势 {months} 个月后达到 {threshold} 元",
)
_THERE = Text(
    "spend grew by {growth} yuan a month over the last {trend} months and is at {threshold} by now",
    "近 {trend} 个月消费每月增长 {growth} 元，按此趋势目前已达 {threshold} 元",
)
_COMPETITOR = Text(
    "about {fen} yuan a month go to {competitors}; with the {mean} here that is {total}, and {target} takes {threshold}",
    "每月约 {fen} 元用于{competitors}，加上本网月均 {mean} 元共 {total} 元，{target}标准为 {threshold} 元",
)
_ENTITLED = Text(
    "the policy of levels grants {target} by now, and a review is to give it",
    "按级别政策已符合{target}条件，待级别评审执行",
)
_EXPIRES = Text("a contract there ends on {day}", "其合同 {day} 到期")
_TOP = Text("holds or is entitled to the highest level", "已持有或可享最高级别")
_REFUSES = Text("refuses marketing", "已拒绝营销")
_RESTING = Text("was closed by somebody not long ago", "近期已被排除或放弃")
_FAR = Text("is not near {target}, which takes {threshold} yuan a month", "距{target}标准每月 {threshold} 元尚远")  # fmt: skip
_MISSING = Text(
    "{target} takes a mean monthly spend of {threshold} yuan: {missing} more than {mean}.",
    "升至{target}需月均消费 {threshold} 元，比现在的 {mean} 元多 {missing} 元。",
)


def explain(found: Mapping[str, Any]) -> Text:
    """Say why somebody is a prospect, from the figures that were kept with it; or why not."""
    used = found["used"]
    spend = filled(_SPEND, period=period(used), mean=yuan(used["mean_fen"]))
    if found["target"] is None:
        return filled(_NONE, why=joined(spend, _TOP))
    target = NAMES[found["target"]]
    if not found.get("is_prospect", True):
        return filled(_NONE, why=joined(spend, *_against(found, target)))
    if not found["signals"]:
        return filled(_WORKED, target=target, spend=spend)
    why = [_signal(Signal(signal), used, target, spend) for signal in found["signals"]]
    return filled(_PROSPECT, target=target, why=Text("; ".join(each.en for each in why), "；".join(each.zh for each in why)))  # fmt: skip


def _signal(signal: Signal, used: Mapping[str, Any], target: Text, spend: Text) -> Text:
    threshold = yuan(used["threshold_fen"])
    if signal is Signal.ENTITLED:
        return filled(_ENTITLED, target=target)
    if signal is Signal.NEAR:
        percent = used["near_permille"] // 10
        return filled(_NEAR, spend=spend, percent=percent, threshold=threshold, target=target)
    if signal is Signal.GROWING:
        months, growth = used["reach_months"], yuan(used["growth_fen"])
        form = _GROWING if months else _THERE
        return filled(form, growth=growth, trend=used["trend_months"], threshold=threshold, months=months)  # fmt: skip
    fen, mean = used["competitor_fen"], used["mean_fen"]
    said = filled(
        _COMPETITOR,
        fen=yuan(fen),
        competitors=used["competitors"],
        mean=yuan(mean),
        total=yuan(mean + fen),
        target=target,
        threshold=threshold,
    )
    ends = used["competitor_expires_on"]
    return joined(said, filled(_EXPIRES, day=ends)) if ends else said


def _against(found: Mapping[str, Any], target: Text) -> list[Text]:
    """Return what speaks against somebody who is none."""
    said = []
    if found["used"]["refuses"]:
        said.append(_REFUSES)
    if found["resting"]:
        said.append(_RESTING)
    if not said:
        said.append(filled(_FAR, target=target, threshold=yuan(found["used"]["threshold_fen"])))
    return said


def advise(found: Mapping[str, Any]) -> tuple[Text, ...]:
    """Say what is missing."""
    used = found["used"]
    if found["target"] is None or used["mean_fen"] >= used["threshold_fen"]:
        return ()
    threshold, mean = used["threshold_fen"], used["mean_fen"]
    missing = yuan(threshold - mean)
    target = NAMES[found["target"]]
    return (filled(_MISSING, target=target, threshold=yuan(threshold), missing=missing, mean=yuan(mean)),)  # fmt: skip
