"""What nodes say to one another about number segments; :mod:`shared.number_segment.sharing` says when."""

from shared.capability import MessageHandler, NodeContext
from shared.federation.delivery import Delivery
from shared.kernel.language import Text
from shared.number_segment import sharing


async def on_published(context: NodeContext, delivery: Delivery) -> None:
    """Apply an edition and pass it down."""
    await sharing.take_in(context.post, delivery)


async def on_published_recalled(context: NodeContext, delivery: Delivery) -> None:
    """At a node that was restored from a backup: know again what it had passed on."""
    await sharing.take_in(context.post, delivery, is_news=False)


async def on_held(context: NodeContext, delivery: Delivery) -> None:
    """Send a neighbour what it lacks."""
    await sharing.handle_held(context.post, delivery)


HANDLERS = (
    MessageHandler(
        sharing.PUBLISHED,
        Text(
            "An edition of the number segments, signed by HQ, passed on between neighbours",
            "号段表的一次更新，由总部签名，在相邻节点间传递",
        ),
        on_published,
        recovered=on_published_recalled,
    ),
    MessageHandler(
        sharing.HELD,
        Text(
            "A node tells a neighbour which version of the number segments it holds",
            "节点告知相邻节点其持有的号段表版本",
        ),
        on_held,
    ),
)
