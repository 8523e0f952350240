"""Who may do what with offers."""

from typing import Annotated

from fastapi import Depends

from services.city_node.offer.counter import Counter
from shared import audit
from shared.access import Principal, require
from shared.capability import Conflict, Context, Permission, Role
from shared.kernel.edge import Now, Transaction
from shared.kernel.language import Text

READ = "offer:read"
WRITE = "offer:write"
GRANT = "offer:grant"
APPROVE = "offer:approve"

_COUNTER = frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.SUPERVISOR})
_SUPERVISOR = frozenset({Role.SUPERVISOR})

permissions = (
    Permission(
        READ,
        Text(
            "read offers, their cost, and which a customer of one's unit has or may have",
            "查询优惠及其成本，以及本单位客户已享和可享的优惠",
        ),
        _COUNTER | {Role.INTEGRATION},
    ),
    Permission(
        WRITE,
        Text("keep the catalogue of offers, their quotas and budgets", "维护优惠目录、配额与预算"),
        _SUPERVISOR,
    ),
    Permission(
        GRANT,
        Text(
            "grant offers, note their use, give uses back, and cancel grants",
            "发放优惠、登记使用、冲正和取消",
        ),
        _COUNTER,
    ),
    Permission(
        APPROVE,
        Text("approve or refuse grants that others propose", "审批他人提交的优惠发放"),
        _SUPERVISOR,
    ),
)

conflicts = (
    Conflict(
        frozenset({GRANT}),
        frozenset({APPROVE}),
        Text(
            "who proposed to grant an offer does not approve it",
            "提出与批准优惠发放不得为同一人",
        ),
        of_one_change=True,
    ),
)

Reader = Annotated[Principal, Depends(require(READ))]


def counter_for(permission: str) -> object:
    """Return the dependency that gives where holders of ``permission`` work, in the request's transaction."""

    async def counter(
        principal: Annotated[Principal, Depends(require(permission))],
        session: Transaction,
        now: Now,
        context: Context,
    ) -> Counter:
        actor, scope = audit.Actor.of(principal), principal.unit_path
        return Counter(session, actor, scope, now, context.cipher, context.settings.code)

    return Depends(counter)


AtKeeping = Annotated[Counter, counter_for(WRITE)]
AtGranting = Annotated[Counter, counter_for(GRANT)]
AtApproving = Annotated[Counter, counter_for(APPROVE)]
