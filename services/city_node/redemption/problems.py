"""Why something about redemptions is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class RedemptionNotFound(Problem):
    """There is no such redemption, or none of a customer that the caller's unit may see."""

    status = 404
    title = Text("Redemption not found", "兑换记录不存在")
    sentence = Text(
        "There is no redemption {redemption} within your unit's scope.",
        "在您所属单位的数据范围内没有兑换记录 {redemption}。",
    )


class RedemptionStateUnfit(Problem):
    """A redemption is in a state in which this cannot be done."""

    status = 409
    title = Text("Redemption is in another state", "兑换状态不符")
    sentence = Text(
        "This redemption is {state}; this takes one that is {needed}.",
        "该兑换的状态为 {state}，此操作要求 {needed}。",
    )
