"""Work by the clock: putting slices together, and rolling off what is older than the rule says."""

from datetime import datetime, timedelta

import structlog

from shared.capability import Daily, Every, Job, NodeContext
from shared.kernel.language import Text
from shared.statistics.aggregate import put_together
from shared.statistics.retention import roll_off

log = structlog.get_logger("statistics")


async def run_aggregation(context: NodeContext, now: datetime) -> None:
    """Put together what has changed."""
    settings = context.settings
    made = await put_together(
        context.database, settings.tier, now=now, connections=settings.statistics_connections
    )
    if made:
        log.info("statistics put together", aggregates=made)


async def run_retention(context: NodeContext, now: datetime) -> None:
    """Roll off what is older than the settings say."""
    settings = context.settings
    done = await roll_off(
        context.database,
        day_months=settings.statistics_day_months,
        history_months=settings.statistics_history_months,
        now=now,
    )
    if done.months or done.revisions:
        log.info("statistics rolled off", months=done.months, revisions=done.revisions)


aggregation = Job(
    "statistics-aggregation",
    Text(
        "Put the figures of provinces and of the nation together where cities have told others",
        "地市上报新数据后，重新合计省级与全国统计",
    ),
    Every(timedelta(minutes=5)),
    run_aggregation,
)
retention = Job(
    "statistics-retention",
    Text(
        "Drop figures by day, and what earlier revisions said, when they are older than the settings say",
        "按设置删除超期的日统计及被取代版本的数据",
    ),
    Daily(at="04:30"),
    run_retention,
)
