"""Who may do what with the catalogue of rewards."""

from typing import Annotated

from fastapi import Depends

from shared.access import Principal, require
from shared.capability import Permission, Role
from shared.kernel.language import Text

READ = "reward:read"
MANAGE = "reward:manage"

permissions = (
    Permission(
        READ,
        Text("read the catalogue of rewards", "查询礼品目录"),
        frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.SUPERVISOR, Role.INTEGRATION}),
    ),
    Permission(
        MANAGE,
        Text("keep the catalogue of rewards and their stock", "维护礼品目录与库存"),
        frozenset({Role.SUPERVISOR}),
    ),
)

Reader = Annotated[Principal, Depends(require(READ))]
Keeper = Annotated[Principal, Depends(require(MANAGE))]
