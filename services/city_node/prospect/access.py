"""Who may work on prospects, assign them and search for them."""

from typing import Annotated

from fastapi import Depends

from services.city_node.customer.service import Desk
from services.city_node.prospect.life import BY_HAND, MOVES
from services.city_node.prospect.models import Act
from shared.access import Principal, require
from shared.capability import Action, Context, Permission, Role
from shared.kernel.edge import Now, Transaction
from shared.kernel.language import Text

WORK = "prospect:work"
ASSIGN = "prospect:assign"
FIND = "prospect:find"

permissions = (
    Permission(
        WORK,
        Text(
            "qualify, nurture, drop and take up prospects", "确认、培育、放弃和重新跟进潜在大客户"
        ),
        frozenset({Role.ACCOUNT_MANAGER, Role.SUPERVISOR}),
    ),
    Permission(
        ASSIGN,
        Text("assign prospects to account managers", "向客户经理分派潜在大客户"),
        frozenset({Role.SUPERVISOR}),
    ),
    Permission(
        FIND,
        Text(
            "search the city for prospects, and try drafts of their policy",
            "在全市查找潜在大客户，用政策草案试算",
        ),
        frozenset({Role.SUPERVISOR, Role.OPERATOR}),
    ),
)

DONE = {act: Action(f"prospect.{MOVES[act].to.value}" if act is not Act.REOPEN else "prospect.reopened", MOVES[act].title) for act in BY_HAND}  # fmt: skip
"""What moves leave in the audit log."""
ASSIGNED = Action("prospect.assigned", Text("A prospect was assigned", "分派潜在大客户"))
STEPPED = Action("prospect.stepped", Text("A step of a prospect's plan was done", "完成培育步骤"))
ASKED = Action("prospect.asked", Text("A search for prospects was asked for", "发起潜在大客户查找"))
TRIED = Action("prospect.tried", Text("A draft of the policy of prospects was tried", "发起潜在大客户政策试算"))  # fmt: skip
ONE = Action("prospect.one", Text("One customer was looked at as a prospect", "查找单个潜在大客户"))
actions = (*DONE.values(), ASSIGNED, STEPPED, ASKED, TRIED, ONE)


def _desk(permission: str) -> object:
    async def desk(
        principal: Annotated[Principal, Depends(require(permission))],
        session: Transaction,
        now: Now,
        context: Context,
    ) -> Desk:
        return Desk(session, principal, now, context.cipher, context.settings.code)

    return Depends(desk)


AtWork = Annotated[Desk, _desk(WORK)]
AtAssigning = Annotated[Desk, _desk(ASSIGN)]
MayFind = Annotated[Principal, Depends(require(FIND))]
