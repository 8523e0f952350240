"""Card replacement as data: its states, who may move them, its limits and its reasons of refusal."""

from datetime import timedelta
from enum import StrEnum

from services.city_node.service_request.kind import EXPIRED, START, Kind, Move, Party, State
from shared.kernel.language import Text

HOME, VISITED = Party.HOME, Party.VISITED

ASKED = "guanxi.card-replacement.asked.v1"
APPROVED = "guanxi.card-replacement.approved.v1"
REFUSED = "guanxi.card-replacement.refused.v1"
CARD_WRITTEN = "guanxi.card-replacement.card-written.v1"
SWITCHED = "guanxi.card-replacement.switched.v1"
CANCELLED = "guanxi.card-replacement.cancelled.v1"
EXPIRED_AT_VISITED = "guanxi.card-replacement.expired.v1"

PROMISE_FALLS = Text(
    "The promise to switch; the old card goes on working", "换卡预留，旧卡继续有效"
)
CARD_GOES_BACK = Text("The reserved card goes back into stock", "预留的卡退回库存")
CARD_IS_SPOILED = Text("The card goes back into stock; once written, it is spoiled", "卡退回库存，已写卡的作废")  # fmt: skip


class Reason(StrEnum):
    """Why the home node refuses."""

    SUBSCRIPTION_UNKNOWN = "subscription-unknown"
    IDENTITY_MISMATCH = "identity-mismatch"
    NOT_ACTIVE = "not-active"
    BEYOND_CREDIT = "beyond-credit"
    REPLACEMENT_UNDER_WAY = "replacement-under-way"
    REPLACED_RECENTLY = "replaced-recently"
    IN_TRANSFER = "in-transfer"
    DEADLINE_PASSED = "deadline-passed"
    CARD_IN_USE = "card-in-use"
    GIVEN_UP = "given-up"
    REQUEST_UNKNOWN = "request-unknown"


KIND = Kind(
    code="card-replacement",
    name=Text("Cross-region card replacement", "跨地区补卡"),
    states=(
        State("asked", Text("Asked", "待归属地核验"), awaits=HOME),
        State("approved", Text("Approved", "已核准待写卡"), awaits=VISITED),
        State("written", Text("Card written", "已写卡待换卡"), HOME, patience=timedelta(hours=4)),
        State("completed", Text("Completed", "已完成"), final=True),
        State("refused", Text("Refused", "已拒绝"), final=True),
        State("cancelled", Text("Cancelled", "已取消"), final=True),
        State(EXPIRED, Text("Expired", "已超时"), final=True),
    ),
    moves=(
        Move(VISITED, "asked", (START,), "asked", by=VISITED),
        Move(VISITED, "approved", ("asked",), "approved", by=HOME),
        Move(VISITED, "card-written", ("approved",), "written", by=VISITED),
        Move(VISITED, "switched", ("written",), "completed", by=HOME),
        Move(
            VISITED, "refused", ("asked", "approved", "written"), "refused", HOME, CARD_IS_SPOILED
        ),
        Move(VISITED, "cancelled", ("asked", "approved"), "cancelled", VISITED, CARD_GOES_BACK),
        Move(VISITED, EXPIRED, ("asked", "approved"), EXPIRED, VISITED, CARD_GOES_BACK),
        Move(HOME, "approved", (START,), "approved", by=HOME),
        Move(HOME, "switched", ("approved",), "completed", by=HOME),
        Move(HOME, "refused", (START, "approved"), "refused", HOME, PROMISE_FALLS),
        Move(HOME, "cancelled", ("approved",), "cancelled", VISITED, PROMISE_FALLS),
        Move(HOME, EXPIRED, ("approved",), EXPIRED, VISITED, PROMISE_FALLS),
        Move(HOME, EXPIRED, ("approved",), EXPIRED, HOME, PROMISE_FALLS),
    ),
    follows=True,
    messages={
        (VISITED, "asked"): ASKED,
        (HOME, "approved"): APPROVED,
        (HOME, "refused"): REFUSED,
        (VISITED, "card-written"): CARD_WRITTEN,
        (HOME, "switched"): SWITCHED,
        (VISITED, "cancelled"): CANCELLED,
        (VISITED, EXPIRED): EXPIRED_AT_VISITED,
    },
    time_limit=timedelta(minutes=30),
    limits={
        "diamond": timedelta(minutes=15),
        "gold": timedelta(minutes=20),
        "silver": timedelta(minutes=25),
    },
    home_grace=timedelta(minutes=10),
    refusals={
        Reason.SUBSCRIPTION_UNKNOWN: Text(
            "The home city has no such number in use. Check the number and the home city.",
            "归属地没有该在用号码，请核对号码与归属地。",
        ),
        Reason.IDENTITY_MISMATCH: Text(
            "The document shown is not the one this number is registered under.",
            "所示证件与该号码的登记信息不符。",
        ),
        Reason.NOT_ACTIVE: Text(
            "The number is suspended or has no SIM in use: it has to be restored by its home city first.",
            "该号码已停机或没有在用的卡，须先由归属地恢复。",
        ),
        Reason.BEYOND_CREDIT: Text(
            "The customer owes more than their credit allows: take a payment first, then ask again.",
            "该客户欠费已超出信用额度，请先缴费后再办理。",
        ),
        Reason.REPLACEMENT_UNDER_WAY: Text(
            "Another replacement of this number's card is under way: finish or cancel that one first.",
            "该号码另有补卡请求正在办理，请先完成或取消。",
        ),
        Reason.REPLACED_RECENTLY: Text(
            "The card of this number has been replaced too often in the last 24 hours: ask again tomorrow.",
            "该号码 24 小时内补卡次数已达上限，请次日再办。",
        ),
        Reason.IN_TRANSFER: Text(
            "The customer is moving to another city: ask again when that has ended.",
            "该客户正在转网，请待转网办结后再办理。",
        ),
        Reason.DEADLINE_PASSED: Text(
            "The time for this request had passed when its home city was reached: ask again.",
            "到达归属地时请求已超过办理时限，请重新提交。",
        ),
        Reason.CARD_IN_USE: Text(
            "The home city knows the written card already: take it out of the stock and ask again with another.",
            "归属地已登记过所写的卡，请将其移出库存后换卡重办。",
        ),
        Reason.GIVEN_UP: Text(
            "The home city had closed this request already; the old card goes on working. Ask again.",
            "归属地已关闭此请求，旧卡继续有效，请重新提交。",
        ),
        Reason.REQUEST_UNKNOWN: Text(
            "The home city has no record of this request; the old card goes on working. Ask again.",
            "归属地没有此请求的记录，旧卡继续有效，请重新提交。",
        ),
    },
)

REPLACEMENTS_A_DAY = 2
"""How often a number's card may be replaced within :data:`A_DAY`."""

MORE_REPLACEMENTS_A_DAY = {"diamond": 4, "gold": 3}
"""The same for the levels that may have more."""

A_DAY = timedelta(hours=24)
