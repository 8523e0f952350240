"""What the old home does when it is asked: decides, freezes the customer, and sends the record."""

from datetime import datetime

from services.city_node.customer.ownership import CustomerOwnership, is_live
from services.city_node.points import moving
from services.city_node.service_request import messages, service
from services.city_node.service_request.home import HomeEnd, is_holder
from services.city_node.service_request.kind import Party
from services.city_node.service_request.lines import Line, lock_line
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.schemas import seal_context
from services.city_node.transfer import kind, leaving, packing, repository
from services.city_node.transfer.kind import KIND, Reason
from services.city_node.transfer.models import TransferCase
from services.city_node.transfer.schemas import Asked, Question
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.envelope import answer_id
from shared.federation.models import Lane
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.encryption import mask
from shared.kernel.language import Text

END = HomeEnd(KIND, kind.REFUSED)


async def hear_asked(context: NodeContext, delivery: Delivery, data: Asked) -> None:
    """Decide whether the person at the other city's counter may move there; freeze and send the record if so."""
    if await messages.find(delivery, KIND, data.request_id, Party.HOME) is not None:
        return  # decided and answered when it came first
    deadline = delivery.message.deadline
    if deadline is None:
        raise MessageRefused(f"The question {data.request_id} has no deadline.")
    question = END.open(context, delivery, data, "asked", Question)
    line = await lock_line(delivery.session, question.msisdn)
    # Only a node that was restored from a backup has answered what it does not know: it keeps its word.
    had_offered = await context.post.has_answered(delivery, kind.OFFERED)
    reason: str | None = await _objection(
        context, delivery, line, question, None if had_offered else deadline
    )
    moved_to = None
    if reason == Reason.SUBSCRIPTION_UNKNOWN:
        reason, moved_to = await END.missing(
            context, delivery.session, question.msisdn, Reason.SUBSCRIPTION_UNKNOWN
        )
    if (
        not had_offered
        and reason is None
        and await context.post.has_answered(delivery, kind.REFUSED)
    ):
        reason = Reason.GIVEN_UP
    request = ServiceRequest(
        id=data.request_id,
        role=Party.HOME,
        home=context.settings.code,
        visited=delivery.message.source,
        subject=mask(question.msisdn, 3, 4),
        deadline=min(deadline, delivery.now + KIND.time_limit) + KIND.home_grace,
        data={
            "document_type": question.document_type,
            "consent": question.consent,
            "consented_at": question.consented_at.isoformat(),
            "consent_taken_by": question.by,
        },
        unit_code=line.customer.unit_code if line else context.settings.code,
        created_by=delivery.message.source,
    )
    left = None if line else await repository.left_by(delivery.session, request.id)
    if left is not None:
        await _begin_ended(context, delivery, request, left)
        return
    packed = None
    if reason is None and line is not None:
        try:
            packed = await _freeze_and_pack(context, delivery, line, request)
        except packing.RecordTooLarge:
            reason = Reason.RECORD_TOO_LARGE
            await leaving.thaw(delivery.session, line.customer.id, request.id, now=delivery.now)
    if reason is not None or packed is None:
        refused = reason or Reason.SUBSCRIPTION_UNKNOWN
        step = END.refusal_step(context, delivery, refused)
        await service.begin(delivery.session, KIND, request, step, journey=delivery.hops)
        await END.answer_no(context, delivery, request.id, refused, moved_to=moved_to)
        return
    words = Text(
        "Identity and record are in order; the record is frozen and on its way.",
        "身份与档案核验通过，档案已冻结并开始传送。",
    )
    step = END.step(context, "offered", words, delivery.now, delivery.message.id)
    case, chunks = packed
    await service.begin(delivery.session, KIND, request, step, journey=delivery.hops)
    delivery.session.add(case)
    offer = {
        "customer_id": str(case.customer_id),
        "epoch": case.epoch,
        "sha256": case.sha256,
        "chunks": case.chunks,
    }
    await END.answer_yes(context, delivery, kind.OFFERED, request.id, offer)
    await _send(context, delivery, request, chunks)


async def _begin_ended(
    context: NodeContext, delivery: Delivery, request: ServiceRequest, left: CustomerOwnership
) -> None:
    """Open the record of a transfer that has ended: this node was restored, and HQ's word came before the question."""
    words = Text(
        f"HQ had moved ownership to {left.other} before this node was restored from a backup.",
        f"本节点由备份恢复前，总部已将归属移交 {left.other}。",
    )
    step = END.step(context, "moved", words, delivery.now, delivery.message.id)
    await service.begin(delivery.session, KIND, request, step, journey=delivery.hops)
    case = TransferCase(request_id=request.id, customer_id=left.customer_id, epoch=left.epoch - 1)
    delivery.session.add(case)


async def _objection(
    context: NodeContext,
    delivery: Delivery,
    line: Line | None,
    question: Question,
    deadline: datetime | None,
) -> Reason | None:
    """Return why the customer may not move; without a deadline it was allowed before, and identity alone counts."""
    if deadline is not None and deadline <= delivery.now:
        return Reason.DEADLINE_PASSED
    if line is None:
        return Reason.SUBSCRIPTION_UNKNOWN
    # Identity comes before anything that tells about the customer, which is nobody's business but their own.
    shown = question.document_type, question.document_number
    if not is_holder(context, delivery, line.customer, *shown):
        return Reason.IDENTITY_MISMATCH
    if not await is_live(delivery.session, line.customer.id):
        return Reason.TRANSFER_UNDER_WAY
    if deadline is None:
        return None
    connection = await driver_connection(delivery.session)
    return await repository.objection(connection, line.customer.id, business_day(delivery.now))


async def _freeze_and_pack(
    context: NodeContext, delivery: Delivery, line: Line, request: ServiceRequest
) -> tuple[TransferCase, list[bytes]]:
    """Freeze the customer, who is locked, and return the record as it is from now on."""
    session, customer = delivery.session, line.customer
    connection = await driver_connection(session)
    await moving.lock(connection, customer.id)
    unjudged = await moving.unjudged(connection, customer.id)
    ownership = await leaving.freeze(
        session, customer, request.id, request.visited, now=delivery.now
    )
    record = await packing.pack(connection, context.cipher, customer.id, unjudged=unjudged)
    sha256, chunks = packing.to_chunks(record)
    case = TransferCase(
        request_id=request.id,
        customer_id=customer.id,
        epoch=ownership.epoch,
        chunks=len(chunks),
        sha256=sha256,
    )
    return case, chunks


async def _send(
    context: NodeContext, delivery: Delivery, request: ServiceRequest, chunks: list[bytes]
) -> None:
    for number, chunk in enumerate(chunks, 1):
        where = seal_context(KIND.code, request.id, f"record/{number}")
        sealed = await context.post.seal_for(
            delivery.session, request.visited, chunk, context=where
        )
        await context.post.post(
            delivery.session,
            kind.RECORD,
            request.visited,
            {"request_id": str(request.id), "number": number, "sealed": sealed},
            lane=Lane.BULK,
            partition_key=str(request.id),
            now=delivery.now,
            subject=f"{KIND.code}/{request.id}",
            message_id=answer_id(delivery.message.id, kind.RECORD, str(number)),
            correlation_id=request.id,
            causation_id=delivery.message.id,
        )
