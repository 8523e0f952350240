"""Transfer as data: its states, who may move them, its limits and its reasons of refusal."""

from datetime import timedelta
from enum import StrEnum

from services.city_node.service_request.kind import EXPIRED, START, Kind, Move, Party, State
from shared.kernel.language import Text
from shared.ownership import MOVED

HOME, VISITED = Party.HOME, Party.VISITED

ASKED = "guanxi.transfer.asked.v1"
OFFERED = "guanxi.transfer.offered.v1"
RECORD = "guanxi.transfer.record.v1"
REFUSED = "guanxi.transfer.refused.v1"
PREPARED = "guanxi.transfer.prepared.v1"
NOT_TAKEN = "guanxi.transfer.not-taken.v1"
CANCELLED = "guanxi.transfer.cancelled.v1"
EXPIRED_AT_VISITED = "guanxi.transfer.expired.v1"
INQUIRED = "guanxi.transfer.inquired.v1"
HQ = "000000"
"""The node whose directory decides."""

LONG = timedelta(hours=4)
"""What a record may wait before a person is called: the nodes ask one another of their own accord long before."""
RECORD_IS_FORGOTTEN = Text("What has come of the record", "已接收的档案数据")
CUSTOMER_THAWS = Text("The freeze: the record can be changed again", "解除档案冻结")


class Reason(StrEnum):
    """Why a transfer is refused: by the old home, by the new one, or by HQ's directory."""

    SUBSCRIPTION_UNKNOWN = "subscription-unknown"
    IDENTITY_MISMATCH = "identity-mismatch"
    TRANSFER_UNDER_WAY = "transfer-under-way"
    BILLS_UNPAID = "bills-unpaid"
    BALANCE_LEFT = "balance-left"
    AGREEMENT_RUNNING = "agreement-running"
    GROUP_MEMBER = "group-member"
    MATTER_OPEN = "matter-open"
    POINTS_BOUND = "points-bound"
    REPLACEMENT_UNDER_WAY = "replacement-under-way"
    REPAIR_UNDER_WAY = "repair-under-way"
    LEGAL_HOLD = "legal-hold"
    RECORD_TOO_LARGE = "record-too-large"
    DEADLINE_PASSED = "deadline-passed"
    GIVEN_UP = "given-up"
    CUSTOMER_KNOWN = "customer-known"
    NUMBER_IN_USE = "number-in-use"
    CARD_KNOWN = "card-known"
    RECORD_UNFIT = "record-unfit"
    OWNED_ELSEWHERE = "owned-elsewhere"


