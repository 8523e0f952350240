"""Repair as data: its states, who may move them, its limits and its reasons of refusal."""

from datetime import timedelta
from enum import StrEnum

from services.city_node.service_request.kind import EXPIRED, START, Kind, Move, Party, State
from shared.clearing.schemas import RECORDED
from shared.kernel.language import Text

HOME, VISITED = Party.HOME, Party.VISITED

ASKED = "guanxi.repair.asked.v1"
CONFIRMED = "guanxi.repair.confirmed.v1"
REFUSED = "guanxi.repair.refused.v1"
PROGRESSED = "guanxi.repair.progressed.v1"
DECLINED = "guanxi.repair.declined.v1"
CANCELLED = "guanxi.repair.cancelled.v1"
EXPIRED_AT_VISITED = "guanxi.repair.expired.v1"
CLOSED = "guanxi.repair.closed.v1"
RATED = "guanxi.repair.rated.v1"


class Reason(StrEnum):
    """Why the home node refuses."""

    SUBSCRIPTION_UNKNOWN = "subscription-unknown"
    IDENTITY_MISMATCH = "identity-mismatch"
    NOT_ACTIVE = "not-active"
    IN_TRANSFER = "in-transfer"
    REPAIR_UNDER_WAY = "repair-under-way"
    DEADLINE_PASSED = "deadline-passed"
    GIVEN_UP = "given-up"
    REQUEST_UNKNOWN = "request-unknown"


UNDECIDED = ("asked", "confirmed", "estimated")
"""Where nothing has been agreed yet, so that the clock may end it."""
AT_WORK = ("agreed", "revised")
"""Where the handset is in the workshop and the customer may have another meanwhile."""
LONG = timedelta(days=30)
"""What a handset may lie in the workshop, or ready to be fetched, before a person should look."""
NOBODY_OWES = Text(
    "The home city's promise: nobody owes anything", "归属地的承担承诺，双方均无需承担费用"
)
THIS_CITY_BEARS = Text(
    "The home city's part; once the handset is returned, the visited city bears it",
    "归属地承担部分；已取机的由受理地承担",
)

