"""Who may redeem, and who may take it back."""

from typing import Annotated

from fastapi import Depends

from services.city_node.customer.service import Desk
from services.city_node.points.access import desk_for
from services.city_node.redemption.service import Counter
from shared.access import Principal, require
from shared.capability import Context, Permission, Role
from shared.kernel.edge import HotTransaction, Now
from shared.kernel.language import Text

REDEEM = "points:redeem"
REVERSE = "points:reverse"

permissions = (
    Permission(
        REDEEM,
        Text(
            "redeem points for rewards, hand them over, cancel what was not handed over",
            "办理积分兑换、交付及未交付撤销",
        ),
        frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.SUPERVISOR, Role.INTEGRATION}),
    ),
    Permission(
        REVERSE,
        Text("reverse redemptions whose reward was handed over", "已交付兑换的冲正"),
        frozenset({Role.SUPERVISOR}),
    ),
)


async def counter(
    principal: Annotated[Principal, Depends(require(REDEEM))],
    connection: HotTransaction,
    now: Now,
    context: Context,
) -> Counter:
    """Return where the caller redeems points, in the request's transaction."""
    return Counter(connection, context.database, principal, now, context.settings.code)


AtCounter = Annotated[Counter, Depends(counter)]
AtSettlingDesk = Annotated[Desk, desk_for(REDEEM)]
AtReversingDesk = Annotated[Desk, desk_for(REVERSE)]
