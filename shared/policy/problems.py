"""Why something about a policy is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class PolicyKindUnknown(Problem):
    """There is no such kind of policy."""

    status = 404
    title = Text("Unknown kind of policy", "政策种类不存在")
    sentence = Text(
        "This node knows no policy '{kind}'; it knows: {known}.",
        "本节点没有“{kind}”这种政策；现有：{known}。",
    )


class VersionNotFound(Problem):
    """There is no such version of a policy here."""

    status = 404
    title = Text("Version not found", "政策版本不存在")
    sentence = Text(
        "Version {number} of the {kind} policy by {publisher} is not known to this node.",
        "本节点没有 {publisher} 发布的 {kind} 政策第 {number} 版。",
    )


class DraftNotFound(Problem):
    """There is no such draft of a policy."""

    status = 404
    title = Text("Draft not found", "政策草案不存在")
    sentence = Text(
        "There is no such draft of a policy at this node: {draft}.",
        "本节点没有该政策草案：{draft}。",
    )


class PlaceUnknown(Problem):
    """A node was asked what is in force at another that is neither above nor below it."""

    status = 404
    title = Text("Place not known here", "不掌握该地政策")
    sentence = Text(
        "Node {here} knows what is in force at itself, above and below; {at} is none of these: ask there, or at HQ.",
        "节点 {here} 只掌握本级、上级和下级的政策，{at} 不在其中：请到该地或总部查询。",
    )


class PolicyInvalid(Problem):
    """A policy does not have the form of its kind, or breaks one of its rules."""

    status = 422
    title = Text("Policy invalid", "政策无效")
    sentence = Text(
        "{count} place(s) in the {kind} policy are wrong; `errors` names each. Nothing was changed.",
        "{kind} 政策中有 {count} 处错误，见 errors；未作任何更改。",
    )


class PolicyOutsideBounds(Problem):
    """An override leaves the bounds of the national policy."""

    status = 422
    title = Text("Outside the bounds", "超出允许范围")
    sentence = Text(
        "The override leaves the bounds that HQ has set ({national}) in {count} place(s); `errors` names each, the limit and what was given. Nothing was changed.",
        "该调整有 {count} 处超出总部设定的范围（{national}），见 errors；未作任何更改。",
    )


class DraftDecided(Problem):
    """A draft was published, rejected or withdrawn already."""

    status = 409
    title = Text("Draft decided", "草案已办结")
    sentence = Text("This draft is {state}: make a new one.", "该草案状态为 {state}：请另拟草案。")


class NotTheDrafter(Problem):
    """Somebody else than its drafter was to change a draft or take it back."""

    status = 403
    title = Text("Not the drafter", "非拟稿人")
    sentence = Text(
        "Only {by}, who drafted it, can change this or take it back: others publish or reject it.",
        "只有拟稿人 {by} 可以修改或撤回：其他人请发布或驳回。",
    )


class PublisherIsNode(Problem):
    """Somebody of a part of a node was to draft or publish its policy."""

    status = 403
    title = Text("Not for part of a node", "须为全节点人员")
    sentence = Text(
        "A policy holds for all of node {here}: those of unit {unit} can read it, and only those of {here} itself draft or publish it.",
        "政策适用于整个节点 {here}：单位 {unit} 的人员可查看，拟定和发布须由 {here} 本级人员办理。",
    )


class NotThePublisher(Problem):
    """A version was to be withdrawn by another node than its publisher."""

    status = 409
    title = Text("Not the publisher", "非发布节点")
    sentence = Text(
        "Node {publisher} published this, and it alone can withdraw it; this is {here}. HQ ends an override by narrowing its bounds.",
        "该版本由节点 {publisher} 发布，只有它可以撤销；本节点为 {here}。总部可通过收紧范围使下级调整失效。",
    )


class VersionWithdrawn(Problem):
    """A version was withdrawn already."""

    status = 409
    title = Text("Version withdrawn", "版本已撤销")
    sentence = Text(
        "{by} withdrew this version at {at}: publish a new one if it is to hold again.",
        "该版本已由 {by} 于 {at} 撤销：如需恢复，请发布新版本。",
    )
