"""What offers ask of the clock."""

from datetime import datetime

from services.city_node.offer.expiry import expire
from shared.capability import Daily, Job, NodeContext
from shared.kernel.language import Text


async def run(context: NodeContext, now: datetime) -> None:
    """Let grants expire."""
    await expire(context.database, now=now)


expiry = Job(
    "expire-offers",
    Text(
        "End grants of offers that are over, or whose customer has left",
        "使到期或客户离网的优惠失效",
    ),
    Daily("00:20"),
    run,
)
