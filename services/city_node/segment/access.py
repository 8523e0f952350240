"""Who may do what with segments."""

from typing import Annotated

from fastapi import Depends

from shared.access import Principal, require
from shared.capability import Permission, Role
from shared.kernel.language import Text

READ = "segment:read"
WRITE = "segment:write"

permissions = (
    Permission(
        READ,
        Text("see the segments of one's unit and their members", "查看本单位客户群及其成员"),
        frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.SUPERVISOR, Role.INTEGRATION}),
    ),
    Permission(
        WRITE,
        Text("make, change, lock and delete segments", "新建、修改、锁定、删除客户群"),
        frozenset({Role.ACCOUNT_MANAGER, Role.SUPERVISOR}),
    ),
)

Reader = Annotated[Principal, Depends(require(READ))]
Writer = Annotated[Principal, Depends(require(WRITE))]
