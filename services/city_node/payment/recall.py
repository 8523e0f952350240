"""What a visited city recalls of its payments when its database was restored from an old backup.

Its peers give it its own messages back (:mod:`shared.federation.reconciliation`). Each holds a *memo* for the node
itself, sealed so that nobody else can read it: who took the money, in which shift, for which receipt. From it the
record is opened again and the money put back into the drawer's books, and what was handed out taken out of them. What
home has answered comes by the lanes as ever, and may come after what it had led to. The number is among what is
sealed, so that a customer who has moved is followed again: no money goes back over the counter for a home's old word.

A home city needs no memo: what it heard comes again, and it decides again, looking up what it had said
(``PostOffice.answer_given``), so that a payment which it had credited is credited again on the same business day, and
one that it had refused is refused.
"""

from typing import TypeVar
from uuid import UUID

import structlog
from pydantic import BaseModel, ValidationError

from services.city_node.payment import outside, repository, reversal_visited, visited
from services.city_node.payment.kind import PAYMENT, REVERSAL
from services.city_node.payment.models import Payment
from services.city_node.payment.schemas import (
    GivenBack,
    GivenBackMemo,
    PaidFor,
    ReversalAsked,
    ReversalMemo,
    Taken,
    TakenMemo,
)
from services.city_node.payment.telling import MEMO
from services.city_node.service_request import following, service
from services.city_node.service_request.kind import Kind, Party
from services.city_node.service_request.messages import read
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import active_unit, exists, lock
from services.city_node.service_request.schemas import seal_context
from services.city_node.service_request.service import Step
from services.city_node.till import service as till
from shared.capability import NodeContext
from shared.federation.delivery import Delivery
from shared.federation.keys import SealError
from shared.kernel.language import Text

log = structlog.get_logger("payment")

RECALLED = Text(
    "This node was restored from a backup and recalls what it had done.",
    "本节点由备份恢复，据已发报文补记。",
)
Memo = TypeVar("Memo", bound=BaseModel)


async def recall_taken(context: NodeContext, delivery: Delivery) -> None:
    """Open the record of a payment again, with its money in the drawer."""
    taken, session = read(Taken, delivery), delivery.session
    known = await lock(session, PAYMENT, taken.request_id)
    if known is not None:
        await following.recall(visited.END, delivery, known)
        return
    if await exists(session, taken.request_id):
        return
    memo = _opened(context, PAYMENT, taken.request_id, taken.memo, TakenMemo)
    if memo is None:
        return
    request = await _again(
        context, delivery, PAYMENT, taken.request_id, memo.by, memo.unit, memo.subject
    )
    request.data = {"amount_fen": taken.amount_fen}
    await service.begin(session, PAYMENT, request, _step(delivery, request, "taken", memo.by))
    shift = await till.recall(session, memo.drawer)
    payment = Payment(
        request_id=request.id,
        shift_id=shift.id,
        amount_fen=taken.amount_fen,
        receipt_number=memo.receipt_number,
        taken_at=taken.taken_at or delivery.message.time,
    )
    visited.put_in_till(session, payment, shift, by=memo.by, now=delivery.message.time)
    await outside.print_receipt(
        context, session, request, payment, hall=memo.drawer.unit, now=delivery.now
    )
    if memo.msisdn is not None and taken.memo is not None:
        following.keep(
            visited.END,
            context,
            request,
            delivery.message.type,
            event="taken",
            msisdn=memo.msisdn,
            content=PaidFor(msisdn=memo.msisdn),
            data=visited.question(payment, taken.memo),
        )
    await session.flush()  # the next news of the payment looks for it


async def recall_given_back(context: NodeContext, delivery: Delivery) -> None:
    """Note again that the money of a refused payment was handed out. Home had refused: its word comes again later."""
    request, memo = await _handed_out(context, delivery, PAYMENT, "refused")
    if request is not None and memo is not None:
        shift = await till.recall(delivery.session, memo.drawer)
        payment = await repository.payment_of(delivery.session, request.id)
        visited.hand_out(delivery.session, payment, shift, by=memo.by, now=delivery.message.time)


