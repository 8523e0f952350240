"""Why something about rewards is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class RewardNotFound(Problem):
    """The catalogue has no such reward."""

    status = 404
    title = Text("Reward not found", "礼品不存在")
    sentence = Text(
        "There is no reward {code}: list them at `GET /rewards`.",
        "没有礼品 {code}，请查询 GET /rewards。",
    )


class RewardTaken(Problem):
    """The catalogue has a reward of that code."""

    status = 409
    title = Text("Code in use", "代码已存在")
    sentence = Text(
        "There is a reward {code} already: change that one, or choose another code.",
        "礼品 {code} 已存在：请修改该项，或换用其他代码。",
    )

    def __init__(self, code: str) -> None:
        super().__init__(faults=[Fault("/code", "in use")], code=code)


class RewardNotOffered(Problem):
    """A reward cannot be had on this day or at this customer's level."""

    status = 409
    title = Text("Reward is not offered", "礼品不可兑换")
    sentence = Text(
        "Reward {code} is offered from {since} until {until}, for levels {levels}; today is {today}, the customer's level {level}.",
        "礼品 {code} 的兑换期为 {since} 至 {until}，适用级别 {levels}；今天是 {today}，客户级别 {level}。",
    )


class StockShort(Problem):
    """More were wanted than are left."""

    status = 409
    title = Text("Out of stock", "库存不足")
    sentence = Text(
        "{left} of reward {code} are left, and {wanted} were asked for.",
        "礼品 {code} 剩余 {left} 件，需要 {wanted} 件。",
    )


class StockUnlimited(Problem):
    """The stock of a reward was to be changed that has none."""

    status = 409
    title = Text("Reward has no stock", "礼品不计库存")
    sentence = Text(
        "Reward {code} is not counted: there is no stock to change.",
        "礼品 {code} 不计库存，无需调整。",
    )
