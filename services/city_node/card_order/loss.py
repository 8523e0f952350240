"""Writing off cards that were lost on their way: what one member of staff proposes, another decides."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.card_order import outside, repository
from services.city_node.card_order.models import CardLoss, CardOrder, LossState
from services.city_node.card_order.problems import (
    CardLossDecided,
    CardLossNotFound,
    CardLossProposed,
    CardOrderNotFound,
    LostCardsArrived,
    NothingInTransit,
)
from services.city_node.card_order.service import locked, not_coming, tell
from services.city_node.card_replacement import stock
from shared.access import Principal
from shared.capability import Action
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version
from shared.kernel.second_person import SecondPersonNeeded

PROPOSED = Action(
    "card_order.loss_proposed", Text("To write off lost cards was proposed", "提议核销遗失的卡")
)
WRITTEN_OFF = Action("card_order.written_off", Text("Lost cards were written off", "核销遗失的卡"))
REJECTED = Action(
    "card_order.loss_rejected", Text("To write off lost cards was rejected", "驳回遗失卡核销")
)
ACTIONS = (PROPOSED, WRITTEN_OFF, REJECTED)


async def propose(
    session: AsyncSession,
    principal: Principal,
    order_id: UUID,
    iccids: Sequence[str] | None,
    reason: str,
    *,
    now: datetime,
) -> UUID:
    """Propose to write off cards of an order, all that are in transit without ``iccids``; returns the loss's id.

    Raises:
        CardOrderNotFound: if there is no such order in the caller's units (404).
        CardLossProposed: if another loss of it waits for a decision (409).
        NothingInTransit: if no card of it is on its way (409).
        CardsNotInTransit: if one of the cards is not on its way by this order (409).
    """
    order = await locked(session, principal, order_id)
    waiting = await repository.proposed_loss(session, order.id)
    if waiting is not None:
        raise CardLossProposed(loss=waiting)
    coming = await repository.in_transit(session, order.id)
    if not coming:
        raise NothingInTransit
    missing = coming if iccids is None else set(iccids)
    if not missing <= coming:
        raise await not_coming(session, iccids or (), coming)
    loss = CardLoss(
        id=new_id(),
        order_id=order.id,
        cards=sorted(missing),
        reason=reason,
        state=LossState.PROPOSED,
        proposed_at=now,
        proposed_by=principal.username,
        proposer_id=principal.id,
        version=1,
    )
    session.add(loss)
    tell(session, principal, PROPOSED, order, {"cards": len(missing)}, cause_id=loss.id, now=now)
    await session.flush()  # the answer is read by SQL in this transaction
    return loss.id


async def approve(
    session: AsyncSession, principal: Principal, loss_id: UUID, expected: int, *, now: datetime
) -> None:
    """Write off what somebody else proposed, as far as it has not arrived meanwhile.

    Raises:
        CardLossNotFound: if there is none in the caller's units (404).
        VersionStale: if it was decided since (412).
        CardLossDecided: if it is decided (409).
        SecondPersonNeeded: if the caller proposed it (403).
        LostCardsArrived: if all of the cards have arrived meanwhile (409).
    """
    order, loss = await _proposed(session, principal, loss_id, expected)
    if principal.id == loss.proposer_id or principal.username == loss.proposed_by:
        raise SecondPersonNeeded(by=loss.proposed_by)
    lost = await stock.lose(session, loss.cards, now=now)
    if not lost:
        raise LostCardsArrived
    loss.lost = lost
    _decide(loss, LossState.WRITTEN_OFF, principal, now)
    outside.touch(order, now)
    await outside.settle_arrived(session, order, now=now)
    tell(session, principal, WRITTEN_OFF, order, {"cards": lost}, cause_id=loss.id, now=now)
    await session.flush()  # the answer is read by SQL in this transaction


async def reject(
    session: AsyncSession,
    principal: Principal,
    loss_id: UUID,
    expected: int,
    reason: str,
    *,
    now: datetime,
) -> None:
    """Decide that the cards are not written off; whoever proposed it may take it back so.

    Raises:
        CardLossNotFound, VersionStale, CardLossDecided: as :func:`approve`.
    """
    order, loss = await _proposed(session, principal, loss_id, expected)
    loss.decision = reason
    _decide(loss, LossState.REJECTED, principal, now)
    cards = {"cards": len(loss.cards)}
    tell(session, principal, REJECTED, order, cards, cause_id=loss.id, now=now)
    await session.flush()  # the answer is read by SQL in this transaction


def _decide(loss: CardLoss, state: LossState, principal: Principal, now: datetime) -> None:
    loss.state = state
    loss.decided_at, loss.decided_by = now, principal.username
    loss.version += 1


async def _proposed(
    session: AsyncSession, principal: Principal, loss_id: UUID, expected: int
) -> tuple[CardOrder, CardLoss]:
    order_id = await repository.order_of_loss(session, loss_id)
    if order_id is None:
        raise CardLossNotFound(loss=loss_id)
    try:
        order = await locked(session, principal, order_id)
    except CardOrderNotFound:
        raise CardLossNotFound(loss=loss_id) from None
    loss = await repository.lock_loss(session, loss_id)
    require_version(loss.version, expected)
    if loss.state != LossState.PROPOSED:
        raise CardLossDecided(state=loss.state)
    return order, loss
