"""Why something about a repair is refused at the counter."""

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class EstimateOutdated(Problem):
    """The customer's word is about an estimate that is not the last one."""

    status = 409
    title = Text("Estimate outdated", "报价已更新")
    sentence = Text(
        "Request {id} has estimate {last} by now, not {given}: show the customer that one.",
        "请求 {id} 的最新报价为第 {last} 号，而非第 {given} 号，请向客户出示最新报价。",
    )


class TooManyEstimates(Problem):
    """The cost has been estimated as often as is reasonable."""

    status = 409
    title = Text("Too many estimates", "报价次数过多")
    sentence = Text(
        "Request {id} has {most} estimates already: agree on the last one, or cancel.",
        "请求 {id} 已报价 {most} 次，请以最后一次为准或取消请求。",
    )


class CostAboveAgreed(Problem):
    """More is to be charged than the customer has agreed to."""

    status = 409
    title = Text("Cost above what was agreed", "费用超出已同意的报价")
    sentence = Text(
        "The customer agreed to {agreed} fen, and this is {given}: make a new estimate and ask again.",
        "客户同意的费用为 {agreed} 分，现为 {given} 分：请重新报价并征得客户同意。",
    )


class GoodwillTooHigh(Problem):
    """More is to be let off than the customer has to pay."""

    status = 422
    title = Text("Goodwill too high", "酌情减免过高")
    sentence = Text(
        "The customer has to pay {most} fen, so that no more can be let off.",
        "客户应付 {most} 分，减免不得超过此数。",
    )

    def __init__(self, most: int) -> None:
        super().__init__(faults=[Fault("/goodwill_fen", f"at most {most}")], most=most)


class ReceiptMissing(Problem):
    """The customer pays, and no receipt is named."""

    status = 422
    title = Text("Receipt missing", "缺少收据号")
    sentence = Text(
        "The customer pays {customer_fen} fen: name the receipt that was given for it.",
        "客户支付 {customer_fen} 分，请填写所开收据的号码。",
    )

    def __init__(self, customer_fen: int) -> None:
        super().__init__(faults=[Fault("/receipt", "missing")], customer_fen=customer_fen)


class AlreadyRated(Problem):
    """The customer has answered already."""

    status = 409
    title = Text("Already answered", "客户已评价")
    sentence = Text(
        "The customer has said already how satisfied they are with request {id}; it is kept as it was said.",
        "客户已对请求 {id} 作出评价，评价不再更改。",
    )
