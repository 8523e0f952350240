"""Who may do what with customers."""

from typing import Annotated

from fastapi import Depends

from services.city_node.customer.service import Desk
from shared.access import Principal, require
from shared.capability import Context, Permission, Role
from shared.kernel.edge import Now, Transaction
from shared.kernel.language import Text

READ = "customer:read"
WRITE = "customer:write"
CONTACT = "customer:contact"
DOCUMENT = "customer:document"

_COUNTER = frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.SUPERVISOR})

permissions = (
    Permission(
        READ,
        Text(
            "read the customers of one's unit, personal numbers masked",
            "查询本单位客户（个人号码脱敏）",
        ),
        _COUNTER | {Role.INTEGRATION},
    ),
    Permission(
        WRITE,
        Text("make, change, retire and restore customers", "新建、修改、离网、恢复客户"),
        _COUNTER,
    ),
    Permission(CONTACT, Text("see contact media in clear", "查看联系方式明文"), _COUNTER),
    Permission(
        DOCUMENT,
        Text(
            "see identity document numbers in clear; each look is recorded",
            "查看证件号码明文（逐次留痕）",
        ),
        frozenset({Role.ACCOUNT_MANAGER, Role.SUPERVISOR}),
    ),
)

Reader = Annotated[Principal, Depends(require(READ))]
DocumentReader = Annotated[Principal, Depends(require(DOCUMENT))]


async def desk(
    principal: Annotated[Principal, Depends(require(WRITE))],
    session: Transaction,
    now: Now,
    context: Context,
) -> Desk:
    """Return where the caller changes customers, in the request's transaction."""
    settings = context.settings
    strict = settings.undeclared_attributes == "refuse"
    return Desk(session, principal, now, context.cipher, settings.code, strict)


AtDesk = Annotated[Desk, Depends(desk)]
