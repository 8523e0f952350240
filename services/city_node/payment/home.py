"""What the home city does with a payment: credits the line once, or says why not.

Crediting is the commit point: in one transaction the balance rises, bills are paid, the line is resumed if nothing is
owed, the ledger books it and the answer is posted.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.billing_account import service as billing
from services.city_node.billing_account.service import Cause
from services.city_node.customer.models import ChangeSource
from services.city_node.customer.ownership import is_live
from services.city_node.payment import kind, outside, repository
from services.city_node.payment.kind import PAYMENT, Reason
from services.city_node.payment.models import PaymentCredit
from services.city_node.payment.problems import LineUnknown, PaymentHasLine
from services.city_node.payment.schemas import Credited, GivenBack, PaidFor, Taken
from services.city_node.service_request import messages, service
from services.city_node.service_request.home import HomeEnd
from services.city_node.service_request.kind import Kind, Party
from services.city_node.service_request.lines import Line, lock_line, lock_subscription
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import active_unit, has_heard, lock_within
from services.city_node.service_request.service import RequestNotFound, Step
from shared import audit
from shared.access import Principal
from shared.capability import NodeContext
from shared.clearing.ledger import Item, book_at_home
from shared.clearing.models import ItemKind
from shared.federation.delivery import Delivery
from shared.kernel.clock import business_day
from shared.kernel.encryption import mask
from shared.kernel.language import Text
from shared.kernel.problems import Fault

log = structlog.get_logger("payment")

END = HomeEnd(PAYMENT, kind.REFUSED)


async def hear_taken(context: NodeContext, delivery: Delivery, data: Taken) -> None:
    """Credit a payment, or refuse it. A node that was restored from a backup does again what it had said."""
    session = delivery.session
    if await messages.find(delivery, PAYMENT, data.request_id, Party.HOME) is not None:
        return  # decided and answered when it came first
    paid_for = END.open(context, delivery, data, "taken", PaidFor)
    line = await lock_line(session, paid_for.msisdn)
    had_credited = await context.post.answer_given(delivery, kind.CREDITED)
    reason, moved_to = None, None
    if had_credited is None:
        reason, moved_to = await _objection(context, delivery, line, paid_for)
    request = ServiceRequest(
        id=data.request_id,
        role=Party.HOME,
        home=context.settings.code,
        visited=delivery.message.source,
        subject=mask(paid_for.msisdn, 3, 4),
        deadline=delivery.now + PAYMENT.time_limit,
        data={
            "amount_fen": data.amount_fen,
            "taken_at": (data.taken_at or delivery.message.time).isoformat(),
        },
        unit_code=line.customer.unit_code if line else context.settings.code,
        created_by=delivery.message.source,
    )
    if reason is not None:
        step = END.refusal_step(context, delivery, reason)
        await service.begin(session, PAYMENT, request, step, journey=delivery.hops)
        await END.answer_no(context, delivery, request.id, reason, moved_to=moved_to)
        return
    words = Text("The money was credited to the line's account.", "款项已计入用户账户。")
    if line is None:
        words = Text(
            "This node had credited the money before it was restored from a backup, to a line that the backup does "
            "not have: find the line and settle with it by hand.",
            "本节点由备份恢复前已入账，但备份中没有该用户：请人工查明并处理。",
        )
        log.error("a payment was credited to a line that is lost", request_id=str(request.id))
    step = END.step(context, "credited", words, delivery.now, delivery.message.id)
    await service.begin(session, PAYMENT, request, step, journey=delivery.hops)
    credit = await _credit(context, delivery, request, data, line, had_credited)
    await _book(context, delivery, request, credit)
    said = {
        "amount_fen": credit.amount_fen,
        "business_day": credit.business_day.isoformat(),
        "credited_at": credit.credited_at.isoformat(),
    }
    await END.answer_yes(context, delivery, kind.CREDITED, request.id, said)


async def _objection(
    context: NodeContext, delivery: Delivery, line: Line | None, paid_for: PaidFor
) -> tuple[str | None, str | None]:
    """Return why the money is not credited, and where the customer has moved to."""
    session = delivery.session
    if line is None:
        return await END.missing(context, session, paid_for.msisdn, Reason.SUBSCRIPTION_UNKNOWN)
    if not await is_live(session, line.customer.id):
        return Reason.IN_TRANSFER, None
    if await context.post.has_answered(delivery, kind.REFUSED):
        return Reason.GIVEN_UP, None
    return None, None


async def _credit(  # noqa: PLR0917 - what it is made of
    context: NodeContext,
    delivery: Delivery,
    request: ServiceRequest,
    data: Taken,
    line: Line | None,
    had_credited: Mapping[str, Any] | None,
) -> PaymentCredit:
    """Credit the line, at the moment of a restored node's earlier word if it had given one."""
    at, day = delivery.now, business_day(delivery.now)
    if had_credited is not None:
        said = Credited.model_validate(had_credited)
        at, day = said.credited_at, said.business_day
    resumed = False
    if line is not None:
        cause = cause_of(delivery, request)
        resumed = await billing.credit(context, delivery.session, line, data.amount_fen, cause)
        await outside.follow_credit(
            context, delivery.session, request, line, data.amount_fen, now=delivery.now
        )
    credit = PaymentCredit(
        request_id=request.id,
        subscription_id=line.subscription.id if line else None,
        amount_fen=data.amount_fen,
        credited_at=at,
        business_day=day,
        resumed=resumed,
    )
    delivery.session.add(credit)
    return credit


