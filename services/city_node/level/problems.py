"""Why something about levels is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class AppointmentNotFound(Problem):
    """There is no such appointment, or none of a customer whom the caller may see."""

    status = 404
    title = Text("Appointment not found", "级别特批不存在")
    sentence = Text(
        "There is no appointment {appointment} within your unit's scope.",
        "在您所属单位的数据范围内没有级别特批 {appointment}。",
    )


class AppointmentStateUnfit(Problem):
    """An appointment is not in the state that an act needs."""

    status = 409
    title = Text("Appointment is in another state", "级别特批状态不符")
    sentence = Text(
        "Appointment {appointment} is {state}; this needs it to be {needed}.",
        "级别特批 {appointment} 状态为 {state}，须为 {needed} 方可操作。",
    )


class AppointmentTermInvalid(Problem):
    """An appointment would be over before it begins, or is over already."""

    status = 422
    title = Text("Term invalid", "特批期限无效")
    sentence = Text(
        "`until` has to lie after `since` and after today, {today}.",
        "until 须晚于 since，且晚于今天（{today}）。",
    )


class LevelApproverIsProposer(Problem):
    """Whoever proposed something about levels wanted to approve it."""

    status = 403
    title = Text("Second person needed", "须由他人审批")
    sentence = Text(
        "{by} proposed this: it takes a second person to approve it.",
        "该申请由 {by} 提出，须由另一人审批。",
    )


class LevelsNotEvaluated(Problem):
    """A review was to be drawn up before levels were ever evaluated."""

    status = 409
    title = Text("Levels were not evaluated", "尚未评定级别")
    sentence = Text(
        "Levels were never evaluated on this node: do so first with `POST /level-evaluations`.",
        "本节点尚未评定客户级别，请先执行 POST /level-evaluations。",
    )


class ReviewNotFound(Problem):
    """There is no such review, or none of the caller's unit."""

    status = 404
    title = Text("Review not found", "级别评审不存在")
    sentence = Text(
        "There is no review of levels {review} within your unit's scope.",
        "在您所属单位的数据范围内没有级别评审 {review}。",
    )


class ReviewOpen(Problem):
    """A unit was to have a second open review."""

    status = 409
    title = Text("A review is open", "已有未结束的级别评审")
    sentence = Text(
        "Unit {unit} has an open review already, {review}: decide about it first.",
        "单位 {unit} 已有未结束的级别评审 {review}，请先处理。",
    )


class ReviewStateUnfit(Problem):
    """A review is not in the state that an act needs."""

    status = 409
    title = Text("Review is in another state", "级别评审状态不符")
    sentence = Text(
        "Review {review} is {state}; this needs it to be {needed}.",
        "级别评审 {review} 状态为 {state}，须为 {needed} 方可操作。",
    )


class NotOnTheReview(Problem):
    """Somebody who is not on the list was to be left out."""

    status = 422
    title = Text("Not on the list", "客户不在名单内")
    sentence = Text(
        "{count} of the customers are not on the list of this review; nobody was left out.",
        "有 {count} 个客户不在该评审名单内，未作任何更改。",
    )
