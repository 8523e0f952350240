"""Who may do what with points."""

from typing import Annotated

from fastapi import Depends

from services.city_node.customer.service import Desk
from shared.access import Principal, require
from shared.capability import Context, Permission, Role
from shared.kernel.edge import Now, Transaction
from shared.kernel.language import Text

READ = "points:read"
TRANSFER = "points:transfer"
ADJUST = "points:adjust"
APPROVE = "points:approve"
FREEZE = "points:freeze"
ANALYSE = "points:analyse"
RUN = "points:run"

_COUNTER = frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.SUPERVISOR})
_SUPERVISOR = frozenset({Role.SUPERVISOR})

permissions = (
    Permission(
        READ,
        Text("read the points of the customers of one's unit", "查询本单位客户积分"),
        _COUNTER | {Role.INTEGRATION},
    ),
    Permission(
        TRANSFER,
        Text("give points of one customer to another, as they ask", "办理客户之间积分转赠"),
        _COUNTER,
    ),
    Permission(
        ADJUST,
        Text(
            "adjust points; more than the policy's limit wait for a second person",
            "调整积分（超过规则上限须复核）",
        ),
        frozenset({Role.ACCOUNT_MANAGER, Role.SUPERVISOR}),
    ),
    Permission(
        APPROVE,
        Text("approve or reject adjustments that others ask for", "复核他人提交的积分调整"),
        _SUPERVISOR,
    ),
    Permission(FREEZE, Text("freeze and unfreeze points", "冻结、解冻积分"), _SUPERVISOR),
    Permission(
        ANALYSE,
        Text("read the liability of one's unit", "查询本单位积分负债"),
        frozenset({Role.SUPERVISOR, Role.AUDITOR}),
    ),
    Permission(
        RUN,
        Text("have bills accrue and points expire now", "立即执行账单积分与积分到期"),
        frozenset({Role.SUPERVISOR, Role.OPERATOR}),
    ),
)

Reader = Annotated[Principal, Depends(require(READ))]
Analyst = Annotated[Principal, Depends(require(ANALYSE))]
Runner = Annotated[Principal, Depends(require(RUN))]


def desk_for(permission: str) -> object:
    """Return the dependency that gives where holders of ``permission`` work, in the request's transaction."""

    async def desk(
        principal: Annotated[Principal, Depends(require(permission))],
        session: Transaction,
        now: Now,
        context: Context,
    ) -> Desk:
        return Desk(session, principal, now, context.cipher, context.settings.code)

    return Depends(desk)


AtTransferDesk = Annotated[Desk, desk_for(TRANSFER)]
AtAdjustingDesk = Annotated[Desk, desk_for(ADJUST)]
AtApprovingDesk = Annotated[Desk, desk_for(APPROVE)]
AtFreezingDesk = Annotated[Desk, desk_for(FREEZE)]
