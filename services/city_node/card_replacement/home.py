"""What the home node does: decides, keeps its promise for a time, and switches the line to the new card.

The switch is the commit point of the whole request: in one transaction the old SIM ends, the new one becomes active
and the answer is posted. What has to follow outside, in the network's own register, is called in the same transaction
and happens behind that commit.
"""

from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.card_replacement import kind, outside, repository
from services.city_node.card_replacement.kind import KIND, Reason
from services.city_node.card_replacement.models import ReservationState, SwitchReservation
from services.city_node.card_replacement.schemas import (
    Asked,
    Question,
    WrittenCard,
)
from services.city_node.customer.audited import record_change
from services.city_node.customer.history import Changes, change_row
from services.city_node.customer.models import (
    ChangeAction,
    ChangeSource,
    Sim,
    SimState,
    SubscriptionStatus,
)
from services.city_node.customer.ownership import is_live
from services.city_node.service_request import messages, service
from services.city_node.service_request.home import HomeEnd, is_holder
from services.city_node.service_request.kind import EXPIRED, Party
from services.city_node.service_request.lines import Line, lock_line, lock_subscription
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import has_heard
from services.city_node.service_request.schemas import Sealed, Told
from shared import audit
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.kernel.clock import business_day
from shared.kernel.encryption import mask
from shared.kernel.language import Text

log = structlog.get_logger("card_replacement")

END = HomeEnd(KIND, kind.REFUSED)


async def hear_asked(context: NodeContext, delivery: Delivery, data: Asked) -> None:
    """Decide whether the person at the visited node's counter may have a new card, and promise it if so."""
    if await messages.find(delivery, KIND, data.request_id, Party.HOME) is not None:
        return  # decided and answered when it came first
    deadline = delivery.message.deadline
    if deadline is None:
        raise MessageRefused(
            f"The question {data.request_id} has no deadline: nothing can be promised without one."
        )
    question = END.open(context, delivery, data, "asked", Question)
    line = await lock_line(delivery.session, question.msisdn)
    # Only a node that was restored from a backup has answered what it does not know: it keeps its word.
    had_approved = await context.post.has_answered(delivery, kind.APPROVED)
    until = delivery.now + KIND.home_grace if had_approved else deadline
    reason: str | None = await _objection(context, delivery, line, question, until)
    moved_to = None
    if reason == Reason.SUBSCRIPTION_UNKNOWN:
        reason, moved_to = await END.missing(
            context, delivery.session, question.msisdn, Reason.SUBSCRIPTION_UNKNOWN
        )
    if reason is None and await context.post.has_answered(delivery, kind.REFUSED):
        reason = Reason.GIVEN_UP
    promised = END.deadline(until, line.customer.level if line else None, delivery.now)
    request = ServiceRequest(
        id=data.request_id,
        role=Party.HOME,
        home=context.settings.code,
        visited=delivery.message.source,
        subject=mask(question.msisdn, 3, 4),
        deadline=END.own_deadline(promised),
        data={"reason": data.reason, "document_type": question.document_type},
        unit_code=line.customer.unit_code if line else context.settings.code,
        created_by=delivery.message.source,
    )
    if reason is not None:
        await service.begin(
            delivery.session,
            KIND,
            request,
            END.refusal_step(context, delivery, reason),
            journey=delivery.hops,
        )
        await END.answer_no(context, delivery, request.id, reason, moved_to=moved_to)
        return
    words = Text(
        "Identity and line are in order; the switch is reserved.",
        "身份与号码核验通过，已预留换卡。",
    )
    step = END.step(context, "approved", words, delivery.now, delivery.message.id)
    await service.begin(delivery.session, KIND, request, step, journey=delivery.hops)
    assert line is not None  # noqa: S101 - without a line there is an objection
    delivery.session.add(
        SwitchReservation(
            request_id=request.id, subscription_id=line.subscription.id, state=ReservationState.HELD
        )
    )
    await END.answer_yes(context, delivery, kind.APPROVED, request.id, deadline=promised)


async def _objection(
    context: NodeContext,
    delivery: Delivery,
    line: Line | None,
    question: Question,
    deadline: datetime,
) -> Reason | None:
    if deadline <= delivery.now:
        return Reason.DEADLINE_PASSED
    if line is None:
        return Reason.SUBSCRIPTION_UNKNOWN
    # Identity comes before anything that tells about the line, which is nobody's business but its owner's.
    if not is_holder(
        context, delivery, line.customer, question.document_type, question.document_number
    ):
        return Reason.IDENTITY_MISMATCH
    return await _objection_to_line(delivery.session, line, now=delivery.now)


async def _objection_to_line(session: AsyncSession, line: Line, *, now: datetime) -> Reason | None:
    subscription = line.subscription
    if not await is_live(session, line.customer.id):
        return Reason.IN_TRANSFER
    if subscription.status != SubscriptionStatus.ACTIVE:
        return Reason.NOT_ACTIVE
    if await repository.active_sim(session, subscription.id) is None:
        return Reason.NOT_ACTIVE
    if await repository.is_beyond_credit(session, line.customer.id, today=business_day(now)):
        return Reason.BEYOND_CREDIT
    if await repository.is_held(session, subscription.id):
        return Reason.REPLACEMENT_UNDER_WAY
    used = await repository.count_used(session, subscription.id, since=now - kind.A_DAY)
    most = kind.MORE_REPLACEMENTS_A_DAY.get(line.customer.level, kind.REPLACEMENTS_A_DAY)
    return Reason.REPLACED_RECENTLY if used >= most else None


