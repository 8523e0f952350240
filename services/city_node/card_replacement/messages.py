"""What the two ends of a card replacement say to each other."""

from services.city_node.card_replacement import home, kind, recall, visited
from services.city_node.card_replacement.schemas import Asked, Yes
from services.city_node.service_request.messages import read
from services.city_node.service_request.schemas import AnsweredNo, Sealed, Told
from shared.capability import MessageHandler, NodeContext
from shared.federation.delivery import Delivery
from shared.kernel.language import Text


async def on_asked(context: NodeContext, delivery: Delivery) -> None:
    """At home: a visited node asks."""
    await home.hear_asked(context, delivery, read(Asked, delivery))


async def on_card_written(context: NodeContext, delivery: Delivery) -> None:
    """At home: the card is written."""
    await home.hear_card_written(context, delivery, read(Sealed, delivery))


async def on_cancelled(_: NodeContext, delivery: Delivery) -> None:
    """At home: the visited node gave up."""
    await home.hear_cancelled(delivery, read(Told, delivery))


async def on_expired(_: NodeContext, delivery: Delivery) -> None:
    """At home: the visited node's time is over."""
    await home.hear_expired(delivery, read(Told, delivery))


async def on_approved(_: NodeContext, delivery: Delivery) -> None:
    """At the visited node: home promises to switch."""
    await visited.hear_approved(delivery, read(Yes, delivery))


async def on_refused(context: NodeContext, delivery: Delivery) -> None:
    """At the visited node: home will not switch."""
    await visited.hear_refused(context, delivery, read(AnsweredNo, delivery))


async def on_switched(context: NodeContext, delivery: Delivery) -> None:
    """At the visited node: home has switched."""
    await visited.hear_switched(context, delivery, read(Yes, delivery))


HANDLERS = (
    MessageHandler(
        kind.ASKED,
        Text("A visited node asks for a new card", "受理地申请补卡"),
        on_asked,
        recovered=recall.recall_asked,
    ),
    MessageHandler(
        kind.APPROVED, Text("The home node promises to switch", "归属地核准补卡"), on_approved
    ),
    MessageHandler(
        kind.REFUSED,
        Text("The home node refuses, with a reason", "归属地拒绝并说明原因"),
        on_refused,
    ),
    MessageHandler(
        kind.CARD_WRITTEN,
        Text("The visited node has written the card", "受理地已写卡"),
        on_card_written,
        recovered=recall.recall_card_written,
    ),
    MessageHandler(
        kind.SWITCHED, Text("The home node has switched the line", "归属地已换卡生效"), on_switched
    ),
    MessageHandler(
        kind.CANCELLED,
        Text("The visited node gave up", "受理地取消补卡"),
        on_cancelled,
        recovered=recall.recall_cancelled,
    ),
    MessageHandler(
        kind.EXPIRED_AT_VISITED,
        Text("The visited node's time is over", "受理地办理超时"),
        on_expired,
        recovered=recall.recall_expired,
    ),
)
