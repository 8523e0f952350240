"""Why something about points is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class PointsInsufficient(Problem):
    """More points were to be taken than there are to be used."""

    status = 409
    title = Text("Not enough points", "积分不足")
    sentence = Text(
        "Customer {customer} can use {available} points, and this takes {needed}.",
        "客户 {customer} 可用积分为 {available}，本次需要 {needed}。",
    )


class PointsFrozen(Problem):
    """Points of a frozen account were to be used."""

    status = 409
    title = Text("Points are frozen", "积分已冻结")
    sentence = Text(
        "The points of customer {customer} are frozen: bills go on earning, but nothing can be used until a supervisor unfreezes them.",
        "客户 {customer} 的积分已冻结：账单仍可积分，但在主管解冻前不能使用。",
    )


class PointsFew(Problem):
    """Fewer points were to be used than the policy lets."""

    status = 422
    title = Text("Too few points", "积分数低于下限")
    sentence = Text(
        "The policy asks for {minimum} points or more, and this is about {points}.",
        "按规则至少为 {minimum} 分，本次为 {points} 分。",
    )


class TransfersNotAllowed(Problem):
    """Customers may not give points to one another here."""

    status = 409
    title = Text("Transfers are not allowed", "不允许转赠积分")
    sentence = Text(
        "The points policy in force ({policy}) does not let customers give points to one another.",
        "现行积分规则（{policy}）不允许客户之间转赠积分。",
    )


class TransferToItself(Problem):
    """A customer was to give points to the same customer."""

    status = 422
    title = Text("Transfer to itself", "不能转赠给本人")
    sentence = Text(
        "The giver and the receiver are the same customer: name two.",
        "转出方与转入方为同一客户：请填写两个不同的客户。",
    )

    def __init__(self) -> None:
        super().__init__(faults=[Fault("/receiver_id", "the giver itself")])


class AdjustmentNotFound(Problem):
    """There is no such adjustment, or none of a customer that the caller's unit may see."""

    status = 404
    title = Text("Adjustment not found", "积分调整不存在")
    sentence = Text(
        "There is no adjustment {adjustment} within your unit's scope.",
        "在您所属单位的数据范围内没有积分调整 {adjustment}。",
    )


class AdjustmentDecided(Problem):
    """An adjustment that is decided was to be decided again."""

    status = 409
    title = Text("Adjustment is decided", "积分调整已处理")
    sentence = Text(
        "This adjustment is {state}: there is nothing left to decide.",
        "该积分调整的状态为 {state}，无需再处理。",
    )
