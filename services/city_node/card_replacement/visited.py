"""What the visited node does: asks, writes the card, gives up, and hears the home node's word."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.card_replacement import kind, recall, repository, stock
from services.city_node.card_replacement.kind import KIND
from services.city_node.card_replacement.models import SimCard
from services.city_node.card_replacement.recall import Memo
from services.city_node.card_replacement.schemas import (
    CardReplacementIn,
    Question,
    WrittenCard,
    Yes,
    seal_context,
    sealed_bytes,
)
from services.city_node.service_request import messages, service
from services.city_node.service_request.kind import EXPIRED, Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import lock_within
from services.city_node.service_request.schemas import AnsweredNo
from services.city_node.service_request.service import RequestNotFound, Step
from shared.access import Principal
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import Lane
from shared.federation.post import DestinationUnknown
from shared.kernel.encryption import mask
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem
from shared.kernel.tier import Tier
from shared.organisation.division import division


class HomeIsHere(Problem):
    """The customer is this city's own."""

    status = 422
    title = Text("Home is here", "归属地即本地")
    sentence = Text(
        "{home} is this node: replace the card of its own customer here, without a cross-region request.",
        "{home} 即本节点：本地客户请直接办理补卡，无需跨地区请求。",
    )


class HomeNotCity(Problem):
    """What was named as home is no city, and only cities have customers."""

    status = 422
    title = Text("Home is not a city", "归属地不是地市")
    sentence = Text(
        "{home} is {tier}, and only cities have customers. Give the division code of the customer's home city.",
        "{home}（{tier}）不是地市，没有客户档案，请填写客户归属地市的区划代码。",
    )


class HomeNodeUnknown(Problem):
    """The federation has no node of that city, or this node has not heard of it yet."""

    status = 422
    title = Text("Home node unknown", "归属地节点未知")
    sentence = Text(
        "City {home} has no node in the federation, as far as this node knows. Check the city; if it has just joined, try again in a minute.",
        "本节点未知 {home} 的节点。请核对归属地；若其刚加入，请稍后重试。",
    )


class RequestTimedOut(Problem):
    """The request's time is over; the clock is about to end it."""

    status = 409
    title = Text("Request timed out", "请求已超时")
    sentence = Text(
        "The time for request {id} ended at {deadline}; its card goes back into stock. Ask again.",
        "请求 {id} 已于 {deadline} 超过办理时限，预留的卡将退回库存，请重新提交。",
    )


async def ask(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    asked: CardReplacementIn,
    *,
    now: datetime,
) -> UUID:
    """Ask the home node whether the customer may have a new card, with one set aside.

    The customer's numbers go into the message sealed for the home node, and are not kept here.

    Raises:
        shared.organisation.division.UnknownDivision: if the home city does not exist (422).
        HomeIsHere, HomeNotCity, HomeNodeUnknown: if it cannot be the home of a cross-region request (422).
        UnitNotYours: if the unit is not active, or not the caller's (422).
        NoCardInStock: if the unit has no card (409).
    """
    _check_home(context, asked.home)
    unit = asked.unit or principal.unit
    if await repository.active_unit(session, unit, principal.unit_path) is None:
        raise stock.UnitNotYours(faults=[Fault("/unit", "no active unit of yours")], unit=unit)
    request = ServiceRequest(
        id=new_id(),
        role=Party.VISITED,
        home=asked.home,
        visited=context.settings.code,
        subject=mask(asked.msisdn, 3, 4),
        deadline=now + KIND.time_limit,
        data={"reason": asked.reason, "document_type": asked.document_type},
        unit_code=unit,
        created_by=principal.username,
    )
    words = Text(
        f"{asked.home} is asked to verify the customer. The question leaves as soon as the link is up.",
        f"请 {asked.home} 核验客户；链路畅通时即发出。",
    )
    await service.begin(
        session, KIND, request, _own_step(context, "asked", principal.username, words, now)
    )
    card = await stock.reserve(session, unit, request.id, now=now)
    question = Question(
        msisdn=asked.msisdn,
        document_type=asked.document_type,
        document_number=asked.document_number,
    )
    await _tell(
        context,
        session,
        request,
        kind.ASKED,
        {
            "reason": asked.reason,
            "sealed": await _seal(context, session, request, "asked", question),
            "memo": _memo(context, request, card),
        },
        now=now,
        deadline=request.deadline,
    )
    return request.id


def _memo(context: NodeContext, request: ServiceRequest, card: SimCard) -> str:
    memo = Memo(
        by=request.created_by,
        unit=request.unit_code,
        subject=request.subject,
        document_type=request.data["document_type"],
        iccid=card.iccid,
        imsi=card.imsi,
    )
    where = seal_context(request.id, recall.MEMO)
    return context.post.seal_for_self(sealed_bytes(memo), context=where)


def _check_home(context: NodeContext, home: str) -> None:
    if home == context.settings.code:
        raise HomeIsHere(faults=[Fault("/home", "this node itself")], home=home)
    tier = division(home).tier
    if tier is not Tier.CITY:
        raise HomeNotCity(faults=[Fault("/home", "not a city")], home=home, tier=tier)


