"""Forgetting work that ended long ago."""

from datetime import datetime, timedelta

from shared.capability import Daily, Job, NodeContext
from shared.kernel.language import Text
from shared.work import repository

RETENTION = timedelta(days=90)


async def _forget(context: NodeContext, now: datetime) -> None:
    async with context.database.transaction() as session:
        await repository.forget_ended(session, before=now - RETENTION)


FORGET = Job(
    "forget-work",
    Text("Forget long work that ended 90 days ago", "清理 90 天前结束的后台任务"),
    Daily("03:40"),
    _forget,
)
