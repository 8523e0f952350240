"""The clock's part: content is kept for a time after the request's end, and no longer."""

from datetime import datetime, timedelta

from services.city_node.attachment import repository
from shared.capability import Daily, Job, NodeContext
from shared.kernel.language import Text

KEPT = timedelta(days=90)
"""After the request's end at this node: long enough to settle a complaint about it."""
STRAYS_KEPT = timedelta(days=7)
BATCH = 200


async def erase(context: NodeContext, now: datetime) -> None:
    """Erase the content of requests that ended long ago, and chunks that nothing was ever said of."""
    while True:
        async with context.database.transaction() as session:
            due = await repository.to_erase(session, ended_before=now - KEPT, limit=BATCH)
            if due:
                await repository.erase(session, due, now=now)
        if len(due) < BATCH:
            break
    async with context.database.transaction() as session:
        await repository.forget_strays(session, before=now - STRAYS_KEPT)


ERASURE = Job(
    name="attachment-erasure",
    summary=Text(
        "Erase the attachments of requests that ended more than 90 days ago.",
        "清除结束超过 90 天的请求的附件内容。",
    ),
    schedule=Daily(at="03:10"),
    run=erase,
)
