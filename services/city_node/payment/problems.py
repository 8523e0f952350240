"""What stands against reversing a payment, and against a receipt number."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class PaymentNotReversible(Problem):
    """Only a payment that was credited, and that nobody is reversing, can be reversed."""

    status = 409
    title = Text("Payment not reversible", "缴费不可冲正")
    sentence = Text(
        "Payment {payment} is {state}: only one that is credited, and has no reversal under way or done, can be reversed.",
        "缴费 {payment} 状态为 {state}：仅已入账且未冲正、无在途冲正的缴费可冲正。",
    )


class PaymentHasLine(Problem):
    """The payment was credited to a line: there is nothing to allocate."""

    status = 409
    title = Text("Payment has its line", "缴费已有所属用户")
    sentence = Text(
        "Payment {payment} was not credited at this node, or to a line: only one whose line was lost is allocated.",
        "缴费 {payment} 未在本节点入账，或已计入用户账户；仅所属用户缺失的入账可分配。",
    )


class LineUnknown(Problem):
    """The line does not exist, has ended, or belongs to units that the caller does not see."""

    status = 422
    title = Text("Line unknown", "用户不存在")
    sentence = Text(
        "There is no line {subscription} in use in your units.",
        "您所辖单位内没有在用用户 {subscription}。",
    )


class ReversalTooLate(Problem):
    """A payment is reversed on the business day on which it was taken."""

    status = 409
    title = Text("Reversal too late", "已过冲正时限")
    sentence = Text(
        "Payment {payment} was taken on {day}: it can be reversed on that day only. Ask the home city for a refund.",
        "缴费 {payment} 于 {day} 收取，仅限当日冲正；请向归属地申请退费。",
    )


class ReversalByCashier(Problem):
    """Whoever took the money does not reverse the payment."""

    status = 403
    title = Text("Reversal needs another person", "冲正须由他人办理")
    sentence = Text(
        "You took this payment yourself: another supervisor has to reverse it.",
        "该笔缴费由您本人收取，须由其他主管办理冲正。",
    )


class ReceiptMistyped(Problem):
    """The check digits do not agree with the rest of the number."""

    status = 422
    title = Text("Receipt number mistyped", "收据号有误")
    sentence = Text(
        "{number} is no receipt number: a digit is wrong, or two are exchanged. It has 24 digits.",
        "{number} 不是有效收据号：有数字错误或颠倒。收据号共 24 位。",
    )


class ReceiptOfOtherCity(Problem):
    """The number is well formed, and another city's."""

    status = 404
    title = Text("Receipt of another city", "他市收据")
    sentence = Text(
        "{number} is a receipt of city {city}: ask there.",
        "{number} 为 {city} 出具的收据，请向该市查询。",
    )


class ReceiptUnknown(Problem):
    """The number is well formed, and this city has given no such receipt."""

    status = 404
    title = Text("Receipt unknown", "收据不存在")
    sentence = Text(
        "This city has given no receipt {number}, or to a hall that is not yours.",
        "本市未出具过收据 {number}，或不在您所辖单位。",
    )
