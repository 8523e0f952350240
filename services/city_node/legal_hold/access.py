"""Who may hold records, and lift a hold."""

from shared.capability import Permission, Role
from shared.kernel.language import Text

HOLD = "customer:hold"

permissions = (
    Permission(
        HOLD,
        Text(
            "place a legal hold on a customer's records, and lift it as one of two people",
            "设置法律保全，并经双人复核解除",
        ),
        frozenset({Role.SUPERVISOR}),
    ),
)
