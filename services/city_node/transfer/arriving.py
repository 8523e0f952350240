"""The record arrives: taken in piece by piece, tried once it is whole, and live when HQ has moved ownership.

Before ownership moves nothing of the record is anybody's profile here: the pieces stay sealed. That it *can* land is
found out by landing it in a savepoint and taking that back, so that what HQ's word will lead to has been done once.
"""

import contextlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.audited import record_change
from services.city_node.customer.history import Changes, change_row
from services.city_node.customer.models import ChangeAction, ChangeSource, Customer
from services.city_node.customer.ownership import (
    CustomerOwnership,
    OwnershipState,
    ownership_of,
)
from services.city_node.service_request import service
from services.city_node.service_request.kind import Party, Refusal
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import has_heard
from services.city_node.service_request.schemas import seal_context
from services.city_node.service_request.service import Step
from services.city_node.transfer import kind, landing, outside, packing, repository
from services.city_node.transfer.kind import KIND, Reason
from services.city_node.transfer.recall import MEMO
from services.city_node.transfer.record import Record
from services.city_node.transfer.schemas import Memo
from shared import audit
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.keys import SealError
from shared.federation.models import Lane
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.language import Text
from shared.ownership import Word

_CONTRADICTED: Mapping[str, Reason] = {
    "customer_document_index_key": Reason.CUSTOMER_KNOWN,
    "subscription_msisdn_key": Reason.NUMBER_IN_USE,
    "sim_pkey": Reason.CARD_KNOWN,
    "sim_imsi_key": Reason.CARD_KNOWN,
}
"""What a record contradicts here, by the constraint that says so."""


class _Tried(Exception):
    """The trial landing succeeded and is taken back."""


async def prepare(context: NodeContext, delivery: Delivery, request: ServiceRequest) -> None:
    """Say that this city is prepared, once all of a record is here and can land; refuse it if it cannot."""
    session = delivery.session
    case = await repository.case_of(session, request.id)
    if request.state != "offered" or case.chunks is None:
        return
    if await repository.count_chunks(session, request.id) < case.chunks:
        return
    # What it has promised, it keeps; whatever keeps the record out now is for people to settle.
    refusal = None if case.had_prepared else await _try(context, delivery, request)
    if refusal is not None:
        await _refuse(context, delivery, request, refusal)
        return
    words = Text(
        f"The record is whole and can be taken. {request.home} has HQ move ownership now.",
        f"档案已完整接收，待 {request.home} 请总部移交归属。",
    )
    await service.advance(session, KIND, request, _step(context, delivery, "prepared", words))
    await _tell(context, delivery, request, kind.PREPARED, {})
    if case.word is not None:  # HQ's came first: this node was restored from a backup
        await go_live(context, delivery, request, Word.model_validate(case.word), None)


async def _try(context: NodeContext, delivery: Delivery, request: ServiceRequest) -> Refusal | None:
    try:
        record = await _record(context, delivery.session, request)
        case = await repository.case_of(delivery.session, request.id)
        landing.require_fit(record, case.customer_id)
        with contextlib.suppress(_Tried):
            async with delivery.session.begin_nested():
                await _land(context, delivery, request, record)
                raise _Tried
    except (packing.RecordDamaged, landing.RecordMisfit, SealError, LookupError, ValueError):
        return KIND.refusal(Reason.RECORD_UNFIT)
    except (IntegrityError, asyncpg.IntegrityConstraintViolationError) as error:
        return KIND.refusal(_CONTRADICTED.get(_constraint(error) or "", Reason.RECORD_UNFIT))
    except asyncpg.DataError:
        return KIND.refusal(Reason.RECORD_UNFIT)
    return None


async def _refuse(
    context: NodeContext, delivery: Delivery, request: ServiceRequest, refusal: Refusal
) -> None:
    words = Text(f"Not taken: {refusal.text.en}", f"无法接收：{refusal.text.zh}")
    step = _step(context, delivery, "refused", words, refusal=refusal)
    await service.advance(delivery.session, KIND, request, step)
    await repository.forget_record(delivery.session, request.id)
    reason = {"reason": refusal.code, "text": service.spoken(refusal.text)}
    await _tell(context, delivery, request, kind.NOT_TAKEN, reason)


async def hear_moved(
    context: NodeContext, delivery: Delivery, word: Word, request: ServiceRequest
) -> None:
    """Hear that ownership has moved here: go live, or as soon as the record is here again.

    Raises:
        MessageRefused: if the request has ended here otherwise, or what came meanwhile keeps the record out.
    """
    if await has_heard(delivery.session, request.id, delivery.message.id):
        return
    service.record_journey(delivery.session, request, delivery.hops)
    if request.state == "completed":
        return
    if request.state in {"asked", "offered"}:
        case = await repository.case_of(delivery.session, request.id)
        case.word = word.model_dump(mode="json")
        words = Text("HQ has moved ownership here.", "总部已将归属移交本地。")
        step = Step("told", Party.HOME, delivery.now, kind.HQ, kind.HQ, words, delivery.message.id)
        await service.note(delivery.session, request, step)
        return
    if request.state != "prepared":
        raise MessageRefused(
            f"HQ has moved ownership of the customer of transfer {request.id} here, where it had ended as {request.state}."
        )
    await go_live(context, delivery, request, word, delivery.message.id)


