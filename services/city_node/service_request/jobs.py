"""The clock's part: requests that have run out of time."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request import finding, repository
from services.city_node.service_request.kind import Kind, Party
from services.city_node.service_request.models import ServiceRequest
from shared.capability import Daily, Every, Job, NodeContext
from shared.kernel.database import is_away
from shared.kernel.language import Text

log = structlog.get_logger("service_request")

INTERVAL = timedelta(seconds=30)
BATCH = 200

Expire = Callable[[NodeContext, AsyncSession, ServiceRequest, datetime], Awaitable[None]]
"""Ends one overdue record, locked, in the transaction given: how is the kind's own business."""


def expiry(kind: Kind, expire: Expire) -> Job:
    """Return the job that ends what has run out of time among the requests of ``kind``."""
    return Job(
        name=f"{kind.code}-expiry",
        summary=Text(
            f"{kind.name.en}: end what has passed its deadline, and undo what was reserved.",
            f"{kind.name.zh}：终止超时请求并释放预留。",
        ),
        schedule=Every(INTERVAL),
        run=partial(expire_overdue, kind, expire),
    )


async def expire_overdue(kind: Kind, expire: Expire, context: NodeContext, now: datetime) -> None:
    """End every overdue request, each in a transaction of its own, so that one that fails holds up no other."""
    after: tuple[datetime, UUID] | None = None
    while True:
        async with context.database.transaction() as session:
            due = await repository.overdue(session, kind, now=now, after=after, limit=BATCH)
        for _, request_id in due:
            try:
                async with context.database.transaction() as session:
                    request = await repository.lock(session, kind, request_id)
                    if request is not None and _is_overdue(kind, request, now):
                        await expire(context, session, request, now)
            except Exception as error:
                if is_away(error):
                    raise
                log.exception(
                    "request not expired; the next run tries again",
                    kind=kind.code,
                    request_id=str(request_id),
                )
        if len(due) < BATCH:
            return
        after = due[-1]


async def forget_homes(context: NodeContext, now: datetime) -> None:
    """Delete what other cities said of where a number is at home, once it is not gone by any longer."""
    async with context.database.transaction() as session:
        await finding.forget_learned(session, now=now)


FORGET_HOMES = Job(
    name="service-request-forget-homes",
    summary=Text(
        "Forget where numbers that moved were found, after 30 days.",
        "清除 30 天前获知的转网号码归属地。",
    ),
    schedule=Daily(at="03:20"),
    run=forget_homes,
)


def _is_overdue(kind: Kind, request: ServiceRequest, now: datetime) -> bool:
    """Look again under the lock: a clerk or a message may have moved it since it was selected."""
    return request.deadline <= now and request.state in kind.expirable(Party(request.role))
