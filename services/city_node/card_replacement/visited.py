"""What the visited node does: asks, writes the card, gives up, and hears the home node's word."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.card_replacement import kind, outside, recall, stock
from services.city_node.card_replacement.kind import KIND
from services.city_node.card_replacement.models import SimCard
from services.city_node.card_replacement.recall import Memo
from services.city_node.card_replacement.schemas import (
    CardReplacementIn,
    Question,
    WrittenCard,
    Yes,
)
from services.city_node.service_request import finding, following, messages, service
from services.city_node.service_request.kind import EXPIRED
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.schemas import AnsweredNo
from services.city_node.service_request.visited import VisitedEnd, require_time
from shared.access import Principal
from shared.capability import NodeContext
from shared.federation.delivery import Delivery
from shared.kernel.encryption import mask
from shared.kernel.language import Text

END = VisitedEnd(KIND)


async def ask(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    asked: CardReplacementIn,
    *,
    now: datetime,
) -> UUID:
    """Ask the home node whether the customer may have a new card, with one set aside.

    The customer's numbers go into the message sealed for the home node, and are not kept here.

    Raises:
        shared.organisation.division.UnknownDivision: if the home city does not exist (422).
        HomeNotFound: if it is not named, and the number is in no segment (422).
        HomeIsHere, HomeNotCity, HomeNodeUnknown: if it cannot be the home of a cross-region request (422).
        UnitNotYours: if the unit is not active, or not the caller's (422).
        NoCardInStock: if the unit has no card (409).
    """
    home = await finding.home_of(session, context.cipher, asked.msisdn, named=asked.home, now=now)
    request = await END.new_request(
        context,
        session,
        principal,
        home=home,
        unit=asked.unit,
        subject=mask(asked.msisdn, 3, 4),
        data={"reason": asked.reason, "document_type": asked.document_type},
        now=now,
    )
    words = Text(
        f"{home} is asked to verify the customer. The question leaves as soon as the link is up.",
        f"请 {home} 核验客户；链路畅通时即发出。",
    )
    await service.begin(
        session, KIND, request, END.step(context, "asked", principal.username, words, now)
    )
    card = await stock.reserve(session, request.unit_code, request.id, now=now)
    question = Question(
        msisdn=asked.msisdn,
        document_type=asked.document_type,
        document_number=asked.document_number,
    )
    await following.ask(
        END,
        context,
        session,
        request,
        kind.ASKED,
        event="asked",
        msisdn=asked.msisdn,
        content=question,
        data={"reason": asked.reason, "memo": _memo(context, request, card)},
        now=now,
    )
    return request.id


def _memo(context: NodeContext, request: ServiceRequest, card: SimCard) -> str:
    memo = Memo(
        by=request.created_by,
        unit=request.unit_code,
        subject=request.subject,
        document_type=request.data["document_type"],
        iccid=card.iccid,
        imsi=card.imsi,
    )
    return END.seal_for_self(context, request.id, recall.MEMO, memo)


async def write_card(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    request_id: UUID,
    *,
    now: datetime,
) -> None:
    """Make the reserved card out to the customer, and tell the home node to switch to it.

    From here on the outcome is the home node's word: this node neither cancels nor times out.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        RequestNotInState: unless it is approved (409).
        RequestTimedOut: if its time is over (409).
    """
    request = await END.lock_own(session, principal, request_id)
    if request.state == "approved":
        require_time(request, now)
    words = Text(
        f"The card was written; {request.home} is to switch to it.",
        f"已写卡，待 {request.home} 换卡生效。",
    )
    await service.advance(
        session, KIND, request, END.step(context, "card-written", principal.username, words, now)
    )
    card = await stock.write(session, request.id, now=now)
    sealed = await END.seal(
        context, session, request, "card-written", WrittenCard(iccid=card.iccid, imsi=card.imsi)
    )
    await END.tell(context, session, request, kind.CARD_WRITTEN, {"sealed": sealed}, now=now)


async def cancel(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    request_id: UUID,
    note: str,
    *,
    now: datetime,
) -> None:
    """Give the request up before the card is written: the card goes back into stock, the old SIM stays in use.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        RequestNotInState: if its card is written already, or it has ended (409).
    """
    request = await END.lock_own(session, principal, request_id)
    words = Text(f"Cancelled: {note}", f"已取消：{note}")
    await service.advance(
        session, KIND, request, END.step(context, "cancelled", principal.username, words, now)
    )
    await stock.give_back(session, request.id, now=now)
    await END.tell(context, session, request, kind.CANCELLED, {}, now=now)


async def expire(
    context: NodeContext, session: AsyncSession, request: ServiceRequest, *, now: datetime
) -> None:
    """End a locked request whose time is over: the card goes back into stock, the old SIM stays in use."""
    words = Text(
        "The time is over; the card went back into stock and the old card goes on working.",
        "已超过办理时限，预留的卡已退回库存，旧卡继续有效。",
    )
    await service.advance(session, KIND, request, END.step(context, EXPIRED, "clock", words, now))
    await stock.give_back(session, request.id, now=now)
    await END.tell(context, session, request, kind.EXPIRED_AT_VISITED, {}, now=now)


async def hear_approved(delivery: Delivery, data: Yes) -> None:
    """Hear that the home node promises to switch: the clerk may write the card."""
    request = await END.find(delivery, data.request_id)
    if request.state == "written" and request.data.get("recalled"):
        return  # what it allowed has been recalled already
    words = Text(
        f"{request.home} approved: the card may be written.", f"{request.home} 已核准，可写卡。"
    )
    if await messages.hear(delivery, KIND, request, "approved", words, question_hops=data.hops):
        END.adopt_deadline(request, data.deadline)


async def hear_switched(context: NodeContext, delivery: Delivery, data: Yes) -> None:
    """Hear that the line uses the written card: it is the customer's."""
    request = await END.find(delivery, data.request_id)
    words = Text(f"{request.home} switched to the new card.", f"{request.home} 已换卡生效。")
    if await messages.hear(delivery, KIND, request, "switched", words, question_hops=data.hops):
        await stock.issue(delivery.session, request.id, now=delivery.now)
        await outside.print_receipt(context, delivery.session, request, now=delivery.now)


async def hear_refused(context: NodeContext, delivery: Delivery, data: AnsweredNo) -> None:
    """Hear that the home node will not switch: the card goes back into stock, or is spoiled if it was written.

    If the customer has moved, the new home is asked instead.
    """
    request = await END.find(delivery, data.request_id, or_asked_before=True)
    if await following.follow(END, context, delivery, request, data):
        return
    refusal = messages.refusal_of(data)
    words = Text(
        f"{request.home} refused: {refusal.text.en}", f"{request.home} 拒绝：{refusal.text.zh}"
    )
    if await messages.hear(
        delivery, KIND, request, "refused", words, question_hops=data.hops, refusal=refusal
    ):
        await stock.give_back(delivery.session, request.id, now=delivery.now)
