"""What the visited city does with a payment: takes the money, hears what home says, and gives back what is refused."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.payment import kind, outside, repository
from services.city_node.payment.kind import PAYMENT
from services.city_node.payment.models import Payment
from services.city_node.payment.receipt import receipt_number
from services.city_node.payment.schemas import (
    Credited,
    GivenBackMemo,
    PaidFor,
    PaymentIn,
    TakenMemo,
)
from services.city_node.payment.telling import MEMO, tell
from services.city_node.service_request import finding, following, messages, service
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
from shared.kernel.encryption import mask
from shared.kernel.language import Text

END = VisitedEnd(PAYMENT)


async def take(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    asked: PaymentIn,
    *,
    now: datetime,
) -> UUID:
    """Take money into the caller's drawer, and ask the home city to credit it.

    From here on the money waits for the home city's word: no clock and no clerk ends it.

    Raises:
        ShiftNotOpen: if the caller has no open shift (409).
        HomeNotFound: if the home is not named, and the number is in no segment (422).
        shared.organisation.division.UnknownDivision: if the home city does not exist (422).
        HomeIsHere, HomeNotCity, HomeNodeUnknown: if it cannot be the home of a cross-region request (422).
        UnitNotYours: if the shift's unit is not active any more, or not the caller's (422).
    """
    shift = await till.require_open(session, principal)
    home = await finding.home_of(session, context.cipher, asked.msisdn, named=asked.home, now=now)
    request = await END.new_request(
        context,
        session,
        principal,
        home=home,
        unit=shift.unit_code,
        subject=mask(asked.msisdn, 3, 4),
        data={"amount_fen": asked.amount_fen},
        now=now,
    )
    words = Text(
        f"The money is in the till; {home} is asked to credit it as soon as the link is up.",
        f"款项已入收银，链路畅通时即请 {home} 入账。",
    )
    await service.begin(
        session, PAYMENT, request, END.step(context, "taken", principal.username, words, now)
    )
    payment = Payment(
        request_id=request.id,
        shift_id=shift.id,
        amount_fen=asked.amount_fen,
        receipt_number=receipt_number(context.settings.code, request.id, now),
        taken_at=now,
    )
    put_in_till(session, payment, shift, by=principal.username, now=now)
    await outside.print_receipt(context, session, request, payment, hall=shift.unit_code, now=now)
    memo = TakenMemo(
        by=request.created_by,
        unit=request.unit_code,
        subject=request.subject,
        receipt_number=payment.receipt_number,
        drawer=till.drawer_of(shift),
        msisdn=asked.msisdn,
    )
    # In one order with what is said of it later, by its own id, and of use however late it comes: it has no deadline.
    await following.ask(
        END,
        context,
        session,
        request,
        kind.TAKEN,
        event="taken",
        msisdn=asked.msisdn,
        content=PaidFor(msisdn=asked.msisdn),
        data=question(payment, _for_self(context, request, memo)),
        now=now,
    )
    await session.flush()  # the answer is read by SQL in this transaction
    return request.id


def question(payment: Payment, memo: str) -> dict[str, Any]:
    """Return what the question says in clear."""
    return {
        "amount_fen": payment.amount_fen,
        "taken_at": payment.taken_at.isoformat(),
        "memo": memo,
    }


def put_in_till(
    session: AsyncSession, payment: Payment, shift: TillShift, *, by: str, now: datetime
) -> None:
    """Note that the money of a payment went into a shift's drawer."""
    session.add(payment)
    till.move(
        session,
        shift,
        EntryKind.TAKEN,
        payment.amount_fen,
        payment_id=payment.request_id,
        cause_id=payment.request_id,
        by=by,
        now=now,
    )


def _for_self(context: NodeContext, request: ServiceRequest, memo: BaseModel) -> str:
    return END.seal_for_self(context, request.id, MEMO, memo)


async def hear_credited(delivery: Delivery, data: Credited) -> None:
    """Hear that the home city credited the money: it is the customer's, and the till's city owes it."""
    request = await END.find(delivery, data.request_id)
    payment = await repository.payment_of(delivery.session, request.id)
    if payment.amount_fen != data.amount_fen:
        raise MessageRefused(
            f"{request.home} credited {data.amount_fen} fen for payment {request.id}, of which this node's till "
            f"took {payment.amount_fen}."
        )
    words = Text(f"{request.home} credited the money.", f"{request.home} 已入账。")
    if not await messages.hear(
        delivery, PAYMENT, request, "credited", words, question_hops=data.hops
    ):
        return
    payment.credited_at, payment.business_day = data.credited_at, data.business_day
    item = Item(
        request.id,
        ItemKind.PAYMENT,
        data.amount_fen,
        data.business_day,
        request.home,
        request.visited,
    )
    await book_at_visited(delivery, item)


async def hear_refused(context: NodeContext, delivery: Delivery, data: AnsweredNo) -> None:
    """Hear that the home city did not credit the money: it is to be given back over the counter.

    If the customer has moved, the new home is asked instead; the money stays in the till meanwhile.
    """
    request = await END.find(delivery, data.request_id, or_asked_before=True)
    if await following.follow(END, context, delivery, request, data):
        return
    refusal = messages.refusal_of(data)
    words = Text(
        f"{request.home} refused: {refusal.text.en} The money is to be given back.",
        f"{request.home} 拒绝：{refusal.text.zh} 应退款。",
    )
    await messages.hear(
        delivery, PAYMENT, request, "refused", words, question_hops=data.hops, refusal=refusal
    )


async def give_back(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    request_id: UUID,
    *,
    now: datetime,
) -> None:
    """Hand the money of a refused payment back, out of the caller's drawer.

    Raises:
        ShiftNotOpen: if the caller has no open shift (409).
        RequestNotFound: if there is no such payment in the caller's units (404).
        RequestNotInState: unless it was refused, and not given back yet (409).
    """
    request = await END.lock_own(session, principal, request_id)
    words = Text("The money was given back.", "款项已退还。")
    await service.advance(
        session, PAYMENT, request, END.step(context, "given-back", principal.username, words, now)
    )
    shift = await till.require_open(session, principal)
    payment = await repository.payment_of(session, request.id)
    hand_out(session, payment, shift, by=principal.username, now=now)
    memo = GivenBackMemo(by=principal.username, drawer=till.drawer_of(shift))
    await tell(
        context,
        session,
        request,
        kind.GIVEN_BACK,
        {"memo": _for_self(context, request, memo)},
        payment_id=request.id,
        now=now,
    )
    await session.flush()  # the answer is read by SQL in this transaction


def hand_out(
    session: AsyncSession, payment: Payment, shift: TillShift, *, by: str, now: datetime
) -> None:
    """Note that the money of a refused payment left a shift's drawer."""
    payment.given_back_at = now
    till.move(
        session,
        shift,
        EntryKind.GIVEN_BACK,
        payment.amount_fen,
        payment_id=payment.request_id,
        cause_id=payment.request_id,
        by=by,
        now=now,
    )
