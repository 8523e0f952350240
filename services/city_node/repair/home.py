"""What the home node does: decides what it bears, follows the repair, and records it on the customer's record.

Recording is the commit point of the whole request: in one transaction the promise is used, the repair stands on the
customer's record with what this city bears of it, the ledger books that (:mod:`shared.clearing`) and the answer is
posted, which every node that it passes books.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import structlog

from services.city_node.customer.models import SubscriptionStatus
from services.city_node.customer.ownership import is_live
from services.city_node.repair import kind, outside, repository
from services.city_node.repair.kind import KIND, Reason
from services.city_node.repair.models import PromiseState, RepairPromise, RepairSatisfaction
from services.city_node.repair.recording import record
from services.city_node.repair.schemas import Device
from services.city_node.repair.warranty import is_in_warranty
from services.city_node.repair.wire import (
    TERMS,
    Asked,
    Closed,
    Comment,
    Confirmed,
    Progressed,
    Question,
    Rated,
    Recorded,
)
from services.city_node.service_request import messages, service
from services.city_node.service_request.home import HomeEnd, is_holder
from services.city_node.service_request.kind import EXPIRED, Party
from services.city_node.service_request.lines import Line, lock_line
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import has_heard
from services.city_node.service_request.schemas import Sealed
from shared.capability import NodeContext
from shared.clearing.ledger import Item, book_at_home
from shared.clearing.models import ItemKind
from shared.clearing.schemas import RECORDED
from shared.federation.delivery import Delivery, MessageRefused
from shared.kernel.clock import business_day
from shared.kernel.encryption import mask
from shared.kernel.language import Text
from shared.policy.kinds.repair import REPAIR
from shared.policy.service import in_force

log = structlog.get_logger("repair")

END = HomeEnd(KIND, kind.REFUSED)
GIVING_UP = {
    "declined": Text(
        "The customer declined the estimate; nobody owes anything.",
        "客户不同意报价，双方均无需承担费用。",
    ),
    "cancelled": Text(
        "The visited node cancelled; nobody owes anything.", "受理地已取消，双方均无需承担费用。"
    ),
    EXPIRED: Text(
        "The time is over at the visited node and nothing was agreed; nobody owes anything.",
        "受理地办理超时且未达成维修意向，双方均无需承担费用。",
    ),
}


async def hear_asked(context: NodeContext, delivery: Delivery, data: Asked) -> None:
    """Decide what this city bears of the repair of its customer's handset, and on what terms another may be lent."""
    session = delivery.session
    if await messages.find(delivery, KIND, data.request_id, Party.HOME) is not None:
        return  # decided and answered when it came first
    deadline = delivery.message.deadline
    if deadline is None:
        raise MessageRefused(
            f"The question {data.request_id} has no deadline: nothing can be promised without one."
        )
    question = END.open(context, delivery, data, "asked", Question)
    await repository.hold_imei(session, question.imei)
    line = await lock_line(session, question.msisdn)
    # Only a node that was restored from a backup has answered what it does not know: it keeps its word.
    given = await context.post.answer_given(delivery, kind.CONFIRMED)
    reason: str | None = None
    moved_to = None
    if given is None:
        reason = await _objection(context, delivery, line, question)
    if reason == Reason.SUBSCRIPTION_UNKNOWN:
        reason, moved_to = await END.missing(
            context, session, question.msisdn, Reason.SUBSCRIPTION_UNKNOWN
        )
    request = ServiceRequest(
        id=data.request_id,
        role=Party.HOME,
        home=context.settings.code,
        visited=delivery.message.source,
        subject=mask(question.msisdn, 3, 4),
        deadline=deadline,
        data={"document_type": question.document_type},
        unit_code=line.customer.unit_code if line else context.settings.code,
        created_by=delivery.message.source,
    )
    if reason is not None:
        step = END.refusal_step(context, delivery, reason)
        await service.begin(session, KIND, request, step, journey=delivery.hops)
        await END.answer_no(context, delivery, request.id, reason, moved_to=moved_to)
        return
    terms, policy = await _terms(context, delivery, line, question, given)
    words = Text(
        f"Identity and line are in order; this city bears {terms['home_share_permille'] / 10:g}% "
        f"up to {terms['cap_fen']} fen.",
        f"身份与号码核验通过，本市承担 {terms['home_share_permille'] / 10:g}%，至多 {terms['cap_fen']} 分。",
    )
    step = END.step(context, "confirmed", words, delivery.now, delivery.message.id)
    await service.begin(session, KIND, request, step, journey=delivery.hops)
    session.add(
        RepairPromise(
            request_id=request.id,
            customer_id=line.customer.id if line else None,
            subscription_id=line.subscription.id if line else None,
            **question.model_dump(include={"make", "model", "imei", "fault", "purchased_on"}),
            **terms,
            policy=policy,
            state=PromiseState.HELD,
        )
    )
    await END.answer_yes(context, delivery, kind.CONFIRMED, request.id, terms)


