"""Who may do what with loan handsets."""

from typing import Annotated

from fastapi import Depends

from shared.access import Principal, require
from shared.capability import Permission, Role
from shared.kernel.language import Text

READ = "loan-handset:read"
KEEP = "loan-handset:keep"

permissions = (
    Permission(
        READ,
        Text("See the stock of loan handsets", "查看备用机库存"),
        frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.SUPERVISOR, Role.OPERATOR}),
    ),
    Permission(
        KEEP,
        Text("Load, restock and withdraw loan handsets", "备用机入库、恢复与报废"),
        frozenset({Role.SUPERVISOR, Role.OPERATOR}),
    ),
)

Reader = Annotated[Principal, Depends(require(READ))]
Keeper = Annotated[Principal, Depends(require(KEEP))]
