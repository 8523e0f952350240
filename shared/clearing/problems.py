"""What stands against disputing a day, and against closing a month."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class NothingToDispute(Problem):
    """There is no statement of that day with that neighbour, or no difference of that item."""

    status = 422
    title = Text("Nothing to dispute", "无可争议事项")
    sentence = Text(
        "There is no statement with {neighbour} of {day}, or no difference of the item named. `GET /clearing/statements` "
        "and `GET /clearing/differences` list those there are.",
        "没有与 {neighbour} 在 {day} 的对账单，或没有所指明细的差异；可查询 GET /clearing/statements 与 GET /clearing/differences。",
    )


class DisputeAlreadyOpen(Problem):
    """The same matter is in dispute already."""

    status = 409
    title = Text("Dispute already open", "争议已提出")
    sentence = Text("Dispute {dispute} is about this already.", "争议 {dispute} 已就此提出。")


class DisputeNotFound(Problem):
    """There is no such dispute."""

    status = 404
    title = Text("Dispute not found", "争议不存在")
    sentence = Text("There is no dispute {dispute} at this node.", "本节点没有争议 {dispute}。")


class DisputeStateUnfit(Problem):
    """The dispute is not in the state that this needs."""

    status = 409
    title = Text("Dispute state unfit", "争议状态不符")
    sentence = Text(
        "The dispute is {state}; this is possible only while it is {needed}.",
        "该争议状态为 {state}，仅在 {needed} 状态下可执行。",
    )


class MonthNotOver(Problem):
    """A month is closed once it is over."""

    status = 409
    title = Text("Month not over", "月份未结束")
    sentence = Text(
        "{month} is not over: it can be closed from the first day of the month after it.",
        "{month} 尚未结束，须次月起方可结账。",
    )


class MonthUnsettled(Problem):
    """Days of the month are not agreed with a neighbour, or an earlier month is open."""

    status = 409
    title = Text("Month unsettled", "月份未对平")
    sentence = Text(
        "{month} is not settled: {count} day(s) are not agreed, the first with {neighbour} on {day}. Wait for the "
        "statements, or give a `reason` for closing it all the same.",
        "{month} 未对平：有 {count} 日未一致，首个为与 {neighbour} 的 {day}。请等待对账，或填写 reason 强制结账。",
    )


class EarlierMonthOpen(Problem):
    """Months are closed in their order."""

    status = 409
    title = Text("Earlier month open", "前月未结账")
    sentence = Text(
        "{earlier} has entries and is open: months are closed in their order.",
        "{earlier} 有账目且未结账，须按月份顺序结账。",
    )


class MonthClosed(Problem):
    """The month is closed already."""

    status = 409
    title = Text("Month closed", "月份已结账")
    sentence = Text("{month} was closed by {by} at {at}.", "{month} 已由 {by} 于 {at} 结账。")


class ClosingNotProposed(Problem):
    """Nobody has proposed to close the month."""

    status = 409
    title = Text("Closing not proposed", "尚未提出结账")
    sentence = Text(
        "Nobody has proposed to close {month}: the first person does so with `POST /clearing/months/{month}/propose`.",
        "尚无人提出对 {month} 结账，请先由一人执行 POST /clearing/months/{month}/propose。",
    )
