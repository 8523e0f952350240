"""What the home city does with a reversal: takes the payment out of the line's account again, or says why not."""

from services.city_node.billing_account import service as billing
from services.city_node.billing_account.service import CannotTakeBack
from services.city_node.customer.ownership import is_live
from services.city_node.payment import kind, outside, repository
from services.city_node.payment.home import cause_of
from services.city_node.payment.kind import REVERSAL, REVERSIBLE_FOR, ReversalReason
from services.city_node.payment.models import PaymentCredit
from services.city_node.payment.schemas import ReversalAsked, Reversed
from services.city_node.service_request import messages, service
from services.city_node.service_request.home import HomeEnd
from services.city_node.service_request.kind import Party
from services.city_node.service_request.lines import Line, lock_subscription
from services.city_node.service_request.models import ServiceRequest
from shared.capability import NodeContext
from shared.clearing.ledger import Item, book_at_home
from shared.clearing.models import ItemKind
from shared.federation.delivery import Delivery, MessageRefused
from shared.kernel.clock import business_day
from shared.kernel.language import Text

END = HomeEnd(REVERSAL, kind.REVERSAL_REFUSED)


async def hear_asked(context: NodeContext, delivery: Delivery, data: ReversalAsked) -> None:
    """Take a credited payment back, or refuse. A node that was restored from a backup does again what it had said."""
    session = delivery.session
    if await messages.find(delivery, REVERSAL, data.request_id, Party.HOME) is not None:
        return  # decided and answered when it came first
    paid = await messages.find(delivery, kind.PAYMENT, data.payment_id, Party.HOME)
    credit = await repository.credit_of(session, data.payment_id) if paid else None
    line = None
    if credit is not None and credit.subscription_id is not None:
        line = await lock_subscription(session, credit.subscription_id)
    given = await context.post.answer_given(delivery, kind.REVERSED)
    had_reversed = None if given is None else Reversed.model_validate(given)
    if had_reversed is not None and credit is None:
        raise MessageRefused(
            f"This node had taken payment {data.payment_id} back before it was restored, and has not heard of the "
            "payment again: retry this message after that one."
        )
    reason = None
    if had_reversed is None:
        reason = await _objection(context, delivery, data, credit, line)
    request = ServiceRequest(
        id=data.request_id,
        role=Party.HOME,
        home=context.settings.code,
        visited=delivery.message.source,
        subject=paid.subject if paid else "",
        deadline=delivery.now + REVERSAL.time_limit,
        data={"amount_fen": data.amount_fen, "payment_id": str(data.payment_id)},
        unit_code=paid.unit_code if paid else context.settings.code,
        created_by=delivery.message.source,
    )
    if reason is None and credit is not None:
        forced = had_reversed is not None
        reason = await _take_back(context, delivery, request, credit, line, forced=forced)
    if reason is not None or credit is None:
        reason = reason or ReversalReason.PAYMENT_UNKNOWN
        step = END.refusal_step(context, delivery, reason)
        await service.begin(session, REVERSAL, request, step, journey=delivery.hops)
        await END.answer_no(context, delivery, request.id, reason)
        return
    words = Text("The payment was taken out of the line's account again.", "款项已从用户账户冲回。")
    step = END.step(context, "reversed", words, delivery.now, delivery.message.id)
    await service.begin(session, REVERSAL, request, step, journey=delivery.hops)
    credit.reversal_id, credit.reversed_at = request.id, delivery.now
    await outside.follow_reversal(context, session, request.id, credit, now=delivery.now)
    day = had_reversed.business_day if had_reversed else business_day(delivery.now)
    item = Item(
        request.id, ItemKind.REVERSAL, credit.amount_fen, day, request.home, request.visited
    )
    await book_at_home(session, item, here=context.settings.code, now=delivery.now)
    said = {"amount_fen": credit.amount_fen, "business_day": day.isoformat()}
    await END.answer_yes(context, delivery, kind.REVERSED, request.id, said)


async def _objection(
    context: NodeContext,
    delivery: Delivery,
    data: ReversalAsked,
    credit: PaymentCredit | None,
    line: Line | None,
) -> ReversalReason | None:
    if await context.post.has_answered(delivery, kind.REVERSAL_REFUSED):
        return ReversalReason.GIVEN_UP
    if credit is None:
        return ReversalReason.PAYMENT_UNKNOWN
    if credit.reversal_id is not None:
        return ReversalReason.ALREADY_REVERSED
    if credit.amount_fen != data.amount_fen:
        return ReversalReason.AMOUNT_DIFFERS
    if delivery.message.time - credit.credited_at > REVERSIBLE_FOR:
        return ReversalReason.TOO_LATE
    return await _objection_to_line(delivery, line)


async def _objection_to_line(delivery: Delivery, line: Line | None) -> ReversalReason | None:
    if line is None:
        return ReversalReason.LINE_ENDED
    is_here = await is_live(delivery.session, line.customer.id)
    return None if is_here else ReversalReason.IN_TRANSFER


async def _take_back(
    context: NodeContext,
    delivery: Delivery,
    request: ServiceRequest,
    credit: PaymentCredit,
    line: Line | None,
    *,
    forced: bool,
) -> ReversalReason | None:
    """Take the money out of the account; what a restored node had promised stands even if it is not there any more."""
    if line is None:
        return None  # forced: there is no account that it could be taken out of
    try:
        async with delivery.session.begin_nested():
            await billing.take_back(
                context,
                delivery.session,
                line,
                credit.request_id,
                had_resumed=credit.resumed,
                cause=cause_of(delivery, request),
            )
    except CannotTakeBack:
        return None if forced else ReversalReason.SPENT
    return None
