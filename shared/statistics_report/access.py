"""Who may read and keep reports."""

from typing import Annotated

from fastapi import Depends

from shared.access import Principal, require
from shared.capability import Permission, Role
from shared.kernel.language import Text

READ = "report:read"
WRITE = "report:write"

permissions = (
    Permission(
        READ,
        Text("see the reports of one's unit and download their files", "查看本单位报表并下载文件"),
        frozenset(
            {
                Role.ACCOUNT_MANAGER,
                Role.SUPERVISOR,
                Role.PROVINCE_COORDINATOR,
                Role.HQ_ANALYST,
                Role.OPERATOR,
                Role.INTEGRATION,
            }
        ),
    ),
    Permission(
        WRITE,
        Text("keep, change, run and delete reports of figures", "新建、修改、运行、删除统计报表"),
        frozenset({Role.SUPERVISOR, Role.PROVINCE_COORDINATOR, Role.HQ_ANALYST, Role.INTEGRATION}),
    ),
)
KEEPERS = permissions[1].roles
"""The roles that a report's owner may have when it runs; each of them may read figures."""

Reader = Annotated[Principal, Depends(require(READ))]
Writer = Annotated[Principal, Depends(require(WRITE))]
