"""Who may appoint, review and approve levels."""

from typing import Annotated

from fastapi import Depends

from services.city_node.customer.service import Desk
from shared.access import Principal, require
from shared.capability import Action, Conflict, Context, Permission, Role
from shared.kernel.edge import Now, Transaction
from shared.kernel.language import Text

APPOINT = "level:appoint"
REVIEW = "level:review"
APPROVE = "level:approve"

permissions = (
    Permission(
        APPOINT,
        Text("propose to grant a customer a level by appointment", "申请特批客户级别"),
        frozenset({Role.ACCOUNT_MANAGER, Role.SUPERVISOR}),
    ),
    Permission(
        REVIEW,
        Text("draw up a review of levels, and leave customers out", "发起级别评审，剔除个别客户"),
        frozenset({Role.SUPERVISOR}),
    ),
    Permission(
        APPROVE,
        Text("approve appointments and reviews of others", "审批他人提交的级别特批和评审"),
        frozenset({Role.SUPERVISOR}),
    ),
)
conflicts = (
    Conflict(
        frozenset({APPOINT, REVIEW}),
        frozenset({APPROVE}),
        Text(
            "who proposed an appointment or drew up a review does not approve it",
            "提出与批准级别特批、评审不得为同一人",
        ),
        of_one_change=True,
    ),
)

PROPOSED = Action("level-appointment.proposed", Text("A level by appointment was proposed", "申请特批级别"))  # fmt: skip
DECIDED = Action("level-appointment.decided", Text("A level by appointment was decided about", "处理级别特批"))  # fmt: skip
REVIEW_MADE = Action("level-review.made", Text("A review of levels was drawn up", "发起级别评审"))
REVIEW_CHANGED = Action("level-review.changed", Text("Customers were left out of a review", "调整级别评审名单"))  # fmt: skip
REVIEW_DECIDED = Action("level-review.decided", Text("A review of levels was decided about", "处理级别评审"))  # fmt: skip
REVIEW_APPLIED = Action("level-review.applied", Text("A review of levels was applied", "执行级别评审结果"))  # fmt: skip
actions = (PROPOSED, DECIDED, REVIEW_MADE, REVIEW_CHANGED, REVIEW_DECIDED, REVIEW_APPLIED)


def _desk(permission: str) -> object:
    async def desk(
        principal: Annotated[Principal, Depends(require(permission))],
        session: Transaction,
        now: Now,
        context: Context,
    ) -> Desk:
        return Desk(session, principal, now, context.cipher, context.settings.code)

    return Depends(desk)


AtAppointing = Annotated[Desk, _desk(APPOINT)]
AtReviewing = Annotated[Desk, _desk(REVIEW)]
AtApproving = Annotated[Desk, _desk(APPROVE)]
MayReview = Annotated[Principal, Depends(require(REVIEW))]
