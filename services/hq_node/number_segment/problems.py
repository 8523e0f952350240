"""What stands against changing number segments."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class SegmentsInvalid(Problem):
    """A change names a segment twice, or a home that is no city."""

    status = 422
    title = Text("Number segments invalid", "号段数据有误")
    sentence = Text(
        "{count} of the segments are wrong; `errors` names up to {most} of them. Nothing was changed.",
        "有 {count} 个号段有误，errors 列出其中至多 {most} 个；未作任何更改。",
    )


class ChangeNotFound(Problem):
    """There is no such change."""

    status = 404
    title = Text("Change not found", "号段变更不存在")
    sentence = Text(
        "There is no change {id} of number segments. `GET /number-segment-changes` lists those there are.",
        "没有号段变更 {id}，可用 GET /number-segment-changes 查询。",
    )


class ChangeDecided(Problem):
    """The change was published or rejected already."""

    status = 409
    title = Text("Change decided already", "号段变更已处理")
    sentence = Text(
        "Change {id} was {state} already, by {by}.",
        "号段变更 {id} 已由 {by} 处理（{state}）。",
    )


class ConflictsChanged(Problem):
    """The change conflicts with something that was not shown when it was looked at."""

    status = 409
    title = Text("Conflicts changed", "冲突已变化")
    sentence = Text(
        "The table has changed since: change {id} conflicts with other segments now. Look at its conflicts again.",
        "号段表已有变化，变更 {id} 的冲突与所示不同，请重新查看。",
    )
