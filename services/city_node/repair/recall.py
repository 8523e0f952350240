"""What a visited node recalls of its repairs when its database was restored from an old backup.

Its peers give it its own messages back (:mod:`shared.federation.reconciliation`), each with a memo of the whole of
its end as it stood (:mod:`~services.city_node.repair.telling`). Whatever the backup has that is older is replaced by
it; whatever is newer stays. So the last message decides, however many there are and however often they come. Loan
handsets follow what was done with them, those that the backup does not have are put into stock again, and deposits are
put back into the drawers that they went through. What home has
answered comes by the lanes as ever, and may come after what it had led to.

A home node needs no memo: what it heard comes again, and it does it again. What it had promised it looks up in its
own messages (``PostOffice.answer_given``), so that neither time nor a new policy changes its word.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
import structlog
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.loan_handset import recall as handsets
from services.city_node.loan_handset.recall import Lent
from services.city_node.loan_handset.repository import loans_of
from services.city_node.repair import outside, repository
from services.city_node.repair.kind import KIND
from services.city_node.repair.telling import END, MEMO, Deposit, Memo
from services.city_node.repair.wire import Recallable
from services.city_node.service_request import following, service
from services.city_node.service_request.kind import Party
from services.city_node.service_request.messages import read
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import active_unit, exists, lock
from services.city_node.service_request.schemas import seal_context
from services.city_node.service_request.service import Step
from services.city_node.till import service as till
from services.city_node.till.repository import has_entry
from shared.capability import NodeContext
from shared.federation.delivery import Delivery
from shared.federation.keys import SealError
from shared.kernel.language import Text

log = structlog.get_logger("repair")

RECALLED = Text(
    "This node was restored from a backup and recalls what it had done.",
    "本节点由备份恢复，据已发报文补记。",
)
_ROWS = ("repair_ticket", "repair_estimate", "repair_satisfaction")


async def recall(context: NodeContext, delivery: Delivery) -> None:
    """Put this end of a request into the state that its own message remembers, unless it is further on."""
    told = read(Recallable, delivery)
    memo = _opened(context, told)
    if memo is None:
        log.warning("a repair cannot be recalled: its message has no memo", id=str(told.request_id))
        return
    session = delivery.session
    request = await lock(session, KIND, told.request_id)
    if request is None:
        if await exists(session, told.request_id):
            return
        request = await _begin(context, delivery, told.request_id, memo)
    elif request.role != Party.VISITED:
        return
    else:
        await following.recall(END, delivery, request)
        if await _told(session, request.id) >= memo.ticket["told"]:
            return
    if request.state != memo.state:
        step = _step(delivery, request, "recalled")
        await service.reopen(session, KIND, request, memo.state, step)
    if memo.refusal is not None:
        request.refusal_code, request.refusal_text = memo.refusal
    request.version = max(request.version, memo.version)
    rows = ([memo.ticket], memo.estimates, memo.ratings)
    for table, kept in zip(_ROWS, rows, strict=True):
        await _put_back(session, table, request.id, kept)
    known = Lent(memo.loans, memo.handsets)
    await handsets.recall(session, request.id, known, city=request.visited, now=delivery.now)
    await _put_in_tills(session, memo.deposits)
    for loan, handset in await loans_of(session, request.id):
        await outside.print_deposit(context, session, request, handset, loan)


async def _begin(
    context: NodeContext, delivery: Delivery, request_id: UUID, memo: Memo
) -> ServiceRequest:
    here = context.settings.code
    unit = await active_unit(delivery.session, memo.unit, "")
    request = ServiceRequest(
        id=request_id,
        role=Party.VISITED,
        home=delivery.message.destination,
        visited=here,
        subject=memo.subject,
        deadline=memo.deadline,
        data=memo.data,
        unit_code=unit.code if unit else here,
        created_by=memo.by,
    )
    step = _step(delivery, request, "asked")
    await service.begin(delivery.session, KIND, request, step)
    return request


async def _told(session: AsyncSession, request_id: UUID) -> int:
    return (await repository.ticket_of(session, request_id)).told


async def _put_back(
    session: AsyncSession, table: str, request_id: UUID, rows: list[dict[str, Any]]
) -> None:
    """Let a table have these rows of a request, as they were."""
    await session.execute(
        text(f"DELETE FROM {table} WHERE request_id = :id"),  # noqa: S608 - a constant
        {"id": request_id},
    )
    await session.execute(
        text(f"INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, :rows)"),  # noqa: S608 - as above
        {"rows": orjson.dumps(rows).decode()},
    )


async def _put_in_tills(session: AsyncSession, deposits: Sequence[Deposit]) -> None:
    """Let deposits have gone through the drawers that they went through."""
    for each in deposits:
        if not await has_entry(session, each.loan, each.kind):
            shift = await till.recall(session, each.drawer)
            till.move(
                session, shift, each.kind, each.fen, cause_id=each.loan, by=each.by, now=each.at
            )
            await session.flush()  # the next one looks for what has moved


def _step(delivery: Delivery, request: ServiceRequest, event: str) -> Step:
    node = request.visited
    return Step(event, Party.VISITED, delivery.message.time, node, request.created_by, RECALLED)


def _opened(context: NodeContext, told: Recallable) -> Memo | None:
    if told.memo is None:
        return None
    where = seal_context(KIND.code, told.request_id, MEMO)
    try:
        return Memo.model_validate_json(context.post.open_sealed(told.memo, context=where))
    except (SealError, ValidationError):
        return None
