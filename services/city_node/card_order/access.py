"""Who may do what with orders of cards."""

from typing import Annotated

from fastapi import Depends

from shared.access import Principal, require
from shared.capability import Permission, Role
from shared.kernel.language import Text

READ = "card-order:read"
RECEIVE = "card-order:receive"
CANCEL = "card-order:cancel"
PLAN = "card-order:plan"
WRITE_OFF = "card-order:write-off"

permissions = (
    Permission(
        READ,
        Text("See orders of blank cards and the stock by hall", "查看空白卡订购单与各厅库存"),
        frozenset({Role.CLERK, Role.SUPERVISOR, Role.OPERATOR}),
    ),
    Permission(
        RECEIVE,
        Text("Receive cards that were ordered", "订购卡收货"),
        frozenset({Role.CLERK, Role.SUPERVISOR}),
    ),
    Permission(
        CANCEL,
        Text("Cancel orders of blank cards", "取消空白卡订购单"),
        frozenset({Role.CLERK, Role.SUPERVISOR}),
    ),
    Permission(
        PLAN,
        Text("Set when a hall orders blank cards, and how many", "设定营业厅再订购点与订购量"),
        frozenset({Role.SUPERVISOR}),
    ),
    Permission(
        WRITE_OFF,
        Text(
            "Propose to write off ordered cards that are lost, and decide what others propose",
            "提议核销遗失的订购卡，并审批他人的提议",
        ),
        frozenset({Role.SUPERVISOR}),
    ),
)

Reader = Annotated[Principal, Depends(require(READ))]
Receiver = Annotated[Principal, Depends(require(RECEIVE))]
Canceller = Annotated[Principal, Depends(require(CANCEL))]
Planner = Annotated[Principal, Depends(require(PLAN))]
WriterOff = Annotated[Principal, Depends(require(WRITE_OFF))]