KIND = Kind(
    code="repair",
    name=Text("Cross-region repair", "跨地区维修"),
    states=(
        State("asked", Text("Asked", "待归属地核验"), awaits=HOME),
        State("confirmed", Text("Confirmed", "已核验待报价"), VISITED, patience=LONG),
        State("estimated", Text("Estimated", "已报价待客户同意"), awaits=VISITED),
        State("agreed", Text("Agreed, being repaired", "客户已同意维修中"), VISITED, patience=LONG),
        State("revised", Text("Estimated anew", "已重新报价待客户同意"), VISITED, patience=LONG),
        State("repaired", Text("Ready to be picked up", "已修待取机"), VISITED, patience=LONG),
        State(
            "returned",
            Text("Returned to the customer", "已取机待归属地登记"),
            HOME,
            patience=timedelta(hours=4),
        ),
        State("completed", Text("Completed", "已完成"), final=True),
        State("declined", Text("Declined by the customer", "客户不同意报价"), final=True),
        State("refused", Text("Refused", "已拒绝"), final=True),
        State("cancelled", Text("Cancelled", "已取消"), final=True),
        State(EXPIRED, Text("Expired", "已超时"), final=True),
    ),
    moves=(
        Move(VISITED, "asked", (START,), "asked", by=VISITED),
        Move(VISITED, "confirmed", ("asked",), "confirmed", by=HOME),
        Move(VISITED, "estimated", ("confirmed", "estimated"), "estimated", by=VISITED),
        Move(VISITED, "revised", AT_WORK, "revised", by=VISITED),
        Move(VISITED, "agreed", ("estimated", "revised"), "agreed", by=VISITED),
        Move(VISITED, "declined", ("estimated", "revised"), "declined", VISITED, NOBODY_OWES),
        Move(VISITED, "repaired", ("agreed",), "repaired", by=VISITED),
        Move(
            VISITED,
            "not-repairable",
            ("confirmed", "estimated", *AT_WORK),
            "repaired",
            by=VISITED,
        ),
        Move(VISITED, "returned", ("repaired",), "returned", by=VISITED),
        Move(VISITED, "recorded", ("returned",), "completed", by=HOME),
        Move(VISITED, "refused", ("asked", "returned"), "refused", HOME, THIS_CITY_BEARS),
        Move(VISITED, "cancelled", (*UNDECIDED, *AT_WORK), "cancelled", VISITED, NOBODY_OWES),
        Move(VISITED, EXPIRED, UNDECIDED, EXPIRED, VISITED, NOBODY_OWES),
        Move(HOME, "confirmed", (START,), "confirmed", by=HOME),
        Move(HOME, "refused", (START,), "refused", by=HOME),
        Move(HOME, "recorded", ("confirmed",), "completed", by=HOME),
        Move(HOME, "declined", ("confirmed",), "declined", VISITED, NOBODY_OWES),
        Move(HOME, "cancelled", ("confirmed",), "cancelled", VISITED, NOBODY_OWES),
        Move(HOME, EXPIRED, ("confirmed",), EXPIRED, VISITED, NOBODY_OWES),
    ),
    follows=True,
    messages={
        (VISITED, "asked"): ASKED,
        (HOME, "confirmed"): CONFIRMED,
        (HOME, "refused"): REFUSED,
        (VISITED, "estimated"): PROGRESSED,
        (VISITED, "revised"): PROGRESSED,
        (VISITED, "agreed"): PROGRESSED,
        (VISITED, "repaired"): PROGRESSED,
        (VISITED, "not-repairable"): PROGRESSED,
        (VISITED, "declined"): DECLINED,
        (VISITED, "cancelled"): CANCELLED,
        (VISITED, EXPIRED): EXPIRED_AT_VISITED,
        (VISITED, "returned"): CLOSED,
        (HOME, "recorded"): RECORDED,
    },
    time_limit=timedelta(days=3),
    home_grace=timedelta(0),  # only the visited node knows whether the customer has agreed
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
            "The number is suspended: it has to be restored by its home city first.",
            "该号码已停机，须先由归属地恢复。",
        ),
        Reason.IN_TRANSFER: Text(
            "The customer is moving to another city at this moment: ask again when that has ended.",
            "该客户正在办理转网，请待其办结后重新提交。",
        ),
        Reason.REPAIR_UNDER_WAY: Text(
            "A handset of this IMEI is being repaired under another request: finish or cancel that one first.",
            "该 IMEI 的终端另有维修请求正在办理，请先完成或取消。",
        ),
        Reason.DEADLINE_PASSED: Text(
            "The time for this request had passed when its home city was reached: ask again.",
            "到达归属地时请求已超过办理时限，请重新提交。",
        ),
        Reason.GIVEN_UP: Text(
            "The home city had closed this request already and bears nothing of the cost.",
            "归属地已关闭此请求，不承担费用。",
        ),
        Reason.REQUEST_UNKNOWN: Text(
            "The home city has no record of this request and bears nothing of the cost.",
            "归属地没有此请求的记录，不承担费用。",
        ),
    },
)

PROGRESS = {
    "estimated": Text("The cost was estimated.", "已报价。"),
    "revised": Text("A new estimate was made.", "已重新报价。"),
    "agreed": Text("The customer agreed to the cost.", "客户已同意报价。"),
    "lent": Text("A loan handset was lent.", "已借出备用机。"),
    "loan-ended": Text("The loan of the handset ended.", "备用机借用已结束。"),
    "goodwill": Text(
        "The visited city bears a part of the cost by goodwill.", "受理地酌情承担部分费用。"
    ),
    "repaired": Text("The handset is ready to be picked up.", "终端已可取回。"),
    "not-repairable": Text("The handset cannot be repaired.", "终端无法修复。"),
}
"""What the visited node tells of on the way, by event: it moves nothing at home, whose people can follow it."""
