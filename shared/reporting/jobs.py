"""The clock's part: alarms of what is overdue, and the nightly comparison."""

from datetime import datetime, timedelta

from shared.capability import Daily, Every, Job, NodeContext
from shared.kernel.language import Text
from shared.kernel.settings import HQ_CODE
from shared.reporting import closing, comparing, holding, service, totals


async def watch(context: NodeContext, now: datetime) -> None:
    """Raise alarms of what is overdue, and tell of what came after all."""
    async with context.database.transaction() as session:
        await service.sound(session, here=context.settings.code, now=now)


async def compare(context: NodeContext, now: datetime) -> None:
    """Look for damage here, and tell the parent what is held; at HQ, tell newcomers what is closed."""
    here, post = context.settings.code, context.post
    async with context.database.transaction() as session:
        await holding.check(session, here=here, now=now)
    async with context.database.transaction() as session:
        if here == HQ_CODE:
            await closing.tell_newcomers(session, post, now=now)
        await comparing.tell_parent(session, post, now=now)
        await totals.tell_totals(session, post, now=now)


WATCH = Job(
    "reporting-watch",
    Text("raises an alarm for each slice that is overdue", "对逾期未报的统计发出告警"),
    Every(timedelta(minutes=1)),
    watch,
)
COMPARE = Job(
    "reporting-compare",
    Text(
        "compares with the parent the slices that both hold, and repairs what differs",
        "每夜与上级核对统计并修复差异",
    ),
    Daily(at="04:30"),
    compare,
)
