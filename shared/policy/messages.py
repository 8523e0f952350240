"""What nodes say to one another about policies; :mod:`shared.policy.sharing` says when."""

from shared.capability import MessageHandler, NodeContext
from shared.federation.delivery import Delivery
from shared.kernel.language import Text
from shared.policy import sharing


async def handle_statement(context: NodeContext, delivery: Delivery) -> None:
    """Keep a statement and pass it on."""
    await sharing.take_in(context.post, delivery)


async def recover_statement(context: NodeContext, delivery: Delivery) -> None:
    """At a node that was restored from an old backup: know again what it had said or passed on."""
    await sharing.keep(context.post, delivery)


async def handle_held(context: NodeContext, delivery: Delivery) -> None:
    """Even out what a child and this node hold."""
    await sharing.handle_held(context.post, delivery)


async def handle_wanted(context: NodeContext, delivery: Delivery) -> None:
    """Send the parent what it lacks."""
    await sharing.handle_wanted(context.post, delivery)


handlers = (
    MessageHandler(
        sharing.PUBLISHED,
        Text(
            "A version of a policy, signed by its publisher, passed on between neighbours",
            "政策的一个版本，由发布节点签名，在相邻节点间传递",
        ),
        handle_statement,
        recovered=recover_statement,
    ),
    MessageHandler(
        sharing.WITHDRAWN,
        Text(
            "A publisher withdraws a version of a policy; passed on between neighbours",
            "发布节点撤销政策的一个版本，在相邻节点间传递",
        ),
        handle_statement,
        recovered=recover_statement,
    ),
    MessageHandler(
        sharing.HELD,
        Text(
            "A child tells its parent which versions and withdrawals it holds",
            "下级节点告知上级其持有的政策版本与撤销声明",
        ),
        handle_held,
    ),
    MessageHandler(
        sharing.WANTED,
        Text(
            "A parent asks a child for versions and withdrawals that it lacks",
            "上级节点向下级索取其缺少的政策版本与撤销声明",
        ),
        handle_wanted,
    ),
)
