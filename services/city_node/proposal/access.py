"""Who may approve, and who may say what is sensitive."""

from typing import Annotated

from fastapi import Depends

from services.city_node.customer.access import WRITE
from services.city_node.customer.service import Desk
from shared.access import Principal, require
from shared.capability import Conflict, Context, Permission, Role
from shared.kernel.edge import Now, Transaction
from shared.kernel.language import Text

APPROVE = "customer:approve"
FIELDS = "sensitive-field:write"

permissions = (
    Permission(
        APPROVE,
        Text(
            "approve or reject what others propose to change about customers",
            "审批他人提交的客户敏感字段变更",
        ),
        frozenset({Role.SUPERVISOR}),
    ),
    Permission(
        FIELDS,
        Text("say which fields of customers are sensitive", "设定客户敏感字段"),
        frozenset({Role.OPERATOR}),
    ),
)

conflicts = (
    Conflict(
        frozenset({WRITE}),
        frozenset({APPROVE}),
        Text(
            "who proposed a change of a sensitive field does not approve it",
            "提出与批准敏感字段变更不得为同一人",
        ),
        of_one_change=True,
    ),
)

MaySetFields = Annotated[Principal, Depends(require(FIELDS))]


async def approving_desk(
    principal: Annotated[Principal, Depends(require(APPROVE))],
    session: Transaction,
    now: Now,
    context: Context,
) -> Desk:
    """Return where the caller approves, in the request's transaction."""
    return Desk(session, principal, now, context.cipher, context.settings.code)


AtApprovingDesk = Annotated[Desk, Depends(approving_desk)]
