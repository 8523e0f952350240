"""Who may export."""

from typing import Annotated

from fastapi import Depends

from services.city_node.customer import access as customer_access
from services.city_node.segment import access as segment_access
from shared.access import Principal, require
from shared.capability import Permission, Role
from shared.kernel.language import Text

EXPORT = "customer:export"

permissions = (
    Permission(
        EXPORT,
        Text(
            "export the customers of one's unit as a file, personal numbers masked as on the screen",
            "导出本单位客户文件（个人号码按界面权限脱敏）",
        ),
        frozenset({Role.SUPERVISOR, Role.INTEGRATION}),
    ),
)

Exporter = Annotated[Principal, Depends(require(EXPORT))]


def held_now(role: Role) -> frozenset[str]:
    """Return what a role holds at present of the permissions that an export asks for."""
    declared = (*permissions, *customer_access.permissions, *segment_access.permissions)
    return frozenset(each.code for each in declared if role in each.roles)
