"""Who may follow events."""

from typing import Annotated

from fastapi import Depends

from shared.access import Principal, require
from shared.capability import Permission, Role
from shared.kernel.language import Text

READ = "event:read"

permissions = (
    Permission(
        READ,
        Text("follow what happens in one's unit", "跟踪本单位发生的事件"),
        frozenset({Role.INTEGRATION, Role.OPERATOR, Role.SUPERVISOR}),
    ),
)

Reader = Annotated[Principal, Depends(require(READ))]