async def hear_card_written(context: NodeContext, delivery: Delivery, data: Sealed) -> None:
    """Switch the line to the written card if the promise still stands; say why not otherwise."""
    session = delivery.session
    request = await messages.find(delivery, KIND, data.request_id, Party.HOME)
    if request is None:
        await END.answer_no(context, delivery, data.request_id, Reason.REQUEST_UNKNOWN)
        return
    if await has_heard(session, request.id, delivery.message.id):
        return
    service.record_journey(session, request, delivery.hops)
    had_switched = await context.post.has_answered(delivery, kind.SWITCHED)
    if (
        had_switched and request.state == EXPIRED
    ):  # the clock was faster than the memory of a restored node
        words = Text("This node had switched before it was restored.", "本节点恢复前已换卡。")
        step = END.step(context, "recalled", words, delivery.now, None)
        await service.reopen(session, KIND, request, "approved", step)
    if request.ended_at is not None:
        words = Text(f"{request.visited} has written a card.", f"{request.visited} 已写卡。")
        await messages.note_late(delivery, request, "card-written", words)
        late = Reason.DEADLINE_PASSED if request.state == EXPIRED else Reason.GIVEN_UP
        await END.answer_no(context, delivery, request.id, late)
        return
    card = END.open(context, delivery, data, "card-written", WrittenCard)
    if request.deadline <= delivery.now and not had_switched:
        await expire(context, session, request, now=delivery.now, message_id=delivery.message.id)
        await END.answer_no(context, delivery, request.id, Reason.DEADLINE_PASSED)
        return
    reason = await _switch(context, delivery, request, card)
    if reason is not None:
        await service.advance(session, KIND, request, END.refusal_step(context, delivery, reason))
        await _release(session, request.id, now=delivery.now)
        await END.answer_no(context, delivery, request.id, reason)
        return
    words = Text(
        "The line was switched to the new card; the old one is dead.", "已换用新卡，旧卡失效。"
    )
    await service.advance(
        session,
        KIND,
        request,
        END.step(context, "switched", words, delivery.now, delivery.message.id),
    )
    await _settle(session, request.id, ReservationState.USED, now=delivery.now)
    await END.answer_yes(context, delivery, kind.SWITCHED, request.id)


async def _switch(
    context: NodeContext, delivery: Delivery, request: ServiceRequest, card: WrittenCard
) -> Reason | None:
    """Make the card the line's SIM, or say what stands against it."""
    session, now = delivery.session, delivery.now
    reservation = await repository.reservation_of(session, request.id)
    line = await lock_subscription(session, reservation.subscription_id)
    old = await repository.active_sim(session, reservation.subscription_id)
    if line is None or old is None or line.subscription.status != SubscriptionStatus.ACTIVE:
        return Reason.NOT_ACTIVE
    if await repository.known_sims(session, [(card.iccid, card.imsi)]):
        return Reason.CARD_IN_USE
    old.state, old.ended_at = SimState.REPLACED, now
    await (
        session.flush()
    )  # a line has one active SIM at most: the old one ends before the new one begins
    session.add(
        Sim(
            iccid=card.iccid,
            imsi=card.imsi,
            state=SimState.ACTIVE,
            subscription_id=line.subscription.id,
            activated_at=now,
        )
    )
    changes: Changes = [
        {"field": f"sims/{old.iccid}/state", "old": SimState.ACTIVE, "new": SimState.REPLACED},
        {"field": f"sims/{card.iccid}/state", "old": None, "new": SimState.ACTIVE},
    ]
    session.add(
        change_row(
            line.customer,
            ChangeAction.CHANGED,
            changes,
            at=now,
            by=request.visited,
            source=ChangeSource.MESSAGE,
            cause_id=delivery.message.id,
        )
    )
    record_change(
        session,
        audit.Actor.peer(request.visited),
        ChangeAction.CHANGED,
        line.customer.id,
        changes,
        at=now,
        cause_id=delivery.message.id,
    )
    await outside.follow_switch(context, delivery, request, line, replaced=old, card=card)
    return None


async def hear_cancelled(delivery: Delivery, data: Told) -> None:
    """Hear that the visited node gave up: the promise falls, the old SIM stays in use."""
    words = Text(
        "The visited node cancelled; the old card goes on working.", "受理地已取消，旧卡继续有效。"
    )
    await _let_go(delivery, data.request_id, "cancelled", words)


async def hear_expired(delivery: Delivery, data: Told) -> None:
    """Hear that the visited node's time is over: the promise falls, the old SIM stays in use."""
    words = Text(
        "The time is over at the visited node; the old card goes on working.",
        "受理地办理超时，旧卡继续有效。",
    )
    await _let_go(delivery, data.request_id, EXPIRED, words)


async def _let_go(delivery: Delivery, request_id: UUID, event: str, words: Text) -> None:
    request = await messages.find(delivery, KIND, request_id, Party.HOME)
    if request is None:
        log.info(
            "nothing to let go: the request is not known here",
            request_id=str(request_id),
            event=event,
        )
        return
    if await messages.hear(delivery, KIND, request, event, words):
        await _release(delivery.session, request.id, now=delivery.now)


async def expire(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    *,
    now: datetime,
    message_id: UUID | None = None,
) -> None:
    """End a locked request whose promise has run out; a card that is written later will be refused."""
    words = Text(
        "The reservation ran out; the old card goes on working.", "换卡预留已过期，旧卡继续有效。"
    )
    await service.advance(
        session, KIND, request, END.step(context, EXPIRED, words, now, message_id)
    )
    await _release(session, request.id, now=now)


async def _release(session: AsyncSession, request_id: UUID, *, now: datetime) -> None:
    await _settle(session, request_id, ReservationState.RELEASED, now=now)


async def _settle(
    session: AsyncSession, request_id: UUID, state: ReservationState, *, now: datetime
) -> None:
    reservation = await repository.reservation_of(session, request_id)
    reservation.state = state
    reservation.settled_at = now
