"""What the visited city does with a reversal: asks for it, hears the answer, and hands the cash out."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.payment import kind, repository
from services.city_node.payment.kind import REVERSAL
from services.city_node.payment.models import Payment, PaymentReversal
from services.city_node.payment.problems import (
    PaymentNotReversible,
    ReversalByCashier,
    ReversalTooLate,
)
from services.city_node.payment.schemas import GivenBackMemo, ReversalMemo, Reversed
from services.city_node.payment.telling import MEMO, tell
from services.city_node.payment.visited import END as PAYMENT_END
from services.city_node.service_request import messages, service
from services.city_node.service_request.kind import Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.schemas import AnsweredNo
from services.city_node.service_request.visited import VisitedEnd
from services.city_node.till import service as till
from services.city_node.till.models import EntryKind, TillShift
from shared.access import Principal
from shared.capability import NodeContext
from shared.clearing.ledger import Item, book_at_visited
from shared.clearing.models import ItemKind
from shared.federation.delivery import Delivery, MessageRefused
from shared.kernel.clock import business_day
from shared.kernel.ids import new_id
from shared.kernel.language import Text

END = VisitedEnd(REVERSAL)


async def ask(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    payment_id: UUID,
    reason: str,
    *,
    now: datetime,
) -> UUID:
    """Ask the home city to take a credited payment back, whole.

    Raises:
        RequestNotFound: if there is no such payment in the caller's units (404).
        PaymentNotReversible: unless it is credited and nobody is reversing it (409).
        ReversalTooLate: if it was taken on another day (409).
        ReversalByCashier: if the caller took the money (403).
    """
    paid = await PAYMENT_END.lock_own(session, principal, payment_id)
    payment = await repository.payment_of(session, payment_id)
    if paid.state != "credited" or payment.reversal_id is not None:
        state = "reversed or being reversed" if payment.reversal_id else paid.state
        raise PaymentNotReversible(payment=payment_id, state=state)
    if business_day(payment.taken_at) != business_day(now):
        raise ReversalTooLate(payment=payment_id, day=business_day(payment.taken_at))
    if (await repository.shift_of(session, payment)).cashier_id == principal.id:
        raise ReversalByCashier
    request = ServiceRequest(
        id=new_id(),
        role=Party.VISITED,
        home=paid.home,
        visited=paid.visited,
        subject=paid.subject,
        deadline=now + REVERSAL.time_limit,
        data={"amount_fen": payment.amount_fen, "payment_id": str(payment_id)},
        unit_code=paid.unit_code,
        created_by=principal.username,
    )
    words = Text(
        f"{paid.home} is asked to take the payment back: {reason}",
        f"请 {paid.home} 冲正此笔缴费：{reason}",
    )
    await service.begin(
        session, REVERSAL, request, END.step(context, "asked", principal.username, words, now)
    )
    open_reversal(session, payment, request.id, reason)
    memo = ReversalMemo(
        by=request.created_by, unit=request.unit_code, subject=request.subject, reason=reason
    )
    await tell(
        context,
        session,
        request,
        kind.REVERSAL_ASKED,
        {
            "payment_id": str(payment_id),
            "amount_fen": payment.amount_fen,
            "memo": END.seal_for_self(context, request.id, MEMO, memo),
        },
        payment_id=payment_id,
        now=now,
    )
    await session.flush()  # the answer is read by SQL in this transaction
    return request.id


def open_reversal(session: AsyncSession, payment: Payment, request_id: UUID, reason: str) -> None:
    """Note that a payment is being reversed."""
    payment.reversal_id = request_id
    session.add(
        PaymentReversal(request_id=request_id, payment_id=payment.request_id, reason=reason)
    )


async def hear_reversed(delivery: Delivery, data: Reversed) -> None:
    """Hear that the home city took the payment back: the cash is the payer's again."""
    request = await END.find(delivery, data.request_id)
    reversal = await repository.reversal_of(delivery.session, request.id)
    payment = await repository.payment_of(delivery.session, reversal.payment_id)
    if payment.amount_fen != data.amount_fen:
        raise MessageRefused(
            f"{request.home} took {data.amount_fen} fen back for payment {payment.request_id}, of which this node's "
            f"till took {payment.amount_fen}."
        )
    words = Text(
        f"{request.home} took the payment back; the money is to be given back.",
        f"{request.home} 已冲正，应退款。",
    )
    moved = await messages.hear(
        delivery, REVERSAL, request, "reversed", words, question_hops=data.hops
    )
    if payment.reversed_at is None and (moved or request.data.get("recalled")):
        payment.reversed_at = delivery.now
        item = Item(
            request.id,
            ItemKind.REVERSAL,
            data.amount_fen,
            data.business_day,
            request.home,
            request.visited,
        )
        await book_at_visited(delivery, item)


async def hear_refused(delivery: Delivery, data: AnsweredNo) -> None:
    """Hear that the home city did not take the payment back: it stands."""
    request = await END.find(delivery, data.request_id)
    refusal = messages.refusal_of(data)
    words = Text(
        f"{request.home} refused: {refusal.text.en} The payment stands.",
        f"{request.home} 拒绝：{refusal.text.zh} 缴费仍有效。",
    )
    if await messages.hear(
        delivery, REVERSAL, request, "refused", words, question_hops=data.hops, refusal=refusal
    ):
        reversal = await repository.reversal_of(delivery.session, request.id)
        payment = await repository.payment_of(delivery.session, reversal.payment_id)
        payment.reversal_id = None


async def give_back(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    request_id: UUID,
    *,
    now: datetime,
) -> None:
    """Hand the money of a reversed payment out, from the caller's drawer.

    Raises:
        ShiftNotOpen: if the caller has no open shift (409).
        RequestNotFound: if there is no such reversal in the caller's units (404).
        RequestNotInState: unless the home city took it back, and it was not handed out yet (409).
    """
    request = await END.lock_own(session, principal, request_id)
    words = Text("The money was given back.", "款项已退还。")
    await service.advance(
        session, REVERSAL, request, END.step(context, "given-back", principal.username, words, now)
    )
    shift = await till.require_open(session, principal)
    reversal = await repository.reversal_of(session, request.id)
    payment = await repository.payment_of(session, reversal.payment_id)
    hand_out(session, payment, reversal, shift, by=principal.username, now=now)
    memo = GivenBackMemo(by=principal.username, drawer=till.drawer_of(shift))
    await tell(
        context,
        session,
        request,
        kind.REVERSAL_GIVEN_BACK,
        {"memo": END.seal_for_self(context, request.id, MEMO, memo)},
        payment_id=payment.request_id,
        now=now,
    )
    await session.flush()  # the answer is read by SQL in this transaction


def hand_out(
    session: AsyncSession,
    payment: Payment,
    reversal: PaymentReversal,
    shift: TillShift,
    *,
    by: str,
    now: datetime,
) -> None:
    """Note that the money of a reversed payment left a shift's drawer."""
    reversal.given_back_at = now
    till.move(
        session,
        shift,
        EntryKind.REVERSED,
        payment.amount_fen,
        payment_id=payment.request_id,
        cause_id=reversal.request_id,
        by=by,
        now=now,
    )