async def _book(
    context: NodeContext, delivery: Delivery, request: ServiceRequest, credit: PaymentCredit
) -> None:
    item = Item(
        request.id,
        ItemKind.PAYMENT,
        credit.amount_fen,
        credit.business_day,
        request.home,
        request.visited,
    )
    await book_at_home(delivery.session, item, here=context.settings.code, now=delivery.now)


async def allocate(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    request_id: UUID,
    subscription_id: UUID,
    *,
    now: datetime,
) -> None:
    """Give a payment whose line a restored database has lost to the line that it belongs to.

    Raises:
        RequestNotFound: if there is no such payment in the caller's units (404).
        PaymentHasLine: if its line is known, or it was not credited, or was taken back (409).
        LineUnknown: if there is no such line in use in the caller's units (422).
    """
    path = principal.unit_path
    request = await lock_within(session, PAYMENT, Party.HOME, request_id, path)
    if request is None:
        raise RequestNotFound(id=request_id)
    credit = await repository.credit_of(session, request_id)
    if credit is None or credit.subscription_id is not None or credit.reversal_id is not None:
        raise PaymentHasLine(payment=request_id)
    line = await lock_subscription(session, subscription_id)
    if line is None or not await active_unit(session, line.customer.unit_code, path):
        faults = [Fault("/subscription_id", "no line in use of your units")]
        raise LineUnknown(faults=faults, subscription=subscription_id)
    cause = Cause(audit.Actor.of(principal), ChangeSource.REST, now, cause_id=request_id)
    credit.resumed = await billing.credit(context, session, line, credit.amount_fen, cause)
    await outside.follow_credit(context, session, request, line, credit.amount_fen, now=now)
    credit.subscription_id = line.subscription.id
    words = Text("The line was found and credited.", "已查明用户并入账。")
    await service.note(
        session,
        request,
        Step("allocated", Party.HOME, now, context.settings.code, principal.username, words),
    )


async def hear_given_back(delivery: Delivery, data: GivenBack, of: Kind) -> None:
    """Note in the trail that the visited city handed the cash out."""
    request = await messages.find(delivery, of, data.request_id, Party.HOME)
    if request is None or await has_heard(delivery.session, request.id, delivery.message.id):
        return
    service.record_journey(delivery.session, request, delivery.hops)
    words = Text("The visited city gave the money back.", "受理地已将款项退还。")
    step = messages.heard_step(delivery, request, "given-back", words)
    await service.note(delivery.session, request, step)


def cause_of(delivery: Delivery, request: ServiceRequest) -> Cause:
    """Return what a line's account and history name as the cause."""
    return Cause(
        audit.Actor.peer(request.visited),
        ChangeSource.MESSAGE,
        delivery.now,
        cause_id=request.id,
        message_id=delivery.message.id,
    )
