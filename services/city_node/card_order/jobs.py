"""The look at the stock, and at what was shipped."""

from datetime import datetime, timedelta

from services.city_node.card_order import outside
from shared.capability import Every, Job, NodeContext
from shared.kernel.language import Text


async def supply(context: NodeContext, now: datetime) -> None:
    """Order for halls whose stock is low, and ask what was shipped of orders before."""
    async with context.database.transaction() as session:
        await outside.order_low(context, session, now=now)
    async with context.database.transaction() as session:
        await outside.ask_due(context, session, now=now)


SUPPLY = Job(
    "supply-cards",
    Text("Order blank cards for halls that run low", "为库存不足的营业厅订购空白卡"),
    Every(timedelta(minutes=1)),
    supply,
)
