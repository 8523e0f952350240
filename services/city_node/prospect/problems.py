"""Why something about prospects is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class ProspectNotFound(Problem):
    """There is no such prospect, or none of a customer of the caller's unit."""

    status = 404
    title = Text("Prospect not found", "潜在大客户不存在")
    sentence = Text(
        "There is no prospect {prospect} within your unit's scope.",
        "在您所属单位的数据范围内没有潜在大客户 {prospect}。",
    )


class ProspectStateUnfit(Problem):
    """A prospect is in a state in which this cannot be done."""

    status = 409
    title = Text("State of the prospect does not allow it", "潜在大客户状态不符")
    sentence = Text(
        "The prospect is {state}; this takes one that is {needed}.",
        "该潜在大客户的状态为 {state}，此操作要求状态为 {needed}。",
    )


class ProspectOpen(Problem):
    """A prospect was to be taken up again whose customer is an open one meanwhile."""

    status = 409
    title = Text("Another prospect is open", "已有在办的潜在大客户记录")
    sentence = Text(
        "The customer is a prospect by {prospect}, which is open: work on that one.",
        "该客户已有在办的潜在大客户记录 {prospect}，请在其上跟进。",
    )


class StepNotFound(Problem):
    """The plan has no such step."""

    status = 404
    title = Text("Step not found", "培育步骤不存在")
    sentence = Text(
        "The prospect's plan has no step {number}.",
        "该潜在大客户的培育计划中没有第 {number} 步。",
    )


class StepDone(Problem):
    """A step was done already."""

    status = 409
    title = Text("Step done already", "培育步骤已完成")
    sentence = Text(
        "Step {number} was done on {at}: {outcome}.",
        "第 {number} 步已于 {at} 完成：{outcome}。",
    )
