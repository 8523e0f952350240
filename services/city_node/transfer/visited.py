"""What the new home does: asks, takes the record in pieces, prepares, and goes live by HQ's word."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.identity import document_indexes
from services.city_node.customer.models import Subscription, SubscriptionStatus
from services.city_node.service_request import finding, following, messages, service
from services.city_node.service_request.kind import EXPIRED, Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.schemas import AnsweredNo, Told
from services.city_node.service_request.service import RequestNotInState
from services.city_node.service_request.visited import VisitedEnd
from services.city_node.transfer import arriving, directory, kind, repository
from services.city_node.transfer.kind import KIND
from services.city_node.transfer.models import TransferCase
from services.city_node.transfer.problems import CustomerKnownHere, NumberInUseHere
from services.city_node.transfer.recall import MEMO
from services.city_node.transfer.schemas import Chunk, Memo, Offered, Question, TransferIn
from shared.access import Principal
from shared.capability import NodeContext
from shared.federation.delivery import Delivery
from shared.federation.models import Lane
from shared.kernel.encryption import mask
from shared.kernel.language import Text
from shared.kernel.problems import Fault

END = VisitedEnd(KIND)


async def ask(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    asked: TransferIn,
    *,
    now: datetime,
) -> UUID:
    """Ask the home city to hand over a customer who stands at the counter and has agreed to it.

    Raises:
        shared.organisation.division.UnknownDivision: if the home city does not exist (422).
        HomeNotFound: if it is not named, and the number is in no segment (422).
        HomeIsHere, HomeNotCity, HomeNodeUnknown: if it cannot be the home of a cross-region request (422).
        UnitNotYours: if the unit is not active, or not the caller's (422).
        CustomerKnownHere: if somebody of this city has the document (409).
        NumberInUseHere: if the new number is on a line of this city (409).
    """
    if await repository.knows_document(
        session, document_indexes(context.cipher, asked.document_number)
    ):
        raise CustomerKnownHere(faults=[Fault("/document_number", "somebody here has it")])
    await _require_free(session, asked.new_msisdn)
    home = await finding.home_of(session, context.cipher, asked.msisdn, named=asked.home, now=now)
    request = await END.new_request(
        context,
        session,
        principal,
        home=home,
        unit=asked.unit,
        subject=mask(asked.msisdn, 3, 4),
        data={
            "document_type": asked.document_type,
            "consent": asked.consent,
            "consented_at": now.isoformat(),
        },
        now=now,
    )
    words = Text(
        f"{home} is asked to hand the customer over. The question leaves as soon as the link is up.",
        f"请 {home} 移交客户；链路畅通时即发出。",
    )
    await service.begin(
        session, KIND, request, END.step(context, "asked", principal.username, words, now)
    )
    question = Question(
        msisdn=asked.msisdn,
        document_type=asked.document_type,
        document_number=asked.document_number,
        consent=asked.consent,
        consented_at=now,
        by=principal.username,
    )
    memo = Memo(
        by=request.created_by,
        unit=request.unit_code,
        subject=request.subject,
        document_type=asked.document_type,
        consent=asked.consent,
        msisdn=asked.msisdn,
        new_msisdn=asked.new_msisdn,
    )
    sealed_memo = END.seal_for_self(context, request.id, MEMO, memo)
    # The numbers stay sealed at this end, too: they are in the record as soon as it is this city's.
    session.add(TransferCase(request_id=request.id, memo=sealed_memo))
    await following.ask(
        END,
        context,
        session,
        request,
        kind.ASKED,
        event="asked",
        msisdn=asked.msisdn,
        content=question,
        data={"memo": sealed_memo},
        now=now,
    )
    return request.id


async def _require_free(session: AsyncSession, msisdn: str | None) -> None:
    if msisdn is None:
        return
    query = select(Subscription.id).where(
        Subscription.msisdn == msisdn, Subscription.status != SubscriptionStatus.ENDED
    )
    if await session.scalar(query) is not None:
        raise NumberInUseHere(faults=[Fault("/new_msisdn", "is on a live line")], msisdn=msisdn)


async def cancel(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    request_id: UUID,
    note: str,
    *,
    now: datetime,
) -> None:
    """Give the request up before this city has said that it is prepared: the customer stays where they were.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        RequestNotInState: if this city is prepared already, or it has ended (409).
    """
    request = await END.lock_own(session, principal, request_id)
    words = Text(f"Cancelled: {note}", f"已取消：{note}")
    await service.advance(
        session, KIND, request, END.step(context, "cancelled", principal.username, words, now)
    )
    if (await repository.case_of(session, request.id)).had_prepared:
        raise RequestNotInState(
            id=request.id,
            state="prepared",
            event="cancelled",
            possible_en="This city had said that it was prepared: HQ decides.",
            possible_zh="本地此前已备妥，由总部决定。",
        )
    await repository.forget_record(session, request.id)
    await END.tell(context, session, request, kind.CANCELLED, {}, now=now)


async def expire(
    context: NodeContext, session: AsyncSession, request: ServiceRequest, *, now: datetime
) -> None:
    """End a locked request whose time is over: the customer stays where they were.

    Not one for which this city, before it was restored from a backup, had said that it was prepared: HQ decides.
    """
    case = await repository.case_of(session, request.id)
    if case.had_prepared or case.word is not None:
        request.deadline = now + KIND.time_limit
        await directory.inquire(context, session, request, now=now)
        return
    words = Text(
        "The time is over; the customer stays with the home city.",
        "已超过办理时限，客户归属不变。",
    )
    await service.advance(session, KIND, request, END.step(context, EXPIRED, "clock", words, now))
    await repository.forget_record(session, request.id)
    await END.tell(context, session, request, kind.EXPIRED_AT_VISITED, {}, now=now)


async def hear_offered(context: NodeContext, delivery: Delivery, data: Offered) -> None:
    """Hear that the record is frozen and on its way; pieces of it may be here already."""
    request = await END.find(delivery, data.request_id)
    words = Text(
        f"{request.home} agreed: the record is on its way in {data.chunks} piece(s).",
        f"{request.home} 已同意，档案分 {data.chunks} 段传送。",
    )
    if request.state in {"offered", "prepared"}:
        return  # the old home, restored from a backup, says once more what counts already
    if await messages.hear(delivery, KIND, request, "offered", words, question_hops=data.hops):
        case = await repository.case_of(delivery.session, request.id)
        case.customer_id, case.epoch = data.customer_id, data.epoch
        case.sha256, case.chunks = data.sha256, data.chunks
        await arriving.prepare(context, delivery, request)


async def hear_chunk(context: NodeContext, delivery: Delivery, data: Chunk) -> None:
    """Keep a piece of the record; with the last of them, prepare."""
    request = await END.find(delivery, data.request_id)
    if request.state not in {"asked", "offered"}:
        return
    await repository.keep_chunk(
        delivery.session, request.id, data.number, data.sealed, at=delivery.now
    )
    await arriving.prepare(context, delivery, request)


async def hear_refused(context: NodeContext, delivery: Delivery, data: AnsweredNo) -> None:
    """Hear that the customer does not come; where they have moved elsewhere meanwhile, ask there."""
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
        await repository.forget_record(delivery.session, request.id)


async def hear_inquired(context: NodeContext, delivery: Delivery, data: Told) -> None:
    """Tell the old home, which has waited past its deadline, how things are here.

    A node that does not know the request has lost it in a restore, and will never be prepared for it.
    """
    request = await messages.find(delivery, KIND, data.request_id, Party.VISITED)
    if request is not None and request.state in {"asked", "offered", "completed"}:
        return  # the clock ends it here, or HQ's word is on its way there
    type_ = kind.PREPARED if request is not None and request.state == "prepared" else kind.CANCELLED
    await context.post.answer(
        delivery, type_, {"request_id": str(data.request_id)}, lane=Lane.REQUEST
    )
