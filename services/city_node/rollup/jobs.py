"""The nightly roll-up."""

from datetime import datetime

from services.city_node.rollup.service import roll_up_due
from shared.capability import Daily, Job, NodeContext
from shared.kernel.language import Text


async def run(context: NodeContext, now: datetime) -> None:
    """Count what is due."""
    await roll_up_due(context.database, context.post, now=now)


nightly = Job(
    "rollup",
    Text(
        "Count this city's figures and tell HQ what has changed", "汇总本地市统计，并向总部上报变化"
    ),
    Daily(setting="rollup_time"),
    run,
)
