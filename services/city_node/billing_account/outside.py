"""What billing accounts make the network do: a line in arrears calls no longer, and one that owes nothing calls again.

Each follows from the change of the line's status, by the outbox of ports (:mod:`shared.port`): a suspension and the
resumption after it are calls of one order, so that the network ends where the line does. What a payment or a reversal
leads to is made for its request, and stands in its trail; what a supervisor or the clock does is made for the line.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import Subscription, SubscriptionStatus
from services.city_node.service_request import outside
from shared import port
from shared.capability import NodeContext
from shared.kernel.language import Text
from shared.port.contracts import network


async def follow_status(
    context: NodeContext,
    session: AsyncSession,
    line: Subscription,
    *,
    cause_id: UUID | None,
    suspended_at: datetime,
    now: datetime,
) -> None:
    """Have the network suspend or resume a locked line as its status says, in the transaction that has changed it."""
    made_for = _for(line, cause_id, suspended_at)
    if line.status == SubscriptionStatus.SUSPENDED:
        suspension = network.Suspension(msisdn=line.msisdn)
        await port.call(context, session, SUSPEND, suspension, **made_for, now=now)
    else:
        resumption = network.Resumption(msisdn=line.msisdn)
        await port.call(context, session, RESUME, resumption, **made_for, now=now)


def _for(line: Subscription, cause_id: UUID | None, suspended_at: datetime) -> dict[str, Any]:
    """Return what a call is made for: the payment or reversal, or else this time that the line was suspended."""
    order = str(line.id)
    if cause_id is not None:
        return {"cause": cause_id, "order": order}
    return {"cause": line.id, "part": suspended_at.isoformat(), "order": order}


SUSPEND = port.Effect(
    "billing-account.suspend",
    network.SUSPEND,
    done=outside.noted_as(
        "network-suspended", Text("The network has suspended the line.", "网络侧已停机。")
    ),
    refused=outside.refused_as(
        "network-refused", Text("The network does not suspend the line", "网络侧拒绝停机")
    ),
)
RESUME = port.Effect(
    "billing-account.resume",
    network.RESUME,
    done=outside.noted_as(
        "network-resumed", Text("The network has resumed the line.", "网络侧已复机。")
    ),
    refused=outside.refused_as(
        "network-refused", Text("The network does not resume the line", "网络侧拒绝复机")
    ),
)
EFFECTS = (SUSPEND, RESUME)