KIND = Kind(
    code="transfer",
    name=Text("Cross-region transfer", "跨地区转网"),
    states=(
        State("asked", Text("Asked", "待归属地核验"), awaits=HOME),
        State("offered", Text("Record on the way", "档案传送中"), VISITED, patience=LONG),
        State("prepared", Text("Prepared", "已备妥待移交"), HOME, patience=LONG),
        State("moving", Text("Ownership moving", "归属移交中"), HOME, patience=LONG),
        State("completed", Text("Completed", "已完成"), final=True),
        State("refused", Text("Refused", "已拒绝"), final=True),
        State("cancelled", Text("Cancelled", "已取消"), final=True),
        State(EXPIRED, Text("Expired", "已超时"), final=True),
    ),
    moves=(
        Move(VISITED, "asked", (START,), "asked", by=VISITED),
        Move(VISITED, "offered", ("asked",), "offered", by=HOME),
        Move(VISITED, "prepared", ("offered",), "prepared", by=VISITED),
        Move(VISITED, "moved", ("prepared",), "completed", by=HOME),
        Move(
            VISITED,
            "refused",
            ("asked", "offered", "prepared"),
            "refused",
            HOME,
            RECORD_IS_FORGOTTEN,
        ),
        Move(VISITED, "refused", ("offered",), "refused", VISITED, RECORD_IS_FORGOTTEN),
        Move(VISITED, "cancelled", ("asked", "offered"), "cancelled", VISITED, RECORD_IS_FORGOTTEN),
        Move(VISITED, EXPIRED, ("asked", "offered"), EXPIRED, VISITED, RECORD_IS_FORGOTTEN),
        Move(HOME, "offered", (START,), "offered", by=HOME),
        Move(HOME, "refused", (START, "moving"), "refused", HOME, CUSTOMER_THAWS),
        Move(HOME, "prepared", ("offered",), "moving", by=VISITED),
        # HQ's word is the first that a restored node may hear of it.
        Move(HOME, "moved", (START, "offered", "moving"), "completed", by=HOME),
        Move(HOME, "refused", ("offered",), "refused", VISITED, CUSTOMER_THAWS),
        Move(HOME, "cancelled", ("offered",), "cancelled", VISITED, CUSTOMER_THAWS),
        Move(HOME, EXPIRED, ("offered",), EXPIRED, VISITED, CUSTOMER_THAWS),
    ),
    follows=True,
    messages={
        (VISITED, "asked"): ASKED,
        (HOME, "offered"): OFFERED,
        (HOME, "refused"): REFUSED,
        (VISITED, "prepared"): PREPARED,
        (VISITED, "refused"): NOT_TAKEN,
        (VISITED, "cancelled"): CANCELLED,
        (VISITED, EXPIRED): EXPIRED_AT_VISITED,
        (HOME, "moved"): MOVED,
    },
    borrowed=frozenset({MOVED}),
    time_limit=timedelta(hours=2),
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
        Reason.TRANSFER_UNDER_WAY: Text(
            "The customer is already moving to a city: that transfer has to end first.",
            "该客户另有转网正在办理，须待其办结。",
        ),
        Reason.BILLS_UNPAID: Text(
            "Bills are unpaid: pay them all, then ask again.", "尚有未缴账单，请缴清后重新提交。"
        ),
        Reason.BALANCE_LEFT: Text(
            "Money is left in an account of the customer's lines: it has to be paid out or used first.",
            "用户账户尚有余额，请先退款或用完后重新提交。",
        ),
        Reason.AGREEMENT_RUNNING: Text(
            "An agreement with the home city is running: it has to end or be ended first.",
            "与归属地的协议尚未到期，须先到期或解除。",
        ),
        Reason.GROUP_MEMBER: Text(
            "The customer belongs to a group of the home city, or is one that has members: end that first.",
            "该客户为归属地集团成员或有成员的集团，须先解除成员关系。",
        ),
        Reason.MATTER_OPEN: Text(
            "Something about the customer waits for a decision at home: a change, an appointment to a level, or a request about "
            "personal data.",
            "该客户在归属地尚有未决事项（资料变更、级别任命或个人信息请求），须先办结。",
        ),
        Reason.POINTS_BOUND: Text(
            "Points are frozen, or a redemption or adjustment of them is open: that has to end first.",
            "积分已冻结，或有未完结的兑换、调整，须先办结。",
        ),
        Reason.REPLACEMENT_UNDER_WAY: Text(
            "A card of the customer is being replaced in another city: that has to end first.",
            "该客户正在异地补卡，须先办结。",
        ),
        Reason.REPAIR_UNDER_WAY: Text(
            "A handset of the customer is being repaired in another city: that has to end first.",
            "该客户的手机正在异地维修，须先办结。",
        ),
        Reason.LEGAL_HOLD: Text(
            "The record must stay with its home city for the time being.",
            "该客户档案依法须暂留归属地。",
        ),
        Reason.RECORD_TOO_LARGE: Text(
            "The record is larger than can be sent: the home city's operator has to help.",
            "档案过大无法传送，请联系归属地运维。",
        ),
        Reason.DEADLINE_PASSED: Text(
            "The time for this request had passed when its home city was reached: ask again.",
            "到达归属地时请求已超过办理时限，请重新提交。",
        ),
        Reason.GIVEN_UP: Text(
            "The request had been given up before; the customer stays where they were. Ask again.",
            "该请求此前已放弃，客户归属不变，请重新提交。",
        ),
        Reason.CUSTOMER_KNOWN: Text(
            "Somebody is registered under this document here already: merge, or correct the document, before the transfer.",
            "受理地已有以该证件登记的客户，请先处理该档案再办理转网。",
        ),
        Reason.NUMBER_IN_USE: Text(
            "A number is in use here on another line: choose another, or end that line.",
            "号码在受理地已被使用，请另选号码或先终止该用户。",
        ),
        Reason.CARD_KNOWN: Text(
            "A SIM card of the customer is known here on another line.",
            "客户的卡在受理地已被登记使用。",
        ),
        Reason.RECORD_UNFIT: Text(
            "The record cannot be taken: the two cities run different releases, or it was damaged. Ask again after the upgrade.",
            "档案无法接收：两地系统版本不一致或档案受损，请升级后重新提交。",
        ),
        Reason.OWNED_ELSEWHERE: Text(
            "By HQ's directory the customer belongs to another city.",
            "据总部归属目录，该客户归属其他地市。",
        ),
    },
)
