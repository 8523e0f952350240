"""The clock's part: events that have been kept long enough."""

from datetime import datetime, timedelta

from shared.capability import Daily, Job, NodeContext
from shared.event import repository
from shared.kernel.language import Text

BATCH = 10_000


async def forget(context: NodeContext, now: datetime) -> None:
    """Delete events that have been kept for long enough, some at a time."""
    before = now - timedelta(days=context.settings.event_retention_days)
    pool = await context.database.pool()
    await repository.number(pool)  # what nobody reads is forgotten too
    async with pool.acquire() as connection:
        while await repository.forget(connection, before=before, limit=BATCH) == BATCH:
            pass


FORGET = Job(
    name="forget-events",
    summary=Text("Delete events that have been kept long enough", "清除到期事件"),
    schedule=Daily(at="03:50"),
    run=forget,
)
