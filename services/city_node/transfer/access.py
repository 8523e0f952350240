"""Who may do what about transfers."""

from shared.capability import Permission, Role
from shared.kernel.language import Text

ASK = "transfer:ask"

permissions = (
    Permission(
        ASK,
        Text(
            "Ask for a customer's transfer from another city, and cancel it", "提交、取消跨地区转网"
        ),
        frozenset({Role.CLERK, Role.SUPERVISOR, Role.ACCOUNT_MANAGER}),
    ),
)
