"""Who may merge."""

from typing import Annotated

from fastapi import Depends

from services.city_node.customer.service import Desk
from shared.access import Principal, require
from shared.capability import Context, Permission, Role
from shared.kernel.edge import Now, Transaction
from shared.kernel.language import Text

MERGE = "customer:merge"

permissions = (
    Permission(
        MERGE,
        Text(
            "review duplicates, merge profiles and undo it", "审核疑似重复客户、合并档案及撤销合并"
        ),
        frozenset({Role.SUPERVISOR}),
    ),
)

MayMerge = Annotated[Principal, Depends(require(MERGE))]


async def merging_desk(
    principal: MayMerge, session: Transaction, now: Now, context: Context
) -> Desk:
    """Return where the caller merges, in the request's transaction."""
    return Desk(session, principal, now, context.cipher, context.settings.code)


AtMergingDesk = Annotated[Desk, Depends(merging_desk)]
