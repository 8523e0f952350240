"""Who may hold records, and lift a hold."""

from shared.capability import Conflict, Permission, Role
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

conflicts = (
    Conflict(
        frozenset({HOLD}),
        frozenset({HOLD}),
        Text(
            "who proposed to lift a legal hold does not approve it",
            "提出与批准解除法律保全不得为同一人",
        ),
        of_one_change=True,
    ),
)
