"""Who may redeem, and who may take it back."""

from typing import Annotated

from services.city_node.customer.service import Desk
from services.city_node.points.access import desk_for
from shared.capability import Permission, Role
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

AtCounter = Annotated[Desk, desk_for(REDEEM)]
AtReversingDesk = Annotated[Desk, desk_for(REVERSE)]
