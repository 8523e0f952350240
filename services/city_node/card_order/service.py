"""What staff do with orders of cards: say when a hall orders, receive what arrived, cancel the rest."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.card_order import outside, repository
from services.city_node.card_order.models import OPEN, CardOrder, OrderState
from services.city_node.card_order.problems import (
    CardOrderEnded,
    CardOrderNotFound,
    CardsNotInTransit,
    CardStockNotFound,
    NothingInTransit,
)
from services.city_node.card_replacement import stock
from services.city_node.service_request.repository import active_unit
from shared import audit
from shared.access import Principal
from shared.capability import Action, NodeContext
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version
from shared.kernel.problems import Fault

LEVEL_SET = Action("card_order.level_set", Text("A reorder level was set", "设定再订购点"))
RECEIVED = Action("card_order.received", Text("Ordered cards were received", "订购卡收货"))
CANCELLED = Action("card_order.cancelled", Text("A card order was cancelled", "取消空白卡订购单"))
ACTIONS = (LEVEL_SET, RECEIVED, CANCELLED)
_KNOWN = Text("card {iccid} is {state} at {unit}", "卡 {iccid} 在 {unit} 的状态为 {state}")
_UNKNOWN = Text("card {iccid} was not advised", "卡 {iccid} 未获发货通知")


async def set_level(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    unit: str,
    *,
    level: int,
    quantity: int,
    expected: int,
    now: datetime,
) -> None:
    """Say under how many cards a hall orders and how many; if it is there already, it orders.

    Args:
        context: the node's.
        session: the caller's transaction.
        principal: who says so.
        unit: the hall.
        level: cards in stock under which it orders; 0 if nothing is ordered by itself.
        quantity: cards in an order.
        expected: the version that is changed; 0 of a hall that has had no level.
        now: the present moment.

    Raises:
        CardStockNotFound: if the unit is not active, or not the caller's (404).
        VersionStale: if it has been changed meanwhile (412).
    """
    if await active_unit(session, unit, principal.unit_path) is None:
        raise CardStockNotFound(unit=unit)
    row = await repository.lock_level(session, unit, by=principal.username, now=now)
    require_version(row.version, expected)
    row.level, row.quantity = level, quantity
    row.updated_at, row.updated_by = now, principal.username
    row.version += 1
    audit.record(
        session,
        audit.Actor.of(principal),
        LEVEL_SET,
        at=now,
        subject=("card_stock", unit),
        detail={"level": level, "quantity": quantity},
    )
    await session.flush()  # the look at the stock and the answer are SQL
    await outside.order_low(context, session, unit=unit, now=now)


async def receive(
    session: AsyncSession,
    principal: Principal,
    order_id: UUID,
    iccids: Sequence[str] | None,
    *,
    now: datetime,
) -> int:
    """Put cards that arrived into the hall's stock, all of them or none; returns how many.

    Cards that were written off as lost and turn up after all are received as well, if they are named.

    Args:
        session: the caller's transaction.
        principal: who has them.
        order_id: the order.
        iccids: the cards; all that are in transit without it.
        now: the present moment.

    Raises:
        CardOrderNotFound: if there is no such order in the caller's units (404).
        NothingInTransit: if no card of it is on its way (409).
        CardsNotInTransit: if one of the cards is not on its way by this order (409).
    """
    order = await locked(session, principal, order_id)
    coming = await repository.in_transit(session, order.id)
    found: set[str] = set() if iccids is None else await repository.lost(session, order.id)
    if not coming | found:
        raise NothingInTransit
    arrived = coming if iccids is None else set(iccids)
    if not arrived <= coming | found:
        raise await not_coming(session, iccids or (), coming | found)
    received = await stock.receive(session, sorted(arrived), now=now)
    outside.touch(order, now)
    await outside.settle_arrived(session, order, now=now)
    tell(
        session,
        principal,
        RECEIVED,
        order,
        {"cards": received, "found": len(arrived & found)},
        now=now,
    )
    await session.flush()  # the answer is read by SQL in this transaction
    return received


async def not_coming(
    session: AsyncSession, iccids: Sequence[str], coming: set[str]
) -> CardsNotInTransit:
    """Return what refuses those of the cards that are not ``coming``, and says what they are."""
    wrong = [(place, iccid) for place, iccid in enumerate(iccids) if iccid not in coming]
    named = wrong[: stock.MOST_FAULTS]
    cards = await repository.cards(session, [iccid for _, iccid in named])
    known = {card.iccid: card for card in cards}
    faults = [
        Fault.of(f"/cards/{place}", _KNOWN, iccid=iccid, state=card.state, unit=card.unit_code)
        if (card := known.get(iccid))
        else Fault.of(f"/cards/{place}", _UNKNOWN, iccid=iccid)
        for place, iccid in named
    ]
    return CardsNotInTransit(faults=faults, count=len(wrong), most=stock.MOST_FAULTS)


async def cancel(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    order_id: UUID,
    *,
    now: datetime,
) -> None:
    """Give up what has not been shipped, or has not arrived; the supplier is told to ship no more.

    Raises:
        CardOrderNotFound: if there is no such order in the caller's units (404).
        CardOrderEnded: if it was received or cancelled (409).
    """
    order = await locked(session, principal, order_id)
    if order.state not in OPEN:
        raise CardOrderEnded(state=order.state)
    if order.state in {OrderState.PLACED, OrderState.CONFIRMED}:
        await outside.cancel(context, session, order, now=now)
    outside.touch(order, now, OrderState.CANCELLED)
    tell(session, principal, CANCELLED, order, {}, now=now)
    await session.flush()  # the answer is read by SQL in this transaction


async def locked(session: AsyncSession, principal: Principal, order_id: UUID) -> CardOrder:
    """Return and lock an order of the caller's units.

    Raises:
        CardOrderNotFound: if there is none (404).
    """
    order = await repository.lock(session, order_id, principal.unit_path)
    if order is None:
        raise CardOrderNotFound(order=order_id)
    return order


def tell(
    session: AsyncSession,
    principal: Principal,
    action: Action,
    order: CardOrder,
    detail: dict[str, int],
    *,
    cause_id: UUID | None = None,
    now: datetime,
) -> None:
    """Note in the log what somebody did with an order."""
    audit.record(
        session,
        audit.Actor.of(principal),
        action,
        at=now,
        subject=("card_order", order.id),
        cause_id=cause_id,
        detail={"unit": order.unit_code, "quantity": order.quantity, **detail},
    )
