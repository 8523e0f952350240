"""What the supplier of cards is asked, and what follows from its answers."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.card_order import repository
from services.city_node.card_order.models import CardOrder, OrderState
from services.city_node.card_replacement import stock
from shared import port
from shared.capability import NodeContext
from shared.kernel.ids import derived_id
from shared.port.contracts import card_supplier

log = structlog.get_logger("card_order")

ASK_EVERY = timedelta(hours=1)
"""How often the supplier is asked whether it has shipped the next consignment."""
PORTION = 500
"""Orders in one transaction; what is left comes a minute later."""
NOTHING_SHIPPED = "Nothing was shipped. 未发任何卡。"
"""The refusal of an order that the supplier has confirmed, and then ships nothing of: it does not say why itself."""
_ORDERS = UUID("6a0e1c0b-5d53-5a43-9d0b-0f6d0f5a7c21")


async def order_low(
    context: NodeContext, session: AsyncSession, *, unit: str | None = None, now: datetime
) -> None:
    """Place an order for every hall whose stock is under its level with no order open, or for the one asked for."""
    if not port.is_on(context, card_supplier.PORT):
        return
    low = await repository.low_stocks(session, unit=unit, most=PORTION)
    orders = {
        derived_id(_ORDERS, context.settings.code, each.unit, str(each.number)): each
        for each in low
    }
    rows = [
        {
            "id": order_id,
            "unit_code": each.unit,
            "number": each.number,
            "quantity": each.quantity,
            "state": OrderState.PLACED,
            "created_at": now,
            "updated_at": now,
        }
        for order_id, each in orders.items()
    ]
    if not rows:
        return
    added = await repository.add_orders(session, rows)
    for order_id, each in orders.items():
        if order_id in added:
            content = card_supplier.Order(order=str(order_id), hall=each.unit, cards=each.quantity)
            await port.call(
                context, session, ORDER, content, cause=order_id, order=str(order_id), now=now
            )


async def ask_due(context: NodeContext, session: AsyncSession, *, now: datetime) -> None:
    """Ask what was shipped of every order that is due to be asked for."""
    if port.is_on(context, card_supplier.PORT):
        for order in await repository.due_to_ask(session, now=now, most=PORTION):
            await _ask(context, session, order, now=now)


async def cancel(
    context: NodeContext, session: AsyncSession, order: CardOrder, *, now: datetime
) -> None:
    """Have the supplier ship no more of an order; it hears of it after the order itself, and after what was asked."""
    content = card_supplier.Cancellation(order=str(order.id))
    await port.call(context, session, CANCEL, content, cause=order.id, order=str(order.id), now=now)


def touch(order: CardOrder, now: datetime, state: OrderState | None = None) -> None:
    """Note that an order has changed, and into which state."""
    if state is not None:
        order.state = state
    order.updated_at = now
    order.version += 1


async def settle_arrived(session: AsyncSession, order: CardOrder, *, now: datetime) -> None:
    """End an order of which everything was shipped and nothing is in transit any more."""
    if order.state == OrderState.SHIPPED and not await repository.in_transit(session, order.id):
        touch(order, now, OrderState.RECEIVED)


async def _ask(
    context: NodeContext, session: AsyncSession, order: CardOrder, *, now: datetime
) -> None:
    order.asked += 1
    order.ask_at = None
    content = card_supplier.AdviceRequest(order=str(order.id), consignment=order.consignments + 1)
    await port.call(
        context,
        session,
        ADVICE,
        content,
        cause=order.id,
        part=str(order.asked),  # an answer is kept with its key, also that nothing was shipped yet
        order=str(order.id),
        now=now,
    )


async def _confirmed(
    context: NodeContext,
    session: AsyncSession,
    call: port.Call[card_supplier.Order],
    answer: card_supplier.Confirmed,
) -> None:
    order = await repository.lock(session, call.cause)
    if order is None:
        return
    order.reference = answer.reference
    placed = order.state == OrderState.PLACED
    touch(order, call.now, OrderState.CONFIRMED if placed else None)
    await _ask(context, session, order, now=call.now)


async def _order_refused(
    _: NodeContext,
    session: AsyncSession,
    call: port.Call[card_supplier.Order],
    refusal: port.Refusal,
) -> bool:
    order = await repository.lock(session, call.cause)
    if order is not None:
        order.refusal = refusal.title
        touch(order, call.now, OrderState.REFUSED if order.state == OrderState.PLACED else None)
    return True


async def _advised(
    context: NodeContext,
    session: AsyncSession,
    call: port.Call[card_supplier.AdviceRequest],
    answer: card_supplier.DispatchAdvice,
) -> None:
    order = await repository.lock(session, call.cause)
    if order is None:
        return
    new = 0
    if answer.consignment is not None:
        new = await _note(session, order, answer.consignment, now=call.now)
    if answer.complete:
        if order.state == OrderState.CONFIRMED:
            _end_shipping(order, now=call.now)
        await settle_arrived(session, order, now=call.now)
    elif new:
        await _ask(context, session, order, now=call.now)
    else:  # nothing yet; or a supplier that repeats itself, which would answer so for ever
        order.ask_at = call.now + ASK_EVERY


def _end_shipping(order: CardOrder, *, now: datetime) -> None:
    if order.consignments:
        touch(order, now, OrderState.SHIPPED)
    else:
        order.refusal = NOTHING_SHIPPED
        touch(order, now, OrderState.REFUSED)


async def _note(
    session: AsyncSession,
    order: CardOrder,
    consignment: card_supplier.Consignment,
    *,
    now: datetime,
) -> int:
    """Note which cards are on their way, and return how many; one that is known here is not this order's."""
    order.consignments += 1
    touch(order, now)
    cards = [(card.iccid, card.imsi) for card in consignment.cards]
    new = await stock.announce(session, order.unit_code, cards, now=now)
    if len(new) < len(cards):
        log.warning(
            "cards of a consignment are known here already",
            order=str(order.id),
            consignment=order.consignments,
            cards=len(cards) - len(new),
        )
    await repository.add_consigned(session, order.id, order.consignments, new)
    return len(new)


async def _cancellation_refused(
    _: NodeContext,
    session: AsyncSession,
    call: port.Call[card_supplier.Cancellation],
    __: port.Refusal,
) -> bool:
    order = await repository.lock(session, call.cause)
    return (
        order is None or order.reference is None
    )  # it was refused before: there is nothing to cancel


ORDER = port.Effect(
    "card-order.order", card_supplier.ORDER, done=_confirmed, refused=_order_refused
)
ADVICE = port.Effect("card-order.advice", card_supplier.ADVISE, done=_advised)
CANCEL = port.Effect("card-order.cancel", card_supplier.CANCEL, refused=_cancellation_refused)
EFFECTS = (ORDER, ADVICE, CANCEL)
