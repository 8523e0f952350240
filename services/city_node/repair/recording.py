"""A repair on the record of the home node's customer."""

from datetime import date

from services.city_node.customer.audited import record_change
from services.city_node.customer.history import Changes, change_row
from services.city_node.customer.models import (
    ERASED,
    ChangeAction,
    ChangeSource,
    Customer,
    Subscription,
    SubscriptionStatus,
)
from services.city_node.repair import cost, repository
from services.city_node.repair.models import PromiseState, RepairPromise, RepairRecord
from services.city_node.repair.schemas import Device
from services.city_node.repair.wire import Closed
from services.city_node.service_request.models import ServiceRequest
from shared import audit
from shared.federation.delivery import Delivery

GONE = "—"
"""What stands for the handset of a customer who was erased while it was in the workshop."""


async def record(
    delivery: Delivery,
    request: ServiceRequest,
    data: Closed,
    replacement: Device | None,
    *,
    day: date,
) -> RepairRecord:
    """Use the promise made to a locked request: the repair stands on the customer's record, a new handset on the line.

    What the customer paid, they paid: this city bears its share, and no more than the rest of the cost.

    Args:
        delivery: the message that tells of the end of the repair.
        request: the locked request.
        data: what it tells.
        replacement: the handset that the customer was given instead.
        day: the business day on which it is cleared.
    """
    session, now = delivery.session, delivery.now
    promise = await repository.promise_of(session, request.id)
    customer = None
    if promise.customer_id is not None:
        customer = await repository.lock_customer(session, promise.customer_id)
    kept = customer is None or customer.library != ERASED
    due = cost.home_part(
        data.total_fen, share_permille=promise.home_share_permille, cap_fen=promise.cap_fen
    )
    parts = cost.settled(data.total_fen, data.customer_fen, due)
    done = RepairRecord(
        request_id=request.id,
        customer_id=promise.customer_id,
        subscription_id=promise.subscription_id,
        visited=request.visited,
        handset=f"{promise.make} {promise.model}" if kept else GONE,
        imei=promise.imei if kept else GONE,
        fault=promise.fault if kept else GONE,
        level=promise.level,
        in_warranty=promise.in_warranty,
        result=data.result,
        replacement=f"{replacement.make} {replacement.model}" if replacement and kept else None,
        replacement_imei=replacement.imei if replacement and kept else None,
        parts=[part.model_dump() for part in data.parts],
        labour_fen=data.labour_fen,
        total_fen=data.total_fen,
        customer_fen=parts.customer_fen,
        home_fen=parts.home_fen,
        visited_fen=parts.visited_fen,
        claimed_fen=data.home_fen,
        days=data.days,
        recorded_at=now,
        business_day=day,
    )
    session.add(done)
    promise.state, promise.settled_at = PromiseState.USED, now
    if customer is not None and kept:
        await _into_history(delivery, customer, promise, done, replacement)
    return done


async def _into_history(
    delivery: Delivery,
    customer: Customer,
    promise: RepairPromise,
    done: RepairRecord,
    replacement: Device | None,
) -> None:
    session, now, visited = delivery.session, delivery.now, done.visited
    changes: Changes = [
        {"field": f"repairs/{done.request_id}/result", "old": None, "new": done.result}
    ]
    if replacement is not None and promise.subscription_id is not None:
        line = await repository.subscription(session, promise.subscription_id)
        changes += _onto_line(line, promise, replacement)
    row = change_row(
        customer,
        ChangeAction.CHANGED,
        changes,
        at=now,
        by=visited,
        source=ChangeSource.MESSAGE,
        cause_id=delivery.message.id,
    )
    session.add(row)
    record_change(
        session,
        audit.Actor.peer(visited),
        ChangeAction.CHANGED,
        customer.id,
        changes,
        at=now,
        cause_id=delivery.message.id,
    )


def _onto_line(line: Subscription, promise: RepairPromise, replacement: Device) -> Changes:
    """Put the new handset onto the line, unless another than the broken one is used with it."""
    if line.status == SubscriptionStatus.ENDED or line.imei not in {None, promise.imei}:
        return []
    name = f"{replacement.make} {replacement.model}"
    path = f"subscriptions/{line.msisdn}"
    changes: Changes = [
        {"field": f"{path}/handset", "old": line.handset, "new": name},
        {"field": f"{path}/imei", "old": line.imei, "new": replacement.imei},
    ]
    line.handset, line.imei = name, replacement.imei
    return changes
