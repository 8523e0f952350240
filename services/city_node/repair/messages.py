"""What the two ends of a repair say to each other."""

from collections.abc import Awaitable, Callable

from services.city_node.repair import home, kind, visited
from services.city_node.repair.recall import recall
from services.city_node.repair.wire import (
    Asked,
    Closed,
    Confirmed,
    Progressed,
    Rated,
    Recorded,
)
from services.city_node.service_request.kind import EXPIRED
from services.city_node.service_request.messages import read
from services.city_node.service_request.schemas import AnsweredNo
from shared.capability import MessageHandler, NodeContext
from shared.clearing.schemas import RECORDED
from shared.federation.delivery import Delivery
from shared.kernel.language import Text


async def on_asked(context: NodeContext, delivery: Delivery) -> None:
    """At home: a visited node asks."""
    await home.hear_asked(context, delivery, read(Asked, delivery))


async def on_progressed(context: NodeContext, delivery: Delivery) -> None:
    """At home: the visited node has come a step further."""
    await home.hear_progressed(context, delivery, read(Progressed, delivery))


def _on_given_up(event: str) -> Callable[[NodeContext, Delivery], Awaitable[None]]:
    async def on_given_up(_: NodeContext, delivery: Delivery) -> None:
        """At home: it came to nothing."""
        await home.hear_given_up(delivery, read(Progressed, delivery), event)

    return on_given_up


async def on_closed(context: NodeContext, delivery: Delivery) -> None:
    """At home: the handset is back with the customer."""
    await home.hear_closed(context, delivery, read(Closed, delivery))


async def on_rated(context: NodeContext, delivery: Delivery) -> None:
    """At home: the customer says how satisfied they are."""
    await home.hear_rated(context, delivery, read(Rated, delivery))


async def on_confirmed(_: NodeContext, delivery: Delivery) -> None:
    """At the visited node: home says what it bears."""
    await visited.hear_confirmed(delivery, read(Confirmed, delivery))


async def on_refused(context: NodeContext, delivery: Delivery) -> None:
    """At the visited node: home bears nothing."""
    await visited.hear_refused(context, delivery, read(AnsweredNo, delivery))


async def on_recorded(_: NodeContext, delivery: Delivery) -> None:
    """At the visited node: home has recorded the repair."""
    await visited.hear_recorded(delivery, read(Recorded, delivery))


HANDLERS = (
    MessageHandler(
        kind.ASKED,
        Text("A visited node asks what home bears of a repair", "受理地申请维修核验"),
        on_asked,
        recovered=recall,
    ),
    MessageHandler(
        kind.CONFIRMED,
        Text("The home node says what it bears, and on what terms", "归属地确认保修与承担比例"),
        on_confirmed,
    ),
    MessageHandler(
        kind.REFUSED,
        Text("The home node refuses, with a reason", "归属地拒绝并说明原因"),
        on_refused,
    ),
    MessageHandler(
        kind.PROGRESSED,
        Text("The visited node has come a step further", "受理地维修进展"),
        on_progressed,
        recovered=recall,
    ),
    MessageHandler(
        kind.DECLINED,
        Text("The customer declined the estimate", "客户不同意报价"),
        _on_given_up("declined"),
        recovered=recall,
    ),
    MessageHandler(
        kind.CANCELLED,
        Text("The visited node gave up", "受理地取消维修"),
        _on_given_up("cancelled"),
        recovered=recall,
    ),
    MessageHandler(
        kind.EXPIRED_AT_VISITED,
        Text("The visited node's time is over", "受理地办理超时"),
        _on_given_up(EXPIRED),
        recovered=recall,
    ),
    MessageHandler(
        kind.CLOSED,
        Text("The handset is back with the customer", "客户已取机，申报费用"),
        on_closed,
        recovered=recall,
    ),
    MessageHandler(
        RECORDED,
        Text(
            "The home city has recorded a repair, and what it bears; every node on the way books it",
            "归属地已登记维修及承担金额，沿途节点记账",
        ),
        on_recorded,
    ),
    MessageHandler(
        kind.RATED,
        Text("The customer says how satisfied they are", "客户满意度评价"),
        on_rated,
        recovered=recall,
    ),
)
