"""What stands against receiving and cancelling orders of cards."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class CardOrderNotFound(Problem):
    """There is no such order, or it is of a hall that the caller does not see."""

    status = 404
    title = Text("Card order not found", "订购单不存在")
    sentence = Text(
        "There is no order {order} of cards in your units. `GET /card-orders` lists those there are.",
        "您所辖单位内没有订购单 {order}，可用 GET /card-orders 查询。",
    )


class CardOrderEnded(Problem):
    """An order that was received or cancelled is not cancelled again."""

    status = 409
    title = Text("Card order ended", "订购单已结束")
    sentence = Text(
        "The order is {state} already: there is nothing left to cancel.",
        "该订购单状态为 {state}，无可取消的余量。",
    )


class NothingInTransit(Problem):
    """No card of the order is on its way."""

    status = 409
    title = Text("Nothing in transit", "无在途卡")
    sentence = Text(
        "No card of this order is in transit: everything that the supplier has advised was received, or written off as lost (name such cards to receive them). If a box is here that it has not advised, receive it when it has.",
        "该订购单无在途卡：供应商已通知发货的均已收货或核销（已核销的卡到货时，请列明卡号收货）。如有未获发货通知的到货，请待通知后再收。",
    )


class CardsNotInTransit(Problem):
    """Cards that are to be received, or written off, are not on their way by this order."""

    status = 409
    title = Text("Cards not in transit", "卡不在该单在途范围")
    sentence = Text(
        "{count} of the cards are not in transit by this order; `errors` names up to {most} of them. Nothing was changed.",
        "有 {count} 张卡不在该订购单的在途范围，errors 列出其中至多 {most} 张；未作任何更改。",
    )


class CardStockNotFound(Problem):
    """The unit is no active one that the caller sees."""

    status = 404
    title = Text("Card stock not found", "单位卡库存不存在")
    sentence = Text(
        "{unit} is no active unit at or below yours. `GET /card-stocks` lists those that are.",
        "{unit} 不是您本单位或下属的有效单位，可用 GET /card-stocks 查询。",
    )


class CardLossNotFound(Problem):
    """There is no such loss, or it is of a hall that the caller does not see."""

    status = 404
    title = Text("Card loss not found", "卡遗失记录不存在")
    sentence = Text(
        "There is no loss {loss} of cards in your units. `GET /card-losses` lists those there are.",
        "您所辖单位内没有卡遗失记录 {loss}，可用 GET /card-losses 查询。",
    )


class CardLossProposed(Problem):
    """A loss of the order's cards waits for a decision."""

    status = 409
    title = Text("Card loss proposed already", "已有待审批的遗失核销")
    sentence = Text(
        "Loss {loss} of this order waits for somebody to decide it: approve or reject it first.",
        "该订购单的遗失核销 {loss} 尚待审批，请先批准或驳回。",
    )


class LostCardsArrived(Problem):
    """Every card of a loss has arrived since it was proposed."""

    status = 409
    title = Text("Lost cards arrived", "拟核销的卡已到货")
    sentence = Text(
        "None of the cards of this loss is in transit any more: they have arrived meanwhile. Reject the loss.",
        "拟核销的卡均已到货，无需核销，请驳回。",
    )


class CardLossDecided(Problem):
    """A loss that is decided was to be decided again."""

    status = 409
    title = Text("Card loss is decided", "遗失核销已审批")
    sentence = Text(
        "This loss is {state}: there is nothing left to decide.",
        "该遗失核销的状态为 {state}，无需再审批。",
    )
