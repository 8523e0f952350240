"""HQ's word about ownership, as it reaches a city: who of the two ends hears it, and what to ask when none comes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request import messages, service
from services.city_node.service_request.kind import Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import has_heard, lock
from services.city_node.service_request.service import Step
from services.city_node.transfer import arriving, home, kind, repository
from services.city_node.transfer.kind import KIND
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import Lane
from shared.kernel.language import Text
from shared.ownership import INQUIRED, Inquiry, Word


async def hear_moved(context: NodeContext, delivery: Delivery) -> None:
    """Hear that a transfer has moved ownership, away from this city or to it."""
    word = _word(delivery)
    await _follow(context, delivery, word, await _request(delivery, word.moved_by))


async def hear_not_moved(context: NodeContext, delivery: Delivery) -> None:
    """Hear that HQ did not move ownership, at the city that had asked."""
    word = _word(delivery)
    request = await _request(delivery, word.transfer_id)
    if request is None or request.role != Party.HOME:
        raise MessageRefused(
            f"HQ answers transfer {word.transfer_id}, of which this is not the old home."
        )
    await home.hear_not_moved(context, delivery, word, request)


async def hear_told(context: NodeContext, delivery: Delivery) -> None:
    """Hear whose a customer is, after this city had waited and asked."""
    word = _word(delivery)
    request = await _request(delivery, word.transfer_id)
    if request is None or request.ended_at is not None:
        return
    if word.moved_by == request.id:
        await _follow(context, delivery, word, request)
    elif await has_heard(delivery.session, request.id, delivery.message.id):
        return
    else:
        words = Text("HQ has not moved ownership yet.", "总部尚未移交归属。")
        role = Party(request.role)
        step = Step("told", role, delivery.now, kind.HQ, kind.HQ, words, delivery.message.id)
        await service.note(delivery.session, request, step)
        await ask_again(context, delivery.session, request, now=delivery.now)


async def _follow(
    context: NodeContext, delivery: Delivery, word: Word, request: ServiceRequest | None
) -> None:
    if word.owner == context.settings.code:
        if request is None or request.role != Party.VISITED:
            raise MessageRefused(
                f"HQ gives customer {word.customer_id} to this city by transfer {word.moved_by}, of which it knows nothing: "
                "if its database was restored from a backup, have the other city's operator help."
            )
        await arriving.hear_moved(context, delivery, word, request)
    else:
        own = request if request is not None and request.role == Party.HOME else None
        await home.hear_moved(context, delivery, word, own)


async def ask_again(
    context: NodeContext, session: AsyncSession, request: ServiceRequest, *, now: datetime
) -> None:
    """Say once more what seems not to have been heard: that ownership is to move, or that this end is prepared."""
    if request.role == Party.HOME and request.state == "moving":
        await home.ask_hq(context, session, request, now=now)
    elif request.role == Party.VISITED and request.state == "prepared":
        await _post(context, session, request, kind.PREPARED, to=request.home, now=now)


async def inquire(
    context: NodeContext, session: AsyncSession, request: ServiceRequest, *, now: datetime
) -> None:
    """Ask why a transfer does not go on: HQ, whose the customer is, or the new home, whether it still wants to."""
    role = Party(request.role)
    here = context.settings.code
    if request.state == "offered" and role is Party.HOME:
        words = Text(
            f"{request.visited} is asked how things are.", f"已询问 {request.visited} 办理情况。"
        )
        await _post(context, session, request, kind.INQUIRED, to=request.visited, now=now)
    else:
        words = Text("HQ is asked whose the customer is.", "已向总部查询客户归属。")
        case = await repository.case_of(session, request.id)
        if case.customer_id is None:
            return
        inquiry = Inquiry(customer_id=case.customer_id, transfer_id=request.id)
        await context.post.post(
            session,
            INQUIRED,
            kind.HQ,
            inquiry.model_dump(mode="json"),
            lane=Lane.REQUEST,
            partition_key=str(request.id),
            now=now,
            correlation_id=request.id,
        )
    await service.note(session, request, Step("inquired", role, now, here, "clock", words))


async def _post(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    type_: str,
    *,
    to: str,
    now: datetime,
) -> None:
    await context.post.post(
        session,
        type_,
        to,
        {"request_id": str(request.id)},
        lane=Lane.REQUEST,
        partition_key=str(request.id),
        now=now,
        subject=f"{KIND.code}/{request.id}",
        correlation_id=request.id,
    )


def _word(delivery: Delivery) -> Word:
    if delivery.message.source != kind.HQ:
        raise MessageRefused(
            f"{delivery.message.source} has no say in whose a customer is: HQ alone has."
        )
    return messages.read(Word, delivery)


async def _request(delivery: Delivery, transfer_id: UUID | None) -> ServiceRequest | None:
    return None if transfer_id is None else await lock(delivery.session, KIND, transfer_id)
