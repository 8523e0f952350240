"""What the new home recalls of its transfers when its database was restored from an old backup.

Its peers give it its own messages back (:mod:`shared.federation.reconciliation`). The question carries a *memo* for the
node itself, from which the request is opened again. What the old home and HQ have said since comes again by the lanes,
in whatever order, and leads where it led then: a word of HQ's that comes before the record waits for it. That it was
prepared it finds out anew and says once more, which changes nothing at the old home.

The old home needs no memo: the question comes again, it freezes the customer again, and keeps the word that it gave.
"""

from uuid import UUID

import structlog
from pydantic import ValidationError

from services.city_node.service_request import following, service
from services.city_node.service_request.kind import EXPIRED, Party
from services.city_node.service_request.messages import read
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import active_unit, exists, lock
from services.city_node.service_request.schemas import Told, seal_context
from services.city_node.service_request.service import Step
from services.city_node.service_request.visited import VisitedEnd
from services.city_node.transfer import repository
from services.city_node.transfer.kind import KIND
from services.city_node.transfer.models import TransferCase
from services.city_node.transfer.schemas import Asked, Memo, NotTaken
from shared.capability import NodeContext
from shared.federation.delivery import Delivery
from shared.federation.keys import SealError
from shared.kernel.language import Text

log = structlog.get_logger("transfer")

END = VisitedEnd(KIND)
MEMO = "memo"
RECALLED = Text(
    "This node was restored from a backup and recalls what it had done.",
    "本节点由备份恢复，据已发报文补记。",
)


async def recall_asked(context: NodeContext, delivery: Delivery) -> None:
    """Open the request of a question again."""
    asked = read(Asked, delivery)
    session, deadline = delivery.session, delivery.message.deadline
    known = await lock(session, KIND, asked.request_id)
    if known is not None:
        await following.recall(END, delivery, known)
        return
    if deadline is None or await exists(session, asked.request_id):
        return
    memo = _opened(context, asked)
    if memo is None:
        log.warning("a transfer cannot be recalled: it has no memo", id=str(asked.request_id))
        return
    here = context.settings.code
    unit = await active_unit(session, memo.unit, "")
    request = ServiceRequest(
        id=asked.request_id,
        role=Party.VISITED,
        home=delivery.message.destination,
        visited=here,
        subject=memo.subject,
        deadline=deadline,
        data={
            "document_type": memo.document_type,
            "consent": memo.consent,
            "consented_at": delivery.message.time.isoformat(),
        },
        unit_code=unit.code if unit else here,
        created_by=memo.by,
    )
    await service.begin(session, KIND, request, _step(delivery, request, "asked"))
    session.add(TransferCase(request_id=request.id, memo=asked.memo))


async def recall_prepared(_: NodeContext, delivery: Delivery) -> None:
    """Note that this city had promised to take the record, which comes again."""
    request = await lock(delivery.session, KIND, read(Told, delivery).request_id)
    if request is not None and request.role == Party.VISITED and request.ended_at is None:
        (await repository.case_of(delivery.session, request.id)).had_prepared = True


async def recall_cancelled(_: NodeContext, delivery: Delivery) -> None:
    """Give the request up again."""
    await _end(delivery, read(Told, delivery).request_id, "cancelled")


async def recall_expired(_: NodeContext, delivery: Delivery) -> None:
    """Let the request's time be over again."""
    await _end(delivery, read(Told, delivery).request_id, EXPIRED)


async def recall_not_taken(_: NodeContext, delivery: Delivery) -> None:
    """Give the request up again: that it was refused here is told to its clerk as given up."""
    await _end(delivery, read(NotTaken, delivery).request_id, "cancelled")


async def _end(delivery: Delivery, request_id: UUID, event: str) -> None:
    request = await lock(delivery.session, KIND, request_id)
    if request is None or request.role != Party.VISITED:
        return
    if service.is_allowed(KIND, request, event, Party.VISITED):
        await service.advance(delivery.session, KIND, request, _step(delivery, request, event))
        await repository.forget_record(delivery.session, request.id)


def _step(delivery: Delivery, request: ServiceRequest, event: str) -> Step:
    by = request.created_by
    return Step(event, Party.VISITED, delivery.message.time, request.visited, by, RECALLED)


def _opened(context: NodeContext, asked: Asked) -> Memo | None:
    if asked.memo is None:
        return None
    where = seal_context(KIND.code, asked.request_id, MEMO)
    try:
        return Memo.model_validate_json(context.post.open_sealed(asked.memo, context=where))
    except (SealError, ValidationError):
        return None