async def write_card(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    request_id: UUID,
    *,
    now: datetime,
) -> None:
    """Make the reserved card out to the customer, and tell the home node to switch to it.

    From here on the outcome is the home node's word: this node neither cancels nor times out.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        RequestNotInState: unless it is approved (409).
        RequestTimedOut: if its time is over (409).
    """
    request = await _lock_own(session, principal, request_id)
    if request.state == "approved" and request.deadline <= now:
        raise RequestTimedOut(
            id=request.id, deadline=request.deadline.isoformat(timespec="seconds")
        )
    words = Text(
        f"The card was written; {request.home} is to switch to it.",
        f"已写卡，待 {request.home} 换卡生效。",
    )
    await service.advance(
        session, KIND, request, _own_step(context, "card-written", principal.username, words, now)
    )
    card = await stock.write(session, request.id, now=now)
    sealed = await _seal(
        context, session, request, "card-written", WrittenCard(iccid=card.iccid, imsi=card.imsi)
    )
    await _tell(context, session, request, kind.CARD_WRITTEN, {"sealed": sealed}, now=now)


async def cancel(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    request_id: UUID,
    note: str,
    *,
    now: datetime,
) -> None:
    """Give the request up before the card is written: the card goes back into stock, the old SIM stays in use.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        RequestNotInState: if its card is written already, or it has ended (409).
    """
    request = await _lock_own(session, principal, request_id)
    words = Text(f"Cancelled: {note}", f"已取消：{note}")
    await service.advance(
        session, KIND, request, _own_step(context, "cancelled", principal.username, words, now)
    )
    await stock.give_back(session, request.id, now=now)
    await _tell(context, session, request, kind.CANCELLED, {}, now=now)


async def expire(
    context: NodeContext, session: AsyncSession, request: ServiceRequest, *, now: datetime
) -> None:
    """End a locked request whose time is over: the card goes back into stock, the old SIM stays in use."""
    words = Text(
        "The time is over; the card went back into stock and the old card goes on working.",
        "已超过办理时限，预留的卡已退回库存，旧卡继续有效。",
    )
    await service.advance(session, KIND, request, _own_step(context, EXPIRED, "clock", words, now))
    await stock.give_back(session, request.id, now=now)
    await _tell(context, session, request, kind.EXPIRED_AT_VISITED, {}, now=now)


async def hear_approved(delivery: Delivery, data: Yes) -> None:
    """Hear that the home node promises to switch: the clerk may write the card."""
    request = await _find(delivery, data.request_id)
    if request.state == "written" and request.data.get("recalled"):
        return  # what it allowed has been recalled already
    words = Text(
        f"{request.home} approved: the card may be written.", f"{request.home} 已核准，可写卡。"
    )
    await messages.hear(delivery, KIND, request, "approved", words, question_hops=data.hops)


async def hear_switched(delivery: Delivery, data: Yes) -> None:
    """Hear that the line uses the written card: it is the customer's."""
    request = await _find(delivery, data.request_id)
    words = Text(f"{request.home} switched to the new card.", f"{request.home} 已换卡生效。")
    if await messages.hear(delivery, KIND, request, "switched", words, question_hops=data.hops):
        await stock.issue(delivery.session, request.id, now=delivery.now)


async def hear_refused(delivery: Delivery, data: AnsweredNo) -> None:
    """Hear that the home node will not switch: the card goes back into stock, or is spoiled if it was written."""
    request = await _find(delivery, data.request_id)
    refusal = messages.refusal_of(data)
    words = Text(
        f"{request.home} refused: {refusal.text.en}", f"{request.home} 拒绝：{refusal.text.zh}"
    )
    if await messages.hear(
        delivery, KIND, request, "refused", words, question_hops=data.hops, refusal=refusal
    ):
        await stock.give_back(delivery.session, request.id, now=delivery.now)


async def _find(delivery: Delivery, request_id: UUID) -> ServiceRequest:
    request = await messages.find(delivery, KIND, request_id, Party.VISITED)
    if request is None:
        raise MessageRefused(
            f"This node has no request {request_id} that {delivery.message.source} could answer: if its database was "
            "restored from a backup, the request is lost here and ends at its home node by its deadline."
        )
    return request


async def _lock_own(
    session: AsyncSession, principal: Principal, request_id: UUID
) -> ServiceRequest:
    request = await lock_within(session, KIND, Party.VISITED, request_id, principal.unit_path)
    if request is None:
        raise RequestNotFound(id=request_id)
    return request


def _own_step(context: NodeContext, event: str, by: str, words: Text, now: datetime) -> Step:
    return Step(event, Party.VISITED, now, context.settings.code, by, words)


async def _seal(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    event: str,
    content: BaseModel,
) -> str:
    where = seal_context(request.id, event)
    try:
        return await context.post.seal_for(
            session, request.home, sealed_bytes(content), context=where
        )
    except DestinationUnknown:
        raise HomeNodeUnknown(
            faults=[Fault("/home", "no node of that city is known")], home=request.home
        ) from None


async def _tell(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    type_: str,
    data: Mapping[str, Any],
    *,
    now: datetime,
    deadline: datetime | None = None,
) -> None:
    await context.post.post(
        session,
        type_,
        request.home,
        {"request_id": str(request.id), **data},
        lane=Lane.REQUEST,
        partition_key=str(request.id),
        now=now,
        subject=f"{KIND.code}/{request.id}",
        correlation_id=request.id,
        deadline=deadline,
    )
