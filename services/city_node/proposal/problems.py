"""Why something about a proposal is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class ProposalNotFound(Problem):
    """There is no such proposal, or none about a customer that the caller's unit may see."""

    status = 404
    title = Text("Proposal not found", "变更申请不存在")
    sentence = Text(
        "There is no proposal {proposal} within your unit's scope.",
        "在您所属单位的数据范围内没有变更申请 {proposal}。",
    )


class ProposalWaiting(Problem):
    """Somebody else's proposal about the customer waits to be decided."""

    status = 409
    title = Text("Another proposal waits", "已有待审批的变更申请")
    sentence = Text(
        "Proposal {proposal} of {by} about this customer waits: let it be decided or withdrawn first.",
        "该客户已有 {by} 提交的待审批申请 {proposal}：请先审批或撤回。",
    )


class ProposalDecided(Problem):
    """A proposal was decided already."""

    status = 409
    title = Text("Proposal decided", "变更申请已办结")
    sentence = Text(
        "This proposal is {state}: only a pending one can be decided or withdrawn.",
        "该变更申请状态为 {state}：只能办理待审批的申请。",
    )


class ProposalStale(Problem):
    """The fields that a proposal changes are no longer as its proposer saw them."""

    status = 409
    title = Text("Proposal is stale", "变更申请已过时")
    sentence = Text(
        "What this proposal changes was changed since it was made (the customer had version {seen}): reject it, and let it be proposed anew.",
        "该申请提交后（当时版本 {seen}）所涉字段已被变更：请驳回并重新提交。",
    )


class NotTheProposer(Problem):
    """Somebody else than the proposer was to withdraw a proposal."""

    status = 403
    title = Text("Not the proposer", "非申请人")
    sentence = Text(
        "Only {by}, who proposed it, can withdraw this: others approve or reject it.",
        "只有申请人 {by} 可以撤回：其他人请审批或驳回。",
    )
