"""Forgetting calls that ended long ago."""

from datetime import datetime, timedelta

from shared.capability import Daily, Job, NodeContext
from shared.kernel.language import Text
from shared.port import repository

RETENTION = timedelta(days=90)
PORTION = 5_000


async def _forget(context: NodeContext, now: datetime) -> None:
    while True:
        async with (
            context.database.transaction() as session
        ):  # each portion by itself: no long locks
            gone = await repository.forget_ended(session, before=now - RETENTION, most=PORTION)
        if gone < PORTION:
            return


FORGET = Job(
    "forget-port-calls",
    Text("Forget calls of ports that ended 90 days ago", "清理 90 天前结束的外部调用"),
    Daily("03:45"),
    _forget,
)
