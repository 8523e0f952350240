"""The nightly roll-up."""

from datetime import datetime

from services.city_node.rollup.service import periods_due, roll_up
from shared.capability import Daily, Job, NodeContext
from shared.kernel.language import Text


async def run(context: NodeContext, now: datetime) -> None:
    """Count what is due."""
    await roll_up(context.database, context.post, periods_due(now), now=now)


nightly = Job(
    "rollup",
    Text(
        "Count this city's figures and tell HQ what has changed", "汇总本地市统计，并向总部上报变化"
    ),
    Daily(setting="rollup_time"),
    run,
)
