"""Credit in words: what made the score, and what a customer would need for the next rating."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from services.city_node.evaluation.wording import filled, joined, period, yuan
from shared.kernel.language import Text
from shared.policy.kinds.credit import Band, CreditPolicy

_BECAUSE = Text(
    "Rating {rating} and a limit of {limit} yuan, because the score over {period} is {score}: {parts}.",
    "信誉等级 {rating}，信用额度 {limit} 元：{period} 评分 {score} 分，其中{parts}。",
)
_PARTS: Mapping[str, Text] = {
    "tenure_months": Text("tenure of {value} months ({points})", "在网 {value} 个月（{points} 分）"),
    "mean_fen": Text("mean monthly spend of {value} yuan ({points})", "月均消费 {value} 元（{points} 分）"),
    "punctuality_permille": Text("{value} of due bills paid in time ({points})", "按时缴费率 {value}（{points} 分）"),
    "arrears_fen": Text("{value} yuan overdue ({points})", "逾期欠费 {value} 元（{points} 分）"),
    "suspensions": Text("{value} suspensions ({points})", "停机 {value} 次（{points} 分）"),
    "contract": Text("contract: {value} ({points})", "合约：{value}（{points} 分）"),
}  # fmt: skip
_TERMS: Mapping[str, Text] = {
    "none": Text("none", "无"),
    "monthly": Text("month to month", "按月"),
    "one_year": Text("one year", "一年"),
    "two_year": Text("two years", "两年"),
}
_NAMES: Mapping[str, Text] = {
    "tenure_months": Text("a tenure of {value} months", "在网时长{value}个月"),
    "mean_fen": Text("a mean monthly spend of {value} yuan", "月均消费{value}元"),
    "punctuality_permille": Text("{value} of due bills paid in time", "按时缴费率{value}"),
    "arrears_fen": Text("{value} yuan overdue", "逾期欠费{value}元"),
    "suspensions": Text("{value} suspensions", "停机{value}次"),
    "contract": Text("a contract of {value}", "签订{value}合约"),
}
_AT_LEAST = Text("at least {value}", "至少 {value} ")
_LESS_THAN = Text("less than {value}", "少于 {value} ")
_NEXT = Text(
    "Rating {rating} takes {missing} more points. {way} instead of {now} would do by itself.",
    "升至等级 {rating} 还差 {missing} 分。仅需{way}（现为 {now}）即可达到。",
)
_NOT_BY_ONE = Text(
    "Rating {rating} takes {missing} more points, which no single characteristic gives.",
    "升至等级 {rating} 还差 {missing} 分，仅靠单项指标无法达到。",
)
_UNKNOWN = Text("no due bill", "尚无到期账单")


def explain(result: Mapping[str, Any]) -> Text:
    """Say what made a rating and its limit."""
    parts = [
        filled(
            part, value=_written(name, _value(result, name)), points=f"{result[f'{name}_points']:+}"
        )
        for name, part in _PARTS.items()
    ]
    return filled(
        _BECAUSE,
        rating=result["rating"],
        limit=yuan(result["limit_fen"]),
        period=period(result),
        score=result["score"],
        parts=joined(*parts),
    )


def advise(policy: CreditPolicy, result: Mapping[str, Any]) -> tuple[Text, ...]:
    """Say for each single characteristic that would be enough for the next rating what it would have to be."""
    codes = [rating.code for rating in policy.ratings]
    place = codes.index(result["rating"])
    if place == 0:
        return ()
    following = policy.ratings[place - 1]
    missing = following.at_least - result["score"]
    values = {"rating": following.code, "missing": missing}
    found = [
        filled(_NEXT, **values, way=_said(way), now=_written(way.name, _value(result, way.name)))
        for way in ways(policy, result, missing)
    ]
    return tuple(found) or (filled(_NOT_BY_ONE, **values),)


@dataclass(frozen=True, slots=True)
class Way:
    """What one characteristic would have to be: at least ``bound``, or below it; a contract is named."""

    name: str
    bound: int | str
    below: bool = False


def ways(policy: CreditPolicy, result: Mapping[str, Any], missing: int) -> Iterator[Way]:
    """Give each characteristic that alone gives ``missing`` points more, and the nearest value that does."""
    for name in _NAMES:
        wanted = result[f"{name}_points"] + missing
        if name == "contract":
            terms = policy.contract.model_dump()
            yield from [Way(name, term) for term in _TERMS if terms[term] >= wanted][:1]
        else:
            value = -1 if result[name] is None else result[name]
            way = _nearest(name, getattr(policy, name), value, wanted)
            if way is not None:
                yield way


def _nearest(name: str, bands: Sequence[Band], value: int, wanted: int) -> Way | None:
    above = [band.at_least for band in bands if band.points >= wanted and band.at_least > value]
    below = [
        higher.at_least
        for higher, band in pairwise(bands)
        if band.points >= wanted and higher.at_least <= value
    ]
    up, down = min(above, default=None), max(below, default=None)
    if up is not None and (down is None or up - value <= value - down):
        return Way(name, up)
    return None if down is None else Way(name, down, below=True)


def _said(way: Way) -> Text:
    bound = _written(way.name, way.bound)
    if way.name != "contract":
        bound = filled(_LESS_THAN if way.below else _AT_LEAST, value=bound)
    said = filled(_NAMES[way.name], value=bound)
    return Text(said.en[:1].upper() + said.en[1:], said.zh)


def _value(result: Mapping[str, Any], name: str) -> Any:
    return result["contract_term" if name == "contract" else name]


def _written(name: str, value: Any) -> Text:
    if name == "contract":
        return _TERMS[value]
    if value is None:
        return _UNKNOWN
    if name.endswith("_fen"):
        return Text(yuan(value), yuan(value))
    if name.endswith("_permille"):
        written = f"{value // 10}.{value % 10}%"
        return Text(written, written)
    return Text(str(value), str(value))
