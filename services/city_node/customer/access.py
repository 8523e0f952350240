"""Who may do what with customers."""

from typing import Annotated

from fastapi import Depends, Request

from services.city_node.customer.author import Author
from services.city_node.customer.privacy import (
    ADDRESS,
    BIRTH_DATE,
    CONTACT,
    DOCUMENT,
    THIRD_PARTY,
)
from services.city_node.customer.service import Desk
from shared.access import Principal, require
from shared.capability import Conflict, Context, Permission, Role, context_of
from shared.kernel.edge import Transaction, now_of
from shared.kernel.language import Text

READ = "customer:read"
WRITE = "customer:write"

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
    Permission(
        CONTACT,
        Text("see telephone numbers and e-mail addresses in clear", "查看电话与电子邮箱明文"),
        _COUNTER,
    ),
    Permission(
        ADDRESS,
        Text("see postal addresses in clear", "查看邮寄地址明文"),
        frozenset({Role.ACCOUNT_MANAGER, Role.SUPERVISOR}),
    ),
    Permission(
        BIRTH_DATE,
        Text("see dates of birth whole, not only the year", "查看完整出生日期（否则仅显示年份）"),
        _COUNTER,
    ),
    Permission(
        THIRD_PARTY,
        Text(
            "see the names of key persons, legal representatives and tied persons in clear",
            "查看关键人、法定代表人及关系人姓名明文",
        ),
        _COUNTER,
    ),
    Permission(
        DOCUMENT,
        Text(
            "see identity document numbers in clear; each look is recorded",
            "查看证件号码明文（逐次留痕）",
        ),
        frozenset({Role.ACCOUNT_MANAGER, Role.SUPERVISOR}),
    ),
)

conflicts = (
    Conflict(
        frozenset({READ, WRITE, CONTACT, ADDRESS, BIRTH_DATE, THIRD_PARTY, DOCUMENT}),
        frozenset({"operations:*"}),
        Text(
            "who runs the node has its keys and its database, and does not look at its customers",
            "运维人员掌握节点密钥与数据库，不得查看客户档案",
        ),
    ),
)

Reader = Annotated[Principal, Depends(require(READ))]
DocumentReader = Annotated[Principal, Depends(require(DOCUMENT))]


async def author(
    request: Request, principal: Annotated[Principal, Depends(require(WRITE))]
) -> Author:
    """Return the caller as one who changes customers."""
    context = context_of(request)
    strict = context.settings.undeclared_attributes == "refuse"
    return Author(principal, now_of(request), context.cipher, strict)


Writer = Annotated[Author, Depends(author)]


async def desk(author: Writer, session: Transaction, context: Context) -> Desk:
    """Return where the caller changes customers, in the request's transaction."""
    return Desk(
        session,
        author.principal,
        author.now,
        author.cipher,
        context.settings.code,
        author.strict,
    )


AtDesk = Annotated[Desk, Depends(desk)]