async def recall_reversal(context: NodeContext, delivery: Delivery) -> None:
    """Open the record of a reversal again."""
    asked, session = read(ReversalAsked, delivery), delivery.session
    paid = await lock(session, PAYMENT, asked.payment_id)
    if paid is None or paid.role != Party.VISITED or await exists(session, asked.request_id):
        return
    memo = _opened(context, REVERSAL, asked.request_id, asked.memo, ReversalMemo)
    if memo is None:
        return
    request = await _again(
        context, delivery, REVERSAL, asked.request_id, memo.by, memo.unit, memo.subject
    )
    request.data = {"amount_fen": asked.amount_fen, "payment_id": str(asked.payment_id)}
    await service.begin(session, REVERSAL, request, _step(delivery, request, "asked", memo.by))
    payment = await repository.payment_of(session, asked.payment_id)
    reversal_visited.open_reversal(session, payment, request.id, memo.reason)
    await session.flush()  # the next news of the reversal looks for it


async def recall_reversal_given_back(context: NodeContext, delivery: Delivery) -> None:
    """Note again that the money of a reversed payment was handed out."""
    request, memo = await _handed_out(context, delivery, REVERSAL, "reversed")
    if request is not None and memo is not None:
        shift = await till.recall(delivery.session, memo.drawer)
        reversal = await repository.reversal_of(delivery.session, request.id)
        payment = await repository.payment_of(delivery.session, reversal.payment_id)
        reversal_visited.hand_out(
            delivery.session, payment, reversal, shift, by=memo.by, now=delivery.message.time
        )


async def _handed_out(
    context: NodeContext, delivery: Delivery, kind: Kind, answer: str
) -> tuple[ServiceRequest | None, GivenBackMemo | None]:
    """Move a record on to where its money was handed out; return it if that was news to this node."""
    told, session = read(GivenBack, delivery), delivery.session
    request = await lock(session, kind, told.request_id)
    if request is None or request.role != Party.VISITED or request.ended_at is not None:
        return None, None
    memo = _opened(context, kind, told.request_id, told.memo, GivenBackMemo)
    if memo is None:
        return None, None
    if request.state != "to_give_back":
        word = _step(delivery, request, answer, request.home, Party.HOME)
        await service.advance(session, kind, request, word)
        request.data = request.data | {"recalled": True}
    step = _step(delivery, request, "given-back", memo.by)
    await service.advance(session, kind, request, step)
    return request, memo


async def _again(  # noqa: PLR0917 - what a record begins with
    context: NodeContext,
    delivery: Delivery,
    kind: Kind,
    request_id: UUID,
    by: str,
    unit_code: str,
    subject: str,
) -> ServiceRequest:
    here = context.settings.code
    unit = await active_unit(delivery.session, unit_code, "")
    return ServiceRequest(
        id=request_id,
        role=Party.VISITED,
        home=delivery.message.destination,
        visited=here,
        subject=subject,
        deadline=delivery.message.time + kind.time_limit,
        unit_code=unit.code if unit else here,
        created_by=by,
    )


def _step(
    delivery: Delivery, request: ServiceRequest, event: str, by: str, party: Party = Party.VISITED
) -> Step:
    node = request.visited if party is Party.VISITED else request.home
    return Step(event, party, delivery.message.time, node, by, RECALLED)


def _opened(
    context: NodeContext, kind: Kind, request_id: UUID, sealed: str | None, form: type[Memo]
) -> Memo | None:
    if sealed is not None:
        where = seal_context(kind.code, request_id, MEMO)
        try:
            return form.model_validate_json(context.post.open_sealed(sealed, context=where))
        except (SealError, ValidationError):
            pass
    log.error("what this node had done cannot be recalled: no memo", request_id=str(request_id))
    return None
