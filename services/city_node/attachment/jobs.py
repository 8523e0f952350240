"""The clock's part: content is kept for a time after the request's end, and no longer."""

from datetime import datetime, timedelta

import structlog

from services.city_node.attachment import repository, service
from shared.capability import Daily, Every, Job, NodeContext
from shared.kernel.database import is_away
from shared.kernel.language import Text

KEPT = timedelta(days=90)
"""After the request's end at this node: long enough to settle a complaint about it."""
STRAYS_KEPT = timedelta(days=7)
BATCH = 200

log = structlog.get_logger("attachment")


async def forward(context: NodeContext, now: datetime) -> None:
    """Send what was attached before a request followed its customer to the new home, each by itself."""
    async with context.database.transaction() as session:
        due = await repository.to_forward(session, context.settings.code, limit=BATCH)
    for attachment_id in due:
        try:
            async with context.database.transaction() as session:
                await service.forward(context, session, attachment_id, now=now)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("not sent on; the next run tries again", id=str(attachment_id))


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


FORWARD = Job(
    name="attachment-forward",
    summary=Text(
        "Send attachments on to where a request has followed its customer.",
        "将附件转送请求所随往的新归属地。",
    ),
    schedule=Every(timedelta(seconds=30)),
    run=forward,
)
ERASURE = Job(
    name="attachment-erasure",
    summary=Text(
        "Erase the attachments of requests that ended more than 90 days ago.",
        "清除结束超过 90 天的请求的附件内容。",
    ),
    schedule=Daily(at="03:10"),
    run=erase,
)
