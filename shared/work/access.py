"""Who may see and cancel long work."""

from typing import Annotated

from fastapi import Depends

from shared.access import Principal, require
from shared.capability import Permission, Role
from shared.kernel.language import Text

READ = "work:read"
SUPERVISE = "work:supervise"

permissions = (
    Permission(
        READ,
        Text("follow and cancel long work that one asked for", "查看、取消本人发起的后台任务"),
        frozenset(Role),
    ),
    Permission(
        SUPERVISE,
        Text("follow and cancel long work of one's unit", "查看、取消本单位的后台任务"),
        frozenset({Role.SUPERVISOR, Role.OPERATOR}),
    ),
)

Reader = Annotated[Principal, Depends(require(READ))]
