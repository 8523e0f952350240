"""The nightly erasure."""

from datetime import datetime

from services.city_node.erasure.service import Order, erase_due
from shared import audit
from shared.capability import Daily, Job, NodeContext
from shared.kernel.language import Text


async def run(context: NodeContext, now: datetime) -> None:
    """Erase those whose retention period has passed."""
    await erase_due(
        context.database,
        Order(audit.Actor.command("job:erasure")),
        context.cipher,
        days=context.settings.retention_days,
        now=now,
    )


nightly = Job(
    "erasure",
    Text(
        "Erase customers who left and whose retention period has passed",
        "删除保留期满的离网客户个人信息",
    ),
    Daily(setting="erasure_time"),
    run,
)
