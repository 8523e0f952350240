"""Who may do what with repairs."""

from typing import Annotated

from fastapi import Depends

from services.city_node.repair.counter import Counter
from shared.access import Principal, require
from shared.capability import Context, Permission, Role
from shared.kernel.edge import Now, Transaction
from shared.kernel.language import Text

ASK = "repair:ask"
WORK = "repair:work"
LET_OFF = "repair:let-off"
ANALYSE = "repair:analyse"

permissions = (
    Permission(
        ASK,
        Text(
            "Open a repair for another city's customer, cancel it, note the customer's satisfaction",
            "受理、取消跨地区维修，登记客户满意度",
        ),
        frozenset({Role.CLERK, Role.SUPERVISOR, Role.ACCOUNT_MANAGER}),
    ),
    Permission(
        WORK,
        Text(
            "Estimate, take the customer's word, lend a handset, repair and hand back",
            "报价、登记客户意见、借还备用机、维修与交还",
        ),
        frozenset({Role.CLERK, Role.SUPERVISOR}),
    ),
    Permission(
        LET_OFF,
        Text("Let the customer off a part of the cost", "酌情减免客户维修费用"),
        frozenset({Role.SUPERVISOR}),
    ),
    Permission(
        ANALYSE,
        Text("See how satisfied customers are with repairs", "查询维修满意度"),
        frozenset({Role.ACCOUNT_MANAGER, Role.SUPERVISOR, Role.AUDITOR}),
    ),
)


def _counter_for(permission: str) -> object:
    """Return the dependency that gives those a counter who hold ``permission``, in the request's transaction."""

    async def counter(
        principal: Annotated[Principal, Depends(require(permission))],
        session: Transaction,
        context: Context,
        now: Now,
    ) -> Counter:
        return Counter(context, session, principal, now)

    return Depends(counter)


AtCounter = Annotated[Counter, _counter_for(ASK)]
AtWorkbench = Annotated[Counter, _counter_for(WORK)]
AtSupervisorsDesk = Annotated[Counter, _counter_for(LET_OFF)]
Analyst = Annotated[Principal, Depends(require(ANALYSE))]
Reader = Annotated[Principal, Depends(require("service-request:read"))]