async def _objection(
    context: NodeContext, delivery: Delivery, line: Line | None, question: Question
) -> Reason | None:
    deadline = delivery.message.deadline
    if deadline is None or deadline <= delivery.now:
        return Reason.DEADLINE_PASSED
    if line is None:
        return Reason.SUBSCRIPTION_UNKNOWN
    # Identity comes before anything that tells about the line, which is nobody's business but its owner's.
    if not is_holder(
        context, delivery, line.customer, question.document_type, question.document_number
    ):
        return Reason.IDENTITY_MISMATCH
    reason = await _objection_to_line(delivery, line, question.imei)
    if reason is None and await context.post.has_answered(delivery, kind.REFUSED):
        return Reason.GIVEN_UP
    return reason


async def _objection_to_line(delivery: Delivery, line: Line, imei: str) -> Reason | None:
    if not await is_live(delivery.session, line.customer.id):
        return Reason.IN_TRANSFER
    if line.subscription.status != SubscriptionStatus.ACTIVE:
        return Reason.NOT_ACTIVE
    is_held = await repository.is_held(delivery.session, imei)
    return Reason.REPAIR_UNDER_WAY if is_held else None


async def _terms(
    context: NodeContext,
    delivery: Delivery,
    line: Line | None,
    question: Question,
    given: Mapping[str, Any] | None,
) -> tuple[dict[str, Any], str]:
    """Return what this city promises, and by which policy; a restored node promises what it had promised."""
    if given is not None or line is None:
        return Confirmed.model_validate(given).model_dump(mode="json", include=set(TERMS)), "given"
    today: date = business_day(delivery.now)
    policy = await in_force(delivery.session, REPAIR, on=today, node=context.settings.code)
    rules, level = policy.document, line.customer.level
    matches = line.subscription.imei == question.imei
    in_warranty = is_in_warranty(
        question.purchased_on,
        today,
        months=rules.warranty_months,
        imei_matches=matches,
        needs_imei=rules.warranty_needs_known_imei,
    )
    bearing, lending = rules.bearing(level, in_warranty=in_warranty), rules.of(level)
    terms = {
        "level": level,
        "in_warranty": in_warranty,
        "imei_matches": matches,
        "home_share_permille": bearing.share_permille,
        "cap_fen": bearing.cap_fen,
        "deposit_fen": lending.deposit_fen,
        "loan_days": lending.loan_days,
    }
    return terms, policy.reference


async def hear_progressed(context: NodeContext, delivery: Delivery, data: Progressed) -> None:
    """Write into the trail what the visited node is about, and tell the customer when the handset is ready."""
    request = await _known(delivery, data.request_id, data.event)
    if request is None or await has_heard(delivery.session, request.id, delivery.message.id):
        return
    words = kind.PROGRESS.get(data.event, Text(data.event, data.event))
    step = messages.heard_step(delivery, request, data.event, words)
    await service.note(delivery.session, request, step)
    if data.event in outside.READY:
        await outside.tell_customer(context, delivery, request, data.event)


