"""Why something about periods and restatements is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class MonthNeeded(Problem):
    """A day was to be closed by itself."""

    status = 422
    title = Text("Not a month", "不是月份")
    sentence = Text(
        "{period} is a day: months are closed, and their days with them. Name the month, such as {month}.",
        "{period} 是日期：结账按月进行，当月各日随月结账。请填写月份，如 {month}。",
    )


class ReportingMonthNotOver(Problem):
    """A month was to be closed before its end."""

    status = 409
    title = Text("Month not over", "月份尚未结束")
    sentence = Text(
        "{month} is not over: it can be closed from {from_} on.",
        "{month} 尚未结束：{from_} 起方可结账。",
    )


class SlicesMissing(Problem):
    """A month was to be closed while slices are missing, and nobody said why."""

    status = 409
    title = Text("Slices missing", "统计报送不全")
    sentence = Text(
        "{count} slice(s) of {month} and its days have not come, from: {nodes}. Wait for them, or give a `reason` for closing without them.",
        "{month} 及其各日尚缺 {count} 份统计，涉及：{nodes}。请等待上报，或填写 reason 说明缺报结账的原因。",
    )


class ReportingMonthClosed(Problem):
    """A month was to be closed that is closed."""

    status = 409
    title = Text("Month closed", "该月已结账")
    sentence = Text(
        "{month} is closed already: reopen it first if it is to be closed anew.",
        "{month} 已结账：如需重新结账，请先反结账。",
    )


class MonthOpen(Problem):
    """A month was to be reopened that is open."""

    status = 409
    title = Text("Month open", "该月未结账")
    sentence = Text("{month} is open: there is nothing to reopen.", "{month} 未结账，无需反结账。")


class ProposalOpen(Problem):
    """Something was proposed for a month of which another proposal is undecided."""

    status = 409
    title = Text("Proposal undecided", "已有待审批的申请")
    sentence = Text(
        "{by} has proposed to {act} {month}: a second person decides that first.",
        "{by} 已申请对 {month} 执行 {act}：请先由他人审批。",
    )


class ProposalOfAnother(Problem):
    """A proposal was to be taken back by somebody who did not make it."""

    status = 403
    title = Text("Proposal of another", "他人的申请")
    sentence = Text(
        "{by} proposed this: who proposed it takes it back, and others reject it.",
        "此项由 {by} 申请：仅申请人可撤回，他人可驳回。",
    )


class ReportingProposalNotFound(Problem):
    """There is no undecided proposal for a month."""

    status = 404
    title = Text("Nothing proposed", "没有待审批的申请")
    sentence = Text(
        "Nobody has proposed to close or reopen {month}.", "没有对 {month} 的结账或反结账申请。"
    )


class OnlyHqCloses(Problem):
    """A month was to be closed elsewhere than at HQ, or by a part of it."""

    status = 403
    title = Text("Only HQ closes months", "仅总部可结账")
    sentence = Text(
        "Months are closed and reopened at HQ by its own staff; this is {here}, and you are of {unit}.",
        "结账与反结账由总部本级人员办理；本节点为 {here}，您所属单位为 {unit}。",
    )


class RestatementNotFound(Problem):
    """There is no such restatement."""

    status = 404
    title = Text("Restatement not found", "重述不存在")
    sentence = Text(
        "No slice {id} of a closed month waits here for a decision, or was decided.",
        "本节点没有编号为 {id} 的重述申请。",
    )


class RestatementDecided(Problem):
    """A restatement was decided already, or a newer one has taken its place."""

    status = 409
    title = Text("Restatement decided", "重述已办结")
    sentence = Text(
        "This restatement is {state}: only one that is pending can be decided.",
        "该重述状态为 {state}：只有待审批的重述可以办理。",
    )


class NotAbove(Problem):
    """A city was to decide its own restatement."""

    status = 403
    title = Text("Decided above the city", "须由上级审批")
    sentence = Text(
        "A city's restatement is decided at its province or at HQ; this is {here}.",
        "地市的重述由其所属省或总部审批；本节点为 {here}。",
    )


class RestatementUnexplained(Problem):
    """A period of a closed month was to be counted anew without saying why."""

    status = 422
    title = Text("Reason needed", "须说明原因")
    sentence = Text(
        "{period} belongs to a month that is closed: what is counted anew is a restatement. Say why in `reason`.",
        "{period} 所在月份已结账：重新汇总即为重述，请在 reason 中说明原因。",
    )
