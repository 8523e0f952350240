"""Payments and their reversals as data: states, who may move them, and reasons of refusal.

Neither kind is ended by the clock: where money has changed hands, only the home city's word settles whose it is. The
time limit says from when on a request that still waits wants somebody's attention.
"""

from datetime import timedelta
from enum import StrEnum

from services.city_node.service_request.kind import START, Kind, Move, Party, State
from shared.clearing.schemas import CREDITED, REVERSED
from shared.kernel.language import Text

HOME, VISITED = Party.HOME, Party.VISITED

TAKEN = "guanxi.payment.taken.v1"
REFUSED = "guanxi.payment.refused.v1"
GIVEN_BACK = "guanxi.payment.given-back.v1"
REVERSAL_ASKED = "guanxi.payment-reversal.asked.v1"
REVERSAL_REFUSED = "guanxi.payment-reversal.refused.v1"
REVERSAL_GIVEN_BACK = "guanxi.payment-reversal.given-back.v1"
ATTENTION = timedelta(minutes=30)
"""How long the home city's word may take before a clerk should look: the link is down, or a message is parked."""
HAND_OUT = timedelta(days=1)
"""How long cash that is to be given back may wait for the customer before a person should look."""
REVERSIBLE_FOR = timedelta(hours=24)
"""How old a payment may be that is reversed, by its visited city's clock; the till wants the same business day, too."""


class Reason(StrEnum):
    """Why the home city does not credit a payment."""

    SUBSCRIPTION_UNKNOWN = "subscription-unknown"
    IN_TRANSFER = "in-transfer"
    GIVEN_UP = "given-up"


class ReversalReason(StrEnum):
    """Why the home city does not take a payment back."""

    PAYMENT_UNKNOWN = "payment-unknown"
    ALREADY_REVERSED = "already-reversed"
    AMOUNT_DIFFERS = "amount-differs"
    TOO_LATE = "too-late"
    LINE_ENDED = "line-ended"
    IN_TRANSFER = "in-transfer"
    SPENT = "spent"
    GIVEN_UP = "given-up"


MONEY_GOES_BACK = Text("The cash is handed back over the counter", "现金退还客户")
CREDIT_IS_TAKEN_BACK = Text(
    "The credit, and the bills that it has paid, the newest first",
    "入账款项及其所缴账单（自最近一期起）",
)
_GIVEN_UP = Text(
    "The home city had refused this before it was restored from a backup, and keeps its word.",
    "归属地由备份恢复前已拒绝此请求，维持原答复。",
)

PAYMENT = Kind(
    code="payment",
    name=Text("Cross-region payment", "跨地区缴费"),
    states=(
        State("taken", Text("Taken, to be credited", "已收款待入账"), HOME, patience=ATTENTION),
        State("credited", Text("Credited", "已入账"), final=True),
        State(
            "to_give_back",
            Text("Refused, to be given back", "被拒待退款"),
            VISITED,
            patience=HAND_OUT,
        ),
        State("given_back", Text("Given back", "已退款"), final=True),
        State("refused", Text("Refused", "已拒绝"), final=True),
    ),
    moves=(
        Move(VISITED, "taken", (START,), "taken", by=VISITED),
        Move(VISITED, "credited", ("taken",), "credited", by=HOME),
        Move(VISITED, "refused", ("taken",), "to_give_back", HOME, MONEY_GOES_BACK),
        Move(VISITED, "given-back", ("to_give_back",), "given_back", by=VISITED),
        Move(HOME, "credited", (START,), "credited", by=HOME),
        Move(HOME, "refused", (START,), "refused", by=HOME),
    ),
    follows=True,
    messages={
        (VISITED, "taken"): TAKEN,
        (HOME, "credited"): CREDITED,
        (HOME, "refused"): REFUSED,
        (VISITED, "given-back"): GIVEN_BACK,
    },
    time_limit=ATTENTION,
    home_grace=timedelta(),
    refusals={
        Reason.SUBSCRIPTION_UNKNOWN: Text(
            "The home city has no such number in use. Give the money back; check the number and the home city.",
            "归属地没有该在用号码。请退款，并核对号码与归属地。",
        ),
        Reason.IN_TRANSFER: Text(
            "The customer is moving to another city at this moment. Give the money back, or take it again when that has ended.",
            "该客户正在办理转网。请退款，待转网办结后重新缴费。",
        ),
        Reason.GIVEN_UP: _GIVEN_UP,
    },
)

REVERSAL = Kind(
    code="payment-reversal",
    name=Text("Reversal of a cross-region payment", "跨地区缴费冲正"),
    states=(
        State("asked", Text("Asked", "待归属地冲正"), HOME, patience=ATTENTION),
        State(
            "to_give_back",
            Text("Reversed, to be given back", "已冲正待退款"),
            VISITED,
            patience=HAND_OUT,
        ),
        State("given_back", Text("Given back", "已退款"), final=True),
        State("reversed", Text("Reversed", "已冲正"), final=True),
        State("refused", Text("Refused", "已拒绝"), final=True),
    ),
    moves=(
        Move(VISITED, "asked", (START,), "asked", by=VISITED),
        Move(VISITED, "reversed", ("asked",), "to_give_back", HOME, MONEY_GOES_BACK),
        Move(VISITED, "refused", ("asked",), "refused", by=HOME),
        Move(VISITED, "given-back", ("to_give_back",), "given_back", by=VISITED),
        Move(HOME, "reversed", (START,), "reversed", HOME, CREDIT_IS_TAKEN_BACK),
        Move(HOME, "refused", (START,), "refused", by=HOME),
    ),
    messages={
        (VISITED, "asked"): REVERSAL_ASKED,
        (HOME, "reversed"): REVERSED,
        (HOME, "refused"): REVERSAL_REFUSED,
        (VISITED, "given-back"): REVERSAL_GIVEN_BACK,
    },
    time_limit=ATTENTION,
    home_grace=timedelta(),
    refusals={
        ReversalReason.PAYMENT_UNKNOWN: Text(
            "The home city has credited no such payment.", "归属地没有此笔入账。"
        ),
        ReversalReason.ALREADY_REVERSED: Text(
            "The home city has taken this payment back already.", "归属地已冲正此笔缴费。"
        ),
        ReversalReason.AMOUNT_DIFFERS: Text(
            "A payment is reversed whole: the amount is not the one that was credited.",
            "冲正须为原金额，所报金额与入账金额不符。",
        ),
        ReversalReason.TOO_LATE: Text(
            "The payment is older than 24 hours: ask the home city for a refund.",
            "缴费已超过 24 小时，请向归属地申请退费。",
        ),
        ReversalReason.LINE_ENDED: Text(
            "The line has ended since, and its account was settled: ask the home city for a refund.",
            "该用户已离网结清，请向归属地申请退费。",
        ),
        ReversalReason.IN_TRANSFER: Text(
            "The customer is moving to another city at this moment: ask the home city for a refund.",
            "该客户正在办理转网，请向归属地申请退费。",
        ),
        ReversalReason.SPENT: Text(
            "What was paid is not there any more, nor in bills that it could be taken out of.",
            "款项已使用，无法从余额或账单中冲回。",
        ),
        ReversalReason.GIVEN_UP: _GIVEN_UP,
    },
)

__all__ = [
    "CREDITED",
    "GIVEN_BACK",
    "PAYMENT",
    "REFUSED",
    "REVERSAL",
    "REVERSAL_ASKED",
    "REVERSAL_GIVEN_BACK",
    "REVERSAL_REFUSED",
    "REVERSED",
    "TAKEN",
]
