"""Why a merge, or its undo, is refused."""

from collections.abc import Sequence

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class MergeNotFound(Problem):
    """There is no such merge, or none of a customer that the caller's unit may see."""

    status = 404
    title = Text("Merge not found", "合并记录不存在")
    sentence = Text(
        "There is no merge {merge} within your unit's scope.",
        "在您所属单位的数据范围内没有合并记录 {merge}。",
    )


class MergeWithItself(Problem):
    """A profile was to be merged into itself."""

    status = 422
    title = Text("Merge with itself", "不能与自身合并")
    sentence = Text(
        "`survivor_id` and `merged_id` name the same profile: name the two that are of one customer.",
        "survivor_id 与 merged_id 是同一档案：请填写同一客户的两份档案。",
    )


class RequestOpen(Problem):
    """One of the two asked to see, correct or erase personal data, and has no answer yet."""

    status = 409
    title = Text("Request about personal data open", "个人信息请求未办结")
    sentence = Text(
        "Customer {customer} has a request about personal data that is not answered yet: end it first (`GET /subject-requests`).",
        "客户 {customer} 有未办结的个人信息请求：请先办结（GET /subject-requests）。",
    )


class KindsDiffer(Problem):
    """A person and a group were to be merged."""

    status = 409
    title = Text("Kinds of customer differ", "客户类型不同")
    sentence = Text(
        "{survivor} and {merged} are not of one kind: an individual and a group are never one customer.",
        "{survivor} 与 {merged} 客户类型不同：个人客户与集团客户不能合并。",
    )


class SurvivorRetained(Problem):
    """A customer in the network was to be merged into one who has left."""

    status = 409
    title = Text("Survivor has left", "保留方已离网")
    sentence = Text(
        "{survivor} has left and {merged} is in the network: let {merged} be the survivor.",
        "{survivor} 已离网而 {merged} 在网：请以 {merged} 为保留方。",
    )


class MergeOver(Problem):
    """A merge that was undone, or is too old, was to be undone."""

    status = 409
    title = Text("Merge cannot be undone any more", "合并已不能撤销")
    sentence = Text(
        "The merge of {at} is {state}: there is nothing that could be put back.",
        "{at} 的合并状态为 {state}：没有可恢复的内容。",
    )


class ChangedSinceMerge(Problem):
    """What a merge had set or moved was changed since, so that it cannot be put back as it was."""

    status = 409
    title = Text("Changed since the merge", "合并后已有变更")
    sentence = Text(
        "{count} thing(s) that the merge set or moved were changed since; `errors` lists them (100 at most). Nothing was undone.",
        "合并所设置或转移的内容中有 {count} 处此后已变更，见 errors（最多列出 100 处）。未撤销任何内容。",
    )

    def __init__(self, places: Sequence[str]) -> None:
        super().__init__(
            faults=[Fault(place, "changed since the merge") for place in places[:100]],
            count=len(places),
        )
