"""What the two ends of a request say to each other about attachments."""

from services.city_node.attachment import arrival, service
from services.city_node.attachment.schemas import Announced, Chunk, Wanted
from services.city_node.service_request.messages import read
from shared.capability import MessageHandler, NodeContext
from shared.federation.delivery import Delivery
from shared.kernel.language import Text


async def on_added(context: NodeContext, delivery: Delivery) -> None:
    """At either end: the other has attached something."""
    await arrival.hear_added(context, delivery, read(Announced, delivery))


async def on_added_recalled(context: NodeContext, delivery: Delivery) -> None:
    """At a restored node: it had attached something after its backup."""
    await arrival.recall_added(context, delivery, read(Announced, delivery))


async def on_chunk(context: NodeContext, delivery: Delivery) -> None:
    """At either end: a piece of content has come."""
    await arrival.hear_chunk(context, delivery, read(Chunk, delivery))


async def on_wanted(context: NodeContext, delivery: Delivery) -> None:
    """At either end: the other lacks content."""
    await arrival.hear_wanted(context, delivery, read(Wanted, delivery))


HANDLERS = (
    MessageHandler(
        service.ADDED,
        Text(
            "Something was attached to a request: its digest and size", "请求新增附件：摘要与大小"
        ),
        on_added,
        recovered=on_added_recalled,
    ),
    MessageHandler(
        service.CHUNK,
        Text("A piece of an attachment, sealed for the other end", "附件内容分片（密封）"),
        on_chunk,
    ),
    MessageHandler(
        service.WANTED,
        Text("A node asks the other end for the content of an attachment", "向对方索取附件内容"),
        on_wanted,
    ),
)
