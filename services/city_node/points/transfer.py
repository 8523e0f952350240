"""One customer gives points to another: they are neither made nor lost, and expire when they would have."""

from uuid import UUID

from services.city_node.customer.models import Library
from services.city_node.customer.problems import CustomerRetained
from services.city_node.customer.service import Desk
from services.city_node.points import ledger
from services.city_node.points.audited import TRANSFERRED
from services.city_node.points.models import PointsTransfer
from services.city_node.points.problems import (
    PointsFew,
    PointsInsufficient,
    TransfersNotAllowed,
    TransferToItself,
)
from services.city_node.points.schemas import TransferCreate, TransferOut
from shared import audit
from shared.kernel.database import driver_connection
from shared.kernel.ids import new_id
from shared.kernel.problems import Fault
from shared.policy.kinds.points import POINTS
from shared.policy.service import in_force


async def transfer(desk: Desk, giver_id: UUID, body: TransferCreate) -> TransferOut:
    """Move points from one customer to another, both of the caller's scope.

    Raises:
        TransferToItself, PointsFew: if it makes no sense (422).
        TransfersNotAllowed: if the policy does not let customers do so (409).
        CustomerNotFound: if one is not in the caller's scope (404).
        CustomerRetained: if one has left (409).
        PointsFrozen, PointsInsufficient: if the giver cannot give so many (409).
    """
    if body.receiver_id == giver_id:
        raise TransferToItself
    policy = await in_force(desk.session, POINTS, on=desk.today, node=desk.node)
    terms = policy.document.transfers
    if not terms.allowed:
        raise TransfersNotAllowed(policy=policy.reference)
    if body.points < terms.minimum:
        raise PointsFew(
            faults=[Fault("/points", "too few")], minimum=terms.minimum, points=body.points
        )
    connection = await driver_connection(desk.session)
    await ledger.open_account(connection, body.receiver_id, at=desk.now)
    both = [giver_id, body.receiver_id]
    holders = await ledger.lock(connection, both, desk.principal.unit_path)
    giver, receiver = holders[giver_id], holders[body.receiver_id]
    giver.require_free()
    if receiver.library != Library.IN_NETWORK or receiver.primary is None:
        raise CustomerRetained(str(receiver.customer_id), receiver.left_on)
    if giver.primary is None:
        raise PointsInsufficient(customer=giver_id, available=0, needed=body.points)
    done = PointsTransfer(
        id=new_id(),
        giver_id=giver.primary,
        receiver_id=receiver.primary,
        points=body.points,
        note=body.note,
        at=desk.now,
        by=desk.principal.username,
    )
    desk.session.add(done)
    await ledger.move(
        connection,
        giver,
        receiver.primary,
        body.points,
        cause_id=done.id,
        today=desk.today,
        at=desk.now,
    )
    actor = audit.Actor.of(desk.principal)
    for customer in both:
        audit.record(
            desk.session, actor, TRANSFERRED, at=desk.now, subject=("customer", customer),
            cause_id=done.id, detail={"points": body.points},
        )  # fmt: skip
    return TransferOut(
        id=done.id,
        giver_id=giver_id,
        receiver_id=body.receiver_id,
        points=body.points,
        at=desk.now,
    )