async def hear_given_up(delivery: Delivery, data: Progressed, event: str) -> None:
    """Hear that the visited node or its customer gave up, or that time did: the promise falls."""
    request = await _known(delivery, data.request_id, event)
    if request is not None and await messages.hear(
        delivery, KIND, request, event, GIVING_UP[event]
    ):
        promise = await repository.promise_of(delivery.session, request.id)
        promise.state, promise.settled_at = PromiseState.RELEASED, delivery.now


async def hear_closed(context: NodeContext, delivery: Delivery, data: Closed) -> None:
    """Record the repair, with what this city bears by its own promise, whatever the visited node took it for."""
    session = delivery.session
    request = await messages.find(delivery, KIND, data.request_id, Party.HOME)
    if request is None:
        await END.answer_no(context, delivery, data.request_id, Reason.REQUEST_UNKNOWN)
        return
    if await has_heard(session, request.id, delivery.message.id):
        return
    service.record_journey(session, request, delivery.hops)
    if request.state == "confirmed":
        replacement = None
        if data.sealed is not None:
            sealed = Sealed(request_id=data.request_id, sealed=data.sealed)
            replacement = END.open(context, delivery, sealed, "closed", Device)
        # A restored node that had recorded it says the same day again: the cities have cleared it on that one.
        said = await context.post.answer_given(delivery, RECORDED)
        day = business_day(delivery.now)
        if said is not None:
            day = Recorded.model_validate(said).business_day
        done = await record(delivery, request, data, replacement, day=day)
        item = Item(request.id, ItemKind.REPAIR, done.home_fen, day, request.home, request.visited)
        await book_at_home(session, item, here=context.settings.code, now=delivery.now)
        words = Text(
            f"The repair was recorded; this city bears {done.home_fen} fen.",
            f"已登记维修，本市承担 {done.home_fen} 分。",
        )
        step = END.step(context, "recorded", words, delivery.now, delivery.message.id)
        await service.advance(session, KIND, request, step)
    else:
        words = Text(f"{request.visited} returned the handset.", f"{request.visited} 已交还终端。")
        await messages.note_late(delivery, request, "returned", words)
        if request.state != "completed":
            await END.answer_no(context, delivery, request.id, Reason.GIVEN_UP)
            return
        # A visited node that was restored from a backup closes what it had closed: what is recorded stands.
        done = await repository.record_of(session, request.id)
    answer = {"home_fen": done.home_fen, "business_day": done.business_day.isoformat()}
    await END.answer_yes(context, delivery, RECORDED, request.id, answer)


async def hear_rated(context: NodeContext, delivery: Delivery, data: Rated) -> None:
    """Keep how satisfied the customer is, in their own words."""
    request = await _known(delivery, data.request_id, "rated")
    if request is None or await has_heard(delivery.session, request.id, delivery.message.id):
        return
    if request.state != "completed":
        raise MessageRefused(
            f"Request {request.id} is in state {request.state}: there is no repair to be satisfied with."
        )
    words = Text(
        f"The customer's satisfaction is {data.score} of 5.",
        f"客户满意度：{data.score} 分（满分 5 分）。",
    )
    step = messages.heard_step(delivery, request, "rated", words)
    await service.note(delivery.session, request, step)
    if await repository.is_rated(delivery.session, request.id):
        return
    comment = None
    if data.sealed is not None:
        sealed = Sealed(request_id=data.request_id, sealed=data.sealed)
        comment = END.open(context, delivery, sealed, "rated", Comment).comment
    promise = await repository.promise_of(delivery.session, request.id)
    delivery.session.add(
        RepairSatisfaction(
            request_id=request.id,
            score=data.score,
            comment=comment,
            level=promise.level,
            unit_code=request.unit_code,
            answered_at=delivery.message.time,
        )
    )


async def _known(delivery: Delivery, request_id: UUID, event: str) -> ServiceRequest | None:
    request = await messages.find(delivery, KIND, request_id, Party.HOME)
    if request is None:
        log.info("news of a request that is not known here", id=str(request_id), event=event)
    return request
