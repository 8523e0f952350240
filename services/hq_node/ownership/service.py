"""The rules of the directory: who may ask, what is moved, and who is told."""

from datetime import datetime
from uuid import UUID

import structlog

from services.hq_node.ownership import repository
from services.hq_node.ownership.models import OwnershipChange
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.envelope import answer_id
from shared.federation.models import Lane
from shared.kernel.tier import Tier
from shared.organisation.division import UnknownDivision, division
from shared.ownership import MOVED, NOT_MOVED, TOLD, Inquiry, MoveAsked, Word

log = structlog.get_logger("ownership")


async def move(context: NodeContext, delivery: Delivery, asked: MoveAsked) -> None:
    """Move ownership from the asker to another city, if it is the asker's; tell both, or the asker why not.

    Raises:
        MessageRefused: if it is asked for what cannot be: a move to no city, or by a transfer that moved another's.
    """
    asker = delivery.message.source
    _require_city(asked.to, asker)
    session = delivery.session
    done = await repository.change_by(session, asked.transfer_id)
    if done is None and await repository.compare_and_swap(session, asked, asker, at=delivery.now):
        done = await repository.change_by(session, asked.transfer_id)
        log.info("ownership moved", customer_id=str(asked.customer_id), to=asked.to)
    if done is None:
        word = await _word(delivery, asked.customer_id, asked.transfer_id)
        await _answer(context, delivery, NOT_MOVED, word)
        return
    moved = (done.customer_id, done.former_owner, done.owner)
    if moved != (asked.customer_id, asker, asked.to):
        raise MessageRefused(
            f"Transfer {asked.transfer_id} has moved another customer, or this one between other cities."
        )
    await _tell(context, delivery, done)


async def _tell(context: NodeContext, delivery: Delivery, done: OwnershipChange) -> None:
    word = Word(
        customer_id=done.customer_id,
        transfer_id=done.transfer_id,
        owner=done.owner,
        epoch=done.epoch,
        moved_by=done.transfer_id,
        since=done.at,
    )
    await _answer(context, delivery, MOVED, word)
    await context.post.post(
        delivery.session,
        MOVED,
        done.owner,
        word.model_dump(mode="json"),
        lane=Lane.REQUEST,
        partition_key=str(done.transfer_id),
        now=delivery.now,
        message_id=answer_id(delivery.message.id, MOVED, done.owner),
        correlation_id=done.transfer_id,
        causation_id=delivery.message.id,
    )


async def tell(context: NodeContext, delivery: Delivery, inquiry: Inquiry) -> None:
    """Tell a city whose a customer is."""
    word = await _word(delivery, inquiry.customer_id, inquiry.transfer_id)
    await _answer(context, delivery, TOLD, word)


async def know_again(word: Word, delivery: Delivery) -> None:
    """Enter again what this node had told, before its database was restored from a backup."""
    if word.owner is None or word.moved_by is None:
        return
    at: datetime = word.since or delivery.message.time
    former = delivery.message.destination
    if former == word.owner:
        return  # the same word to the other city names the former owner
    change = OwnershipChange(
        customer_id=word.customer_id,
        epoch=word.epoch,
        owner=word.owner,
        former_owner=former,
        transfer_id=word.moved_by,
        at=at,
    )
    await repository.know_again(delivery.session, change)


async def _word(delivery: Delivery, customer_id: UUID, transfer_id: UUID | None) -> Word:
    found = await repository.find(delivery.session, customer_id)
    if found is None:
        return Word(customer_id=customer_id, transfer_id=transfer_id)
    return Word(
        customer_id=customer_id,
        transfer_id=transfer_id,
        owner=found.owner,
        epoch=found.epoch,
        moved_by=found.transfer_id,
        since=found.since,
    )


async def _answer(context: NodeContext, delivery: Delivery, type_: str, word: Word) -> None:
    await context.post.answer(delivery, type_, word.model_dump(mode="json"), lane=Lane.REQUEST)


def _require_city(to: str, asker: str) -> None:
    try:
        tier = division(to).tier
    except UnknownDivision:
        tier = None
    if tier is not Tier.CITY or to == asker:
        raise MessageRefused(f"{to} is no other city than {asker}: ownership cannot move there.")
