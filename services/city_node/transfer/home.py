"""What the old home does once it has offered the record: has HQ move ownership, and goes by HQ's word, or thaws."""

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request import messages, service
from services.city_node.service_request.kind import EXPIRED, Party, Refusal
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import has_heard
from services.city_node.service_request.schemas import Told
from services.city_node.transfer import kind, leaving, repository
from services.city_node.transfer.kind import KIND, Reason
from services.city_node.transfer.schemas import NotTaken
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import Lane
from shared.kernel.language import Text
from shared.ownership import MOVE_ASKED, MoveAsked, Word

log = structlog.get_logger("transfer")


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
        if await _note(delivery, request, "prepared", words):
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


async def hear_moved(
    context: NodeContext, delivery: Delivery, word: Word, request: ServiceRequest | None
) -> None:
    """Hear that ownership has moved: the profile is a copy from now on."""
    if word.owner is None or word.moved_by is None:
        raise MessageRefused("HQ says that ownership has moved, and not to whom.")
    left = await leaving.leave(delivery, context.cipher, word, word.moved_by, word.owner)
    if request is None:
        log.warning(
            "HQ gives a customer of this city to another; no transfer of it is known here",
            customer_id=str(word.customer_id),
            known=left,
        )
        return
    words = Text(
        f"HQ has moved ownership to {word.owner} in epoch {word.epoch}; what stays here is a copy.",
        f"总部已将归属移交 {word.owner}（归属纪元 {word.epoch}），本地留存副本。",
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
        await hear_moved(context, delivery, word, None)
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
        # It had said that it was prepared, which this node has acted on.
        await _note(
            delivery, request, event, Text(f"{words.en} HQ decides.", f"{words.zh}由总部决定。")
        )
        return
    if await messages.hear(delivery, KIND, request, event, words, refusal=refusal):
        case = await repository.case_of(delivery.session, request.id)
        if case.customer_id is not None:
            await leaving.thaw(delivery.session, case.customer_id, request.id, now=delivery.now)


async def _note(delivery: Delivery, request: ServiceRequest, event: str, words: Text) -> bool:
    """Write down once what the new home says, and nothing comes of; tell whether it is news."""
    if await has_heard(delivery.session, request.id, delivery.message.id):
        return False
    service.record_journey(delivery.session, request, delivery.hops)
    step = messages.heard_step(delivery, request, event, words)
    await service.note(delivery.session, request, step)
    return True


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
