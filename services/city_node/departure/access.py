"""Who may keep the catalogue of departures."""

from shared.capability import Permission, Role
from shared.kernel.language import Text

MANAGE = "departure:manage"

permissions = (
    Permission(
        MANAGE,
        Text(
            "keep the reasons for leaving, their retention periods and the competitors",
            "维护离网原因及保留期限、竞争对手目录",
        ),
        frozenset({Role.SUPERVISOR}),
    ),
)
