"""The clock's part in transfers: what has run out of time here, and what waits for somebody else's word."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request.jobs import BATCH, expiry
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import lock
from services.city_node.transfer import directory, repository, visited
from services.city_node.transfer.kind import KIND
from shared.capability import Every, Job, NodeContext
from shared.kernel.database import is_away
from shared.kernel.language import Text

log = structlog.get_logger("transfer")

PATIENCE = timedelta(minutes=10)
"""How long a transfer waits for a word before somebody is asked for it, once more each time."""


async def expire(
    context: NodeContext, session: AsyncSession, request: ServiceRequest, now: datetime
) -> None:
    """End an overdue request, which is the new home's: the old one has no clock."""
    await visited.expire(context, session, request, now=now)


async def inquire(context: NodeContext, now: datetime) -> None:
    """Ask about every transfer that has waited for long, each in a transaction of its own."""
    async with context.database.transaction() as session:
        found = await repository.waiting(
            session, unchanged_since=now - PATIENCE, now=now, limit=BATCH
        )
    for each in found:
        try:
            async with context.database.transaction() as session:
                request = await lock(session, KIND, each.id)
                if request is not None and request.updated_at <= now - PATIENCE:
                    await directory.inquire(context, session, request, now=now)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("nobody was asked; the next run tries again", request_id=str(each.id))


EXPIRY = expiry(KIND, expire)
INQUIRY = Job(
    name="transfer-inquiry",
    summary=Text(
        "Transfers: ask HQ or the other city about what has waited for long",
        "转网：向总部或对方地市查询久候未决的转网",
    ),
    schedule=Every(timedelta(minutes=1)),
    run=inquire,
)
