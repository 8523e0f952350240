"""What the visited node does beside the work: asks, gives up, and hears the home node's word."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.loan_handset.service import require_none_out
from services.city_node.repair import cost, kind, repository
from services.city_node.repair.counter import Counter
from services.city_node.repair.kind import KIND
from services.city_node.repair.models import RepairTicket
from services.city_node.repair.schemas import RepairIn
from services.city_node.repair.telling import END, tell
from services.city_node.repair.wire import Confirmed, Question, Recorded
from services.city_node.service_request import finding, following, messages, service
from services.city_node.service_request.kind import EXPIRED, Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.schemas import AnsweredNo
from shared.capability import NodeContext
from shared.clearing.ledger import Item, book_at_visited
from shared.clearing.models import ItemKind
from shared.federation.delivery import Delivery
from shared.kernel.encryption import mask
from shared.kernel.language import Text


async def ask(
    desk: Counter,
    asked: RepairIn,
) -> UUID:
    """Open a ticket and ask the home node what it bears of the repair.

    The customer's numbers and the handset's go into the message sealed for the home node, and are not kept here.

    Raises:
        shared.organisation.division.UnknownDivision: if the home city does not exist (422).
        HomeNotFound: if it is not named, and the number is in no segment (422).
        HomeIsHere, HomeNotCity, HomeNodeUnknown: if it cannot be the home of a cross-region request (422).
        UnitNotYours: if the unit is not active, or not the caller's (422).
    """
    home = await finding.home_of(
        desk.session, desk.context.cipher, asked.msisdn, named=asked.home, now=desk.now
    )
    request = await END.new_request(
        desk.context,
        desk.session,
        desk.principal,
        home=home,
        unit=asked.unit,
        subject=mask(asked.msisdn, 3, 4),
        data={"document_type": asked.document_type},
        now=desk.now,
    )
    words = Text(
        f"{home} is asked to verify the customer and the warranty. The question leaves as soon as the link is up.",
        f"请 {home} 核验客户与保修；链路畅通时即发出。",
    )
    step = desk.step("asked", words)
    await service.begin(desk.session, KIND, request, step)
    desk.session.add(
        RepairTicket(
            request_id=request.id,
            make=asked.make,
            model=asked.model,
            imei_masked=mask(asked.imei, 0, 4),
            fault=asked.fault,
            purchased_on=asked.purchased_on,
        )
    )
    question = Question.model_validate(asked.model_dump(include=set(Question.model_fields)))
    sealed = await END.seal(desk.context, desk.session, request, "asked", question)
    memo = await tell(
        desk.context,
        desk.session,
        request,
        kind.ASKED,
        {"sealed": sealed},
        now=desk.now,
        deadline=request.deadline,
    )
    following.keep(
        END,
        desk.context,
        request,
        kind.ASKED,
        event="asked",
        msisdn=asked.msisdn,
        content=question,
        data={"memo": memo},
    )
    return request.id


async def cancel(
    desk: Counter,
    request_id: UUID,
    note: str,
) -> None:
    """Give the request up before the handset is repaired: nobody owes anything.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        LoanOut: if a loan handset has not come back (409).
        RequestNotInState: if it is repaired already, or has ended (409).
    """
    request = await desk.lock(request_id)
    await require_none_out(desk.session, request.id)
    words = Text(f"Cancelled: {note}", f"已取消：{note}")
    step = desk.step("cancelled", words)
    await service.advance(desk.session, KIND, request, step)
    await desk.tell(request, kind.CANCELLED, {})


async def expire(
    context: NodeContext, session: AsyncSession, request: ServiceRequest, *, now: datetime
) -> None:
    """End a locked request whose time is over before anything was agreed."""
    words = Text(
        "The time is over and nothing was agreed; the customer may take the handset back.",
        "已超过办理时限且未达成维修意向，客户可取回终端。",
    )
    await service.advance(session, KIND, request, END.step(context, EXPIRED, "clock", words, now))
    await tell(context, session, request, kind.EXPIRED_AT_VISITED, {}, now=now)


async def hear_confirmed(delivery: Delivery, data: Confirmed) -> None:
    """Hear what the home node bears: the clerk may estimate the cost."""
    request = await END.find(delivery, data.request_id)
    ticket = await repository.ticket_of(delivery.session, request.id)
    if ticket.level is not None and request.ended_at is None:
        return  # what it allowed has been recalled already
    warranty = Text("in warranty", "在保") if data.in_warranty else Text("out of warranty", "过保")
    words = Text(
        f"{request.home} confirmed: {warranty.en}, it bears {data.home_share_permille / 10:g}% of the cost "
        f"up to {data.cap_fen} fen.",
        f"{request.home} 已核验：{warranty.zh}，承担费用的 {data.home_share_permille / 10:g}%，至多 {data.cap_fen} 分。",
    )
    if await messages.hear(delivery, KIND, request, "confirmed", words, question_hops=data.hops):
        for name, value in data.terms().items():
            setattr(ticket, name, value)


async def hear_refused(context: NodeContext, delivery: Delivery, data: AnsweredNo) -> None:
    """Hear that the home node bears nothing; if the handset is back with the customer already, this city does.

    If the customer has moved, the new home is asked instead.
    """
    request = await END.find(delivery, data.request_id, or_asked_before=True)
    if await following.follow(END, context, delivery, request, data):
        return
    returned = request.state == "returned"
    refusal = messages.refusal_of(data)
    words = Text(
        f"{request.home} refused: {refusal.text.en}", f"{request.home} 拒绝：{refusal.text.zh}"
    )
    if (
        await messages.hear(
            delivery, KIND, request, "refused", words, question_hops=data.hops, refusal=refusal
        )
        and returned
    ):
        await _settle(delivery, request, 0)


async def hear_recorded(delivery: Delivery, data: Recorded) -> None:
    """Hear that the home node has recorded the repair, and what it bears by its own promise."""
    request = await END.find(delivery, data.request_id)
    words = Text(
        f"{request.home} recorded the repair and bears {data.home_fen} fen.",
        f"{request.home} 已登记维修，承担 {data.home_fen} 分。",
    )
    if await messages.hear(delivery, KIND, request, "recorded", words, question_hops=data.hops):
        ticket = await _settle(delivery, request, data.home_fen)
        ticket.business_day = data.business_day
    # Whatever this node, perhaps restored since, makes of it: home has booked it, and so have the nodes in between.
    item = Item(
        request.id,
        ItemKind.REPAIR,
        data.home_fen,
        data.business_day,
        request.home,
        request.visited,
    )
    await book_at_visited(delivery, item)


async def _settle(delivery: Delivery, request: ServiceRequest, home_fen: int) -> RepairTicket:
    """Take home's figure for its part: what differs is this city's, for the customer has paid already."""
    ticket = await repository.ticket_of(delivery.session, request.id)
    assert ticket.total_fen is not None  # noqa: S101 - the state says so
    assert ticket.customer_fen is not None  # noqa: S101 - as above
    if home_fen != ticket.promised_fen:
        words = Text(
            f"This city took home's part for {ticket.promised_fen} fen, and home bears {home_fen}: find out why.",
            f"受理地计算归属地应承担 {ticket.promised_fen} 分，归属地确认为 {home_fen} 分：请人工核查。",
        )
        here = request.visited
        step = service.Step(
            "differs", Party.VISITED, delivery.now, here, delivery.message.source, words
        )
        await service.note(delivery.session, request, step)
    parts = cost.settled(ticket.total_fen, ticket.customer_fen, home_fen)
    ticket.home_fen, ticket.visited_fen = parts.home_fen, parts.visited_fen
    return ticket