async def go_live(
    context: NodeContext,
    delivery: Delivery,
    request: ServiceRequest,
    word: Word,
    message_id: UUID | None,
) -> None:
    """Make the record a customer of this city, who is its own from this transaction on.

    Args:
        context: this node's.
        delivery: what led to it: HQ's word, or the rest of the record where that came later.
        request: the transfer, prepared and locked.
        word: HQ's.
        message_id: the message of that word, unless the trail has it already.
    """
    session, now = delivery.session, delivery.now
    known = await ownership_of(session, word.customer_id)
    if known is not None and known.epoch >= word.epoch:
        raise MessageRefused(
            f"Customer {word.customer_id} is in epoch {known.epoch} here, and HQ tells of {word.epoch}."
        )
    record = await _record(context, session, request)
    try:
        async with session.begin_nested():
            changes = await _land(context, delivery, request, record)
    except (IntegrityError, asyncpg.IntegrityConstraintViolationError) as error:
        raise MessageRefused(
            f"The customer of transfer {request.id} belongs to this city now, and cannot be entered: "
            f"{_constraint(error)} is breached by something that came since. Settle that and retry this message."
        ) from error
    known = known or CustomerOwnership(customer_id=word.customer_id)
    known.epoch, known.state, known.other = word.epoch, OwnershipState.LIVE.value, request.home
    known.transfer_id, known.since, known.came_on = request.id, now, business_day(now)
    session.add(known)
    await session.flush()  # live before what follows changes the customer
    customer = await repository.lock_customer(session, word.customer_id)
    assert customer is not None  # noqa: S101 - it has just landed
    _keep_history(delivery, request, customer, record, changes)
    memo = await _memo(context, session, request)
    await outside.follow_arrival(context, delivery, request, customer, memo)
    words = Text(
        f"HQ has moved ownership here in epoch {word.epoch}: the customer is this city's.",
        f"总部已将归属移交本地（归属纪元 {word.epoch}），客户转入完成。",
    )
    step = Step("moved", Party.HOME, now, kind.HQ, kind.HQ, words, message_id)
    await service.advance(session, KIND, request, step)
    await repository.forget_record(session, request.id)


async def _land(
    context: NodeContext, delivery: Delivery, request: ServiceRequest, record: Record
) -> Changes:
    memo = await _memo(context, delivery.session, request)
    arrival = landing.Arrival(
        node=context.settings.code,
        unit=request.unit_code,
        origin=request.home,
        transfer_id=request.id,
        at=delivery.now,
        number=memo.msisdn,
        new_number=memo.new_msisdn,
    )
    changes = await landing.land(delivery.session, context.cipher, record, arrival)
    connection = await driver_connection(delivery.session)
    await landing.keep_former_number(connection, record, arrival)
    return changes


def _keep_history(
    delivery: Delivery,
    request: ServiceRequest,
    customer: Customer,
    record: Record,
    changes: Changes,
) -> None:
    session, former = delivery.session, record["former"]
    told: Changes = [
        {"field": "unit_code", "old": former["unit_code"], "new": customer.unit_code},
        {"field": "manager_id", "old": former["manager_id"], "new": None},
        *changes,
    ]
    at, by, cause = delivery.now, request.created_by, delivery.message.id
    action, source = ChangeAction.MOVED_IN, ChangeSource.MESSAGE
    session.add(change_row(customer, action, told, at=at, by=by, source=source, cause_id=cause))
    actor = audit.Actor.peer(delivery.message.source)
    record_change(session, actor, action, customer.id, told, at=at, cause_id=cause)


async def _record(context: NodeContext, session: AsyncSession, request: ServiceRequest) -> Record:
    pieces = []
    for number, sealed in await repository.chunks_of(session, request.id):
        where = seal_context(KIND.code, request.id, f"record/{number}")
        pieces.append(context.post.open_sealed(sealed, context=where))
    case = await repository.case_of(session, request.id)
    return packing.from_chunks(pieces, case.sha256 or "")


async def _memo(context: NodeContext, session: AsyncSession, request: ServiceRequest) -> Memo:
    where = seal_context(KIND.code, request.id, MEMO)
    sealed = (await repository.case_of(session, request.id)).memo or ""
    return Memo.model_validate_json(context.post.open_sealed(sealed, context=where))


def _step(
    context: NodeContext,
    delivery: Delivery,
    event: str,
    words: Text,
    *,
    refusal: Refusal | None = None,
) -> Step:
    here = context.settings.code
    return Step(event, Party.VISITED, delivery.now, here, here, words, refusal=refusal)


async def _tell(
    context: NodeContext,
    delivery: Delivery,
    request: ServiceRequest,
    type_: str,
    data: Mapping[str, Any],
) -> None:
    await context.post.post(
        delivery.session,
        type_,
        request.home,
        {"request_id": str(request.id), **data},
        lane=Lane.REQUEST,
        partition_key=str(request.id),
        now=delivery.now,
        subject=f"{KIND.code}/{request.id}",
        correlation_id=request.id,
        causation_id=delivery.message.id,
    )


def _constraint(error: BaseException) -> str | None:
    cause = getattr(error, "orig", None)
    found = error if cause is None else getattr(cause, "__cause__", None)
    name: str | None = getattr(found, "constraint_name", None)
    return name
