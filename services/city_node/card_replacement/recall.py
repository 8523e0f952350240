"""What a visited node recalls of its requests when its database was restored from an old backup.

Its peers give it its own messages back (:mod:`shared.federation.reconciliation`). Each question carries a *memo* for
the node itself, sealed so that nobody else can read it: who asked, in which hall, with which card. From it the record
is opened again, and the card taken out of the stock once more; the news that followed move it on as they did then.
What home has answered comes by the lanes as ever, and may come after what it had led to.

A home node needs no memo: what it heard comes again, and it decides again. Only where time would make it decide
otherwise does it look up what it had said (``PostOffice.has_answered``).
"""

from uuid import UUID

import structlog
from pydantic import BaseModel, ValidationError

from services.city_node.card_replacement import stock
from services.city_node.card_replacement.kind import KIND
from services.city_node.card_replacement.schemas import Asked, Iccid, Imsi
from services.city_node.service_request import following, service
from services.city_node.service_request.kind import EXPIRED, Party
from services.city_node.service_request.messages import read
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import active_unit, exists, lock
from services.city_node.service_request.schemas import Sealed, Told, seal_context
from services.city_node.service_request.service import Step
from services.city_node.service_request.visited import VisitedEnd
from shared.capability import NodeContext
from shared.federation.delivery import Delivery
from shared.federation.keys import SealError
from shared.kernel.language import Text

log = structlog.get_logger("card_replacement")

END = VisitedEnd(KIND)
MEMO = "memo"
RECALLED = Text(
    "This node was restored from a backup and recalls what it had done.",
    "本节点由备份恢复，据已发报文补记。",
)


class Memo(BaseModel):
    """What a visited node seals for itself in its question."""

    by: str
    unit: str
    subject: str
    document_type: str
    iccid: Iccid
    imsi: Imsi


async def recall_asked(context: NodeContext, delivery: Delivery) -> None:
    """Open the record of a question again, with its card."""
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
        log.warning(
            "a request cannot be recalled: its question has no memo", id=str(asked.request_id)
        )
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
        data={"reason": asked.reason, "document_type": memo.document_type},
        unit_code=unit.code if unit else here,
        created_by=memo.by,
    )
    await service.begin(session, KIND, request, _step(delivery, request, "asked", memo.by))
    await stock.take_again(
        session, request.unit_code, (memo.iccid, memo.imsi), request.id, now=delivery.now
    )


async def recall_card_written(_: NodeContext, delivery: Delivery) -> None:
    """Note again that the card is written. Home had approved: its word comes again later."""
    request = await _recalled(delivery, read(Sealed, delivery).request_id)
    if request is None or request.state not in {"asked", "approved"}:
        return
    if request.state == "asked":
        approval = _step(delivery, request, "approved", request.home, Party.HOME)
        await service.advance(delivery.session, KIND, request, approval)
        request.data = request.data | {"recalled": True}
    step = _step(delivery, request, "card-written", request.created_by)
    await service.advance(delivery.session, KIND, request, step)
    await stock.write(delivery.session, request.id, now=delivery.now)


async def recall_cancelled(_: NodeContext, delivery: Delivery) -> None:
    """Give the request up again."""
    await _give_up(delivery, "cancelled")


async def recall_expired(_: NodeContext, delivery: Delivery) -> None:
    """Let the request's time be over again."""
    await _give_up(delivery, EXPIRED)


async def _give_up(delivery: Delivery, event: str) -> None:
    request = await _recalled(delivery, read(Told, delivery).request_id)
    if request is not None and service.is_allowed(KIND, request, event, Party.VISITED):
        step = _step(delivery, request, event, request.created_by)
        await service.advance(delivery.session, KIND, request, step)
        await stock.give_back(delivery.session, request.id, now=delivery.now)


async def _recalled(delivery: Delivery, request_id: UUID) -> ServiceRequest | None:
    request = await lock(delivery.session, KIND, request_id)
    return request if request is not None and request.role == Party.VISITED else None


def _step(
    delivery: Delivery, request: ServiceRequest, event: str, by: str, party: Party = Party.VISITED
) -> Step:
    node = request.visited if party is Party.VISITED else request.home
    return Step(event, party, delivery.message.time, node, by, RECALLED)


def _opened(context: NodeContext, asked: Asked) -> Memo | None:
    if asked.memo is None:
        return None
    where = seal_context(KIND.code, asked.request_id, MEMO)
    try:
        return Memo.model_validate_json(context.post.open_sealed(asked.memo, context=where))
    except (SealError, ValidationError):
        return None
