"""Why a question about figures is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class IndicatorUnknown(Problem):
    """An indicator that the catalogue of this node does not have."""

    status = 404
    title = Text("Indicator unknown", "指标不存在")
    sentence = Text(
        "There is no indicator {code}: `GET /statistics/indicators` lists them.",
        "没有指标 {code}：可用 GET /statistics/indicators 查看全部指标。",
    )


class FilterUnknown(Problem):
    """A question was to be filtered by something by which not all of its indicators are counted."""

    status = 400
    title = Text("Filter unknown", "筛选条件无效")
    sentence = Text(
        "`{name}` is no part of a question, and no dimension by which all of these indicators are counted: these are {offered}.",
        "{name} 既不是查询参数，也不是所查指标共有的维度；共有维度：{offered}。",
    )

    def __init__(self, name: str, offered: str) -> None:
        fault = Fault(f"query:{name}", f"filter by: {offered}", f"可筛选维度：{offered}")
        super().__init__(faults=[fault], name=name, offered=offered)


class RegionOutOfScope(Problem):
    """A question about a region that the asker, or this node, does not cover."""

    status = 403
    title = Text("Region out of scope", "地区超出权限范围")
    sentence = Text(
        "You may ask about {scope} and what lies in it; {region} does not.",
        "您可查询 {scope} 及其下属地区，{region} 不在其内。",
    )


class PeriodRangeInvalid(Problem):
    """Two periods that make no range."""

    status = 422
    title = Text("Period range invalid", "期间范围无效")
    sentence = Text(
        "'{first}' to '{last}' is no range: give either `period`, or `from` and `to`: two months or two days, "
        "the earlier first, at most {most} of them.",
        "“{first}”至“{last}”不是有效范围：请填写 period，或同时填写 from 与 to（同为月份或同为日期，先早后晚，至多 {most} 期）。",
    )


class QuestionTooLarge(Problem):
    """A question whose answer would be too large."""

    status = 422
    title = Text("Question too large", "查询过大")
    sentence = Text(
        "The answer could have {rows} rows of {indicators} indicators; at most {most_rows} rows of {most_indicators} are given. "
        "Ask for fewer indicators, periods, dimensions or regions, or a coarser region_level.",
        "结果可能达 {rows} 行、{indicators} 个指标，上限为 {most_rows} 行、{most_indicators} 个指标。请减少指标、期间、维度或地区，或提高地区层级。",
    )


class PivotTooWide(Problem):
    """A pivot that would have too many columns."""

    status = 422
    title = Text("Pivot too wide", "透视列过多")
    sentence = Text(
        "The answer could have {columns} columns of figures; at most {most} are given. "
        "Put something across that has fewer values, filter it, or ask for fewer indicators.",
        "结果可能有 {columns} 列，最多提供 {most} 列。请改用取值较少的透视项、加上筛选，或减少指标。",
    )


class QuestionTooCostly(Problem):
    """A question that would read too many stored values."""

    status = 422
    title = Text("Question too costly", "查询代价过高")
    sentence = Text(
        "The answer would be put together from up to {values} stored values of {slices} slices; at most {most} are read "
        "for one question. Ask for fewer periods, a smaller region, or indicators of fewer datasets; "
        "`GET /statistics/values/estimate` tells what a question would read.",
        "该查询将读取 {slices} 个分片的至多 {values} 个数值，单次上限为 {most}。请减少期间、缩小地区或减少数据集；"
        "可先用 GET /statistics/values/estimate 估算。",
    )


class QuestionTooSlow(Problem):
    """A question that took longer than one may."""

    status = 422
    title = Text("Question too slow", "查询超时")
    sentence = Text(
        "The answer was not ready after {seconds} seconds and was given up. Ask for fewer periods, dimensions or regions, "
        "or keep it as a report, which has more time.",
        "查询在 {seconds} 秒内未完成，已放弃。请减少期间、维度或地区，或保存为报表（时限更长）。",
    )


class FormatNotOffered(Problem):
    """An answer was asked for in a form that there is not."""

    status = 406
    title = Text("Format not offered", "不提供该格式")
    sentence = Text(
        "The answer is given as {offered}; `Accept` asks for '{given}'. `format` chooses by name: {names}.",
        "结果可提供 {offered}；Accept 要求“{given}”。也可用 format 指定：{names}。",
    )


class DisclosureTooCostly(Problem):
    """A question for which too many cells would have to be looked at to decide what is withheld."""

    status = 422
    title = Text("Disclosure too costly", "隐匿判定代价过高")
    sentence = Text(
        "To decide what is withheld, up to {cells} cells would have to be looked at, of all regions of this node; at most "
        "{most} are for one question. Ask for fewer dimensions, a coarser region_level, or months rather than days.",
        "判定隐匿单元格须查看本节点全部地区至多 {cells} 个单元格，单次上限为 {most}。请减少维度、提高地区层级，或改按月查询。",
    )
