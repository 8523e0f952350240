"""What nodes say to one another about reporting."""

from shared.capability import MessageHandler, NodeContext
from shared.federation.delivery import Delivery
from shared.kernel.language import Text
from shared.reporting import comparing, confirmation, resending, sharing, totals


async def _confirmed(_: NodeContext, delivery: Delivery) -> None:
    await confirmation.take_in(delivery)


async def _stated(context: NodeContext, delivery: Delivery) -> None:
    await sharing.take_in(context.post, delivery)


async def _digest(context: NodeContext, delivery: Delivery) -> None:
    await comparing.compare(context.post, delivery)


async def _differs(context: NodeContext, delivery: Delivery) -> None:
    await comparing.list_what_differs(context.post, delivery)


async def _listed(context: NodeContext, delivery: Delivery) -> None:
    await comparing.even_out(context.post, delivery)


async def _wanted(context: NodeContext, delivery: Delivery) -> None:
    await resending.send_wanted(context.post, delivery)


async def _again(_: NodeContext, delivery: Delivery) -> None:
    await resending.take_again(delivery)


async def _totals(_: NodeContext, delivery: Delivery) -> None:
    await totals.compare_totals(delivery)


handlers = (
    MessageHandler(
        confirmation.CONFIRMED,
        Text(
            "A city confirms that figures counted before the end of a period still hold",
            "地市确认期末前汇总的统计仍然有效",
        ),
        _confirmed,
        transit=True,
        recovered=_confirmed,
    ),
    MessageHandler(
        sharing.STATEMENT,
        Text(
            "A month of a city is closed or reopened, or a restatement decided; signed by who says so",
            "地市某月结账、反结账或重述审批结果，由发布节点签名",
        ),
        _stated,
        transit=True,
        recovered=_stated,
    ),
    MessageHandler(
        comparing.DIGEST,
        Text(
            "A child tells its parent digests of the slices that it holds",
            "下级告知上级其所存统计的摘要",
        ),
        _digest,
    ),
    MessageHandler(
        comparing.DIFFERS,
        Text(
            "A parent tells a child of which months its digests differ",
            "上级告知下级摘要不一致的月份",
        ),
        _differs,
    ),
    MessageHandler(
        comparing.LISTED,
        Text(
            "A child lists the slices that it holds of a month that differs",
            "下级列出摘要不一致月份的统计清单",
        ),
        _listed,
    ),
    MessageHandler(
        resending.WANTED,
        Text("A node asks one below it for slices that it lacks", "上级向下级索取所缺统计"),
        _wanted,
    ),
    MessageHandler(
        resending.AGAIN,
        Text("A slice comes again, to whoever lacks it or has it damaged", "补发缺失或损坏的统计"),
        _again,
        transit=True,
    ),
    MessageHandler(
        totals.TOTALS,
        Text("A province tells HQ what its cities' months come to", "省告知总部其地市月度合计"),
        _totals,
    ),
)
