"""What the old home does: decides, freezes and sends the record, has HQ move ownership, and goes by HQ's word."""

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.ownership import CustomerOwnership, is_live
from services.city_node.points import moving
from services.city_node.service_request import messages, service
from services.city_node.service_request.home import HomeEnd, is_holder
from services.city_node.service_request.kind import EXPIRED, Party, Refusal
from services.city_node.service_request.lines import Line, lock_line
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import has_heard
from services.city_node.service_request.schemas import Told, seal_context
from services.city_node.transfer import kind, leaving, packing, repository
from services.city_node.transfer.kind import KIND, Reason
from services.city_node.transfer.models import TransferCase
from services.city_node.transfer.schemas import Asked, NotTaken, Question
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.envelope import answer_id
from shared.federation.models import Lane
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.encryption import mask
from shared.kernel.language import Text
from shared.ownership import MOVE_ASKED, MoveAsked, Word

log = structlog.get_logger("transfer")

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
    reason = await _objection(context, delivery, line, question, None if had_offered else deadline)
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
        await END.answer_no(context, delivery, request.id, refused)
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


async def hear_prepared(context: NodeContext, delivery: Delivery, data: Told) -> None:
    """Hear that the new home has the whole record: ask HQ to move ownership. From here on HQ decides."""
    request = await messages.find(delivery, KIND, data.request_id, Party.HOME)
    if request is None:
        log.warning("prepared for nothing that is known here", request_id=str(data.request_id))
        return
    words = Text(
        f"{request.visited} has the whole record. HQ is asked to move ownership.",
        f"{request.visited} 已备妥档案，请总部移交归属。",
    )
    if request.state == "moving":  # told again, after it had waited for long
        await messages.note_late(delivery, request, "prepared", words)
        await ask_hq(context, delivery.session, request, now=delivery.now)
    elif await messages.hear(delivery, KIND, request, "prepared", words):
        await ask_hq(context, delivery.session, request, now=delivery.now)


async def ask_hq(
    context: NodeContext, session: AsyncSession, request: ServiceRequest, *, now: datetime
) -> None:
    """Ask HQ to move ownership; asked again, it answers the same."""
    case = await repository.case_of(session, request.id)
    if case.customer_id is None or case.epoch is None:
        raise AssertionError("the old home knows whom it has frozen")
    asked = MoveAsked(
        customer_id=case.customer_id,
        transfer_id=request.id,
        epoch=case.epoch,
        to=request.visited,
    )
    await context.post.post(
        session,
        MOVE_ASKED,
        kind.HQ,
        asked.model_dump(mode="json"),
        lane=Lane.REQUEST,
        partition_key=str(request.id),
        now=now,
        subject=f"{KIND.code}/{request.id}",
        correlation_id=request.id,
    )


async def hear_moved(delivery: Delivery, word: Word, request: ServiceRequest | None) -> None:
    """Hear that ownership has moved: the profile is a copy from now on."""
    if word.owner is None or word.moved_by is None:
        raise MessageRefused("HQ says that ownership has moved, and not to whom.")
    left = await leaving.leave(delivery, word, word.moved_by, word.owner)
    if request is None:
        log.warning(
            "HQ gives a customer of this city to another; no transfer of it is known here",
            customer_id=str(word.customer_id),
            known=left,
        )
        return
    words = Text(
        f"HQ has moved ownership to {word.owner} in epoch {word.epoch}; what stays here is a copy.",
        f"总部已将归属移交 {word.owner}（第 {word.epoch} 轮次），本地留存副本。",
    )
    await _hear_hq(delivery, request, "moved", words)


async def hear_not_moved(
    context: NodeContext, delivery: Delivery, word: Word, request: ServiceRequest
) -> None:
    """Hear that HQ did not move ownership: go by its word of whose the customer is, and end the transfer."""
    refusal = KIND.refusal(Reason.OWNED_ELSEWHERE)
    here = context.settings.code
    if word.owner in {None, here}:
        refusal = KIND.refusal(Reason.GIVEN_UP)
        epoch = word.epoch
        await leaving.thaw(
            delivery.session, word.customer_id, request.id, now=delivery.now, epoch=epoch
        )
    else:
        await hear_moved(delivery, word, None)
    words = Text(f"HQ refused: {refusal.text.en}", f"总部拒绝：{refusal.text.zh}")
    if await _hear_hq(delivery, request, "refused", words, refusal):
        data: dict[str, Any] = {
            "request_id": str(request.id),
            "reason": refusal.code,
            "text": service.spoken(refusal.text),
        }
        await tell(context, delivery.session, request, kind.REFUSED, data, now=delivery.now)


async def _hear_hq(
    delivery: Delivery,
    request: ServiceRequest,
    event: str,
    words: Text,
    refusal: Refusal | None = None,
) -> bool:
    """Let HQ's word move a locked request of this end, once; tell whether it did."""
    if await has_heard(delivery.session, request.id, delivery.message.id):
        return False
    service.record_journey(delivery.session, request, delivery.hops)
    step = service.Step(
        event,
        Party.HOME,
        delivery.now,
        request.home,
        delivery.message.source,
        words,
        delivery.message.id,
        refusal,
    )
    if not service.is_allowed(KIND, request, event, Party.HOME):
        await messages.note_late(delivery, request, event, words)
        return False
    await service.advance(delivery.session, KIND, request, step)
    return True


async def hear_not_taken(delivery: Delivery, data: NotTaken) -> None:
    """Hear that the new home cannot take the record: the customer stays."""
    refusal = Refusal(data.reason, data.text.to_text())
    words = Text(
        f"The other city cannot take the record: {refusal.text.en}",
        f"受理地无法接收档案：{refusal.text.zh}",
    )
    await _let_go(delivery, data.request_id, "refused", words, refusal)


async def hear_cancelled(delivery: Delivery, data: Told) -> None:
    """Hear that the new home gave up: the customer stays."""
    words = Text("The other city cancelled; the customer stays.", "受理地已取消，客户归属不变。")
    await _let_go(delivery, data.request_id, "cancelled", words)


async def hear_expired(delivery: Delivery, data: Told) -> None:
    """Hear that the time is over at the new home: the customer stays."""
    words = Text(
        "The time is over at the other city; the customer stays.", "受理地办理超时，客户归属不变。"
    )
    await _let_go(delivery, data.request_id, EXPIRED, words)


async def _let_go(
    delivery: Delivery,
    request_id: UUID,
    event: str,
    words: Text,
    refusal: Refusal | None = None,
) -> None:
    request = await messages.find(delivery, KIND, request_id, Party.HOME)
    if request is None:
        log.info("nothing to let go", request_id=str(request_id), event=event)
        return
    if request.state == "moving":
        # It had said that it was prepared, which this node has acted on: HQ decides.
        await messages.note_late(delivery, request, event, words)
        return
    if await messages.hear(delivery, KIND, request, event, words, refusal=refusal):
        case = await repository.case_of(delivery.session, request.id)
        if case.customer_id is not None:
            await leaving.thaw(delivery.session, case.customer_id, request.id, now=delivery.now)


async def tell(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    type_: str,
    data: dict[str, Any],
    *,
    now: datetime,
) -> None:
    """Post a message about the request to the new home."""
    await context.post.post(
        session,
        type_,
        request.visited,
        data,
        lane=Lane.REQUEST,
        partition_key=str(request.id),
        now=now,
        subject=f"{KIND.code}/{request.id}",
        correlation_id=request.id,
    )
