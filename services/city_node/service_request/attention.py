"""Handing a request over to a person, where automation gives up (转人工处理).

A record *calls for attention*: why, in a code and in words, and since when. It is called by the clock, when a record
has waited in a state for longer than the state's *patience* (:class:`~services.city_node.service_request.kind.State`),
or by a kind, at a point where only a person can go on. It moves nothing. The record's next move settles it, because
what it was about is over; or a person settles it with a note of what was done, and is called again if the record is
still there a day later. So nothing that waits is forgotten, and nobody is called twice for the same.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request import repository, service
from services.city_node.service_request.kind import Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.service import RequestNotFound, Step
from shared.access import Principal
from shared.capability import Every, Job, NodeContext
from shared.kernel.database import is_away
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version
from shared.kernel.problems import Problem

log = structlog.get_logger("service_request")

WAITING: Final = "waiting"
"""The clock's reason: nothing has been heard for longer than the state allows."""
CALLED: Final = "attention-called"
RESOLVED: Final = "attention-resolved"
AGAIN = timedelta(days=1)
"""After a person has looked: when one is called again, if the record is still there."""
INTERVAL = timedelta(seconds=60)
BATCH = 200


class AttentionNotCalled(Problem):
    """The request calls for nobody, so there is nothing to settle."""

    status = 409
    title = Text("Attention not called for", "无需人工处理")
    sentence = Text(
        "Request {id} calls for nobody's attention: it may have moved on meanwhile. Read it again.",
        "请求 {id} 当前无需人工处理，可能已自行推进，请重新读取。",
    )


async def call(
    session: AsyncSession,
    request: ServiceRequest,
    code: str,
    words: Text,
    *,
    node: str,
    now: datetime,
) -> None:
    """Call a person to a locked record that has not ended; calling again for the same reason changes nothing.

    Args:
        session: the caller's transaction.
        request: the record.
        code: why, for programs: a word of the kind's own.
        words: why, for people.
        node: this node.
        now: the present moment.
    """
    request.attend_at = None
    if request.attention_code == code:
        return
    request.attention_code = code
    request.attention_text = service.spoken(words)
    request.attention_since = now
    step = Step(CALLED, Party(request.role), now, node, "clock", words)
    await service.note(session, request, step)
    log.warning(
        "a request calls for a person",
        request_id=str(request.id),
        kind=request.kind,
        state=request.state,
        code=code,
    )


def settle(request: ServiceRequest, code: str) -> None:
    """Call nobody any longer for that reason, because what it was about has been done."""
    if request.attention_code == code:
        request.attention_code = request.attention_text = request.attention_since = None


async def resolve(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    request_id: UUID,
    note: str,
    *,
    version: int,
    now: datetime,
) -> None:
    """Settle what a request of the caller's units calls for, with a note of what was done.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        shared.kernel.preconditions.VersionStale: if it was changed since it was read (412).
        AttentionNotCalled: if it calls for nobody (409).
    """
    request = await repository.lock_of_any_kind(session, request_id, unit_path=principal.unit_path)
    if request is None:
        raise RequestNotFound(id=request_id)
    require_version(request.version, version)
    if request.attention_code is None:
        raise AttentionNotCalled(id=request_id)
    request.attention_code = request.attention_text = request.attention_since = None
    request.attend_at = None if request.ended_at else now + AGAIN
    words = Text(f"Looked after: {note}", f"已人工处理：{note}")
    here = context.settings.code
    step = Step(RESOLVED, Party(request.role), now, here, principal.username, words)
    await service.note(session, request, step)


async def call_waiting(context: NodeContext, now: datetime) -> None:
    """Call a person to every record that has waited for too long, each in a transaction of its own."""
    after: tuple[datetime, UUID] | None = None
    while True:
        async with context.database.transaction() as session:
            due = await repository.to_attend(session, now=now, after=after, limit=BATCH)
        for _, request_id in due:
            try:
                await _call_waiting(context, request_id, now)
            except Exception as error:
                if is_away(error):
                    raise
                log.exception("nobody called; the next run tries again", request_id=str(request_id))
        if len(due) < BATCH:
            return
        after = due[-1]


async def _call_waiting(context: NodeContext, request_id: UUID, now: datetime) -> None:
    async with context.database.transaction() as session:
        request = await repository.lock_of_any_kind(session, request_id)
        # Looked at again under the lock: a message may have moved it since it was selected.
        if request is None or request.attend_at is None or request.attend_at > now:
            return
        awaited = request.home if request.awaiting == Party.HOME else request.visited
        since = request.updated_at.isoformat(timespec="minutes")
        words = Text(
            f"The request waits for {awaited} in state {request.state} since {since}. Ask there what it waits for.",
            f"请求自 {since} 起在状态 {request.state} 等待 {awaited}，请联系对方查明原因。",
        )
        await call(session, request, WAITING, words, node=context.settings.code, now=now)


JOB = Job(
    name="service-request-attention",
    summary=Text(
        "Call a person to every request that has waited longer than its state allows.",
        "将等待超时的请求转人工处理。",
    ),
    schedule=Every(INTERVAL),
    run=call_waiting,
)
