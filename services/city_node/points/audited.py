"""What points leave in the audit log, beside the ledger itself."""

from shared.capability import Action
from shared.kernel.language import Text

ACCRUED = Action("points.accrued", Text("Bills were given their points", "账单批量积分"))
EXPIRED = Action("points.expired", Text("Points that were over expired", "积分批量到期"))
ASKED = Action("points.adjustment_requested", Text("An adjustment was asked for", "申请调整积分"))
ADJUSTED = Action("points.adjusted", Text("Points were adjusted", "调整积分"))
REJECTED = Action("points.adjustment_rejected", Text("An adjustment was rejected", "驳回积分调整"))
TRANSFERRED = Action(
    "points.transferred", Text("Points were given to another customer", "转赠积分")
)
FROZEN = Action("points.frozen", Text("A customer's points were frozen", "冻结积分"))
UNFROZEN = Action("points.unfrozen", Text("A customer's points were unfrozen", "解冻积分"))

ACTIONS = (ACCRUED, EXPIRED, ASKED, ADJUSTED, REJECTED, TRANSFERRED, FROZEN, UNFROZEN)
