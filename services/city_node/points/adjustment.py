"""Adjusting points by hand: a few at once, more only with a second person."""

from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.profile import SOURCE
from services.city_node.customer.service import Desk
from services.city_node.points import ledger
from services.city_node.points.audited import ADJUSTED, ASKED, REJECTED
from services.city_node.points.chart import EntryKind, SystemAccount
from services.city_node.points.models import AdjustmentState, PointsAdjustment
from services.city_node.points.problems import AdjustmentDecided, AdjustmentNotFound
from services.city_node.points.schemas import AdjustmentCreate
from shared import audit
from shared.capability import Action
from shared.kernel.database import driver_connection
from shared.kernel.ids import new_id
from shared.kernel.listing import Listing, Sort
from shared.kernel.preconditions import require_version
from shared.kernel.second_person import SecondPersonNeeded
from shared.policy.kinds.points import POINTS
from shared.policy.service import in_force

# ruff: noqa: S608 - put together from declarations, never from input
_FIELDS = (
    *("id", "customer_id", "points", "reason", "state", "requested_at", "requested_by"),
    *("decided_at", "decided_by", "decision", "version"),
)
_SOURCE = f"points_adjustment j JOIN {SOURCE.replace('customer c', 'customer c ON c.id = j.customer_id', 1)}"
adjustments = Listing(
    source=_SOURCE,
    key=Sort("j.id", "uuid"),
    columns={name: f"j.{name}" for name in _FIELDS},
    sorts={"requested_at": Sort("j.requested_at", "timestamptz")},
    filters={
        "scope": "starts_with(u.path, {})",
        "id": "j.id = {}",
        "customer": "j.customer_id = {}",
        "state": "j.state = {}",
    },
)
"""The adjustments of a node."""


async def adjust(desk: Desk, customer_id: UUID, body: AdjustmentCreate) -> UUID:
    """Adjust a customer's points, or ask for it if the policy wants a second person; return the adjustment's id.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        PointsInsufficient: if more were taken away than there are (409).
    """
    policy = (await in_force(desk.session, POINTS, on=desk.today, node=desk.node)).document
    connection = await driver_connection(desk.session)
    if body.points > 0:
        await ledger.open_account(connection, customer_id, at=desk.now)
    holder = (await ledger.lock(connection, [customer_id], desk.principal.unit_path))[customer_id]
    row = PointsAdjustment(
        id=new_id(),
        customer_id=customer_id,
        points=body.points,
        reason=body.reason,
        state=AdjustmentState.PENDING.value,
        requested_at=desk.now,
        requested_by=desk.principal.username,
        requester_id=desk.principal.id,
        version=1,
    )
    desk.session.add(row)
    if abs(body.points) > policy.adjustment_limit:
        _record(desk, ASKED, row)
    else:
        await _carry_out(desk, row, holder)
    await desk.session.flush()  # what is answered is read by SQL
    return row.id


async def approve(desk: Desk, adjustment_id: UUID, expected: int) -> None:
    """Carry out what somebody else asked for.

    Raises:
        AdjustmentNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was decided since (412).
        AdjustmentDecided: if it is not pending (409).
        SecondPersonNeeded: if the caller asked for it (403).
        PointsInsufficient: if there are not so many points any more (409).
    """
    customer_id = await _customer_of(desk, adjustment_id)
    connection = await driver_connection(desk.session)
    await ledger.open_account(connection, customer_id, at=desk.now)
    holder = (await ledger.lock(connection, [customer_id], desk.principal.unit_path))[customer_id]
    row = await _pending(desk, adjustment_id, expected)
    row.version += 1
    await _carry_out(desk, row, holder)


async def reject(desk: Desk, adjustment_id: UUID, expected: int, reason: str) -> None:
    """Decide that it is not done.

    Raises:
        AdjustmentNotFound, VersionStale, AdjustmentDecided, SecondPersonNeeded: as :func:`approve`.
    """
    await _customer_of(desk, adjustment_id)
    row = await _pending(desk, adjustment_id, expected)
    row.state, row.decision = AdjustmentState.REJECTED.value, reason
    row.decided_at, row.decided_by = desk.now, desk.principal.username
    row.version += 1
    _record(desk, REJECTED, row)


async def _carry_out(desk: Desk, row: PointsAdjustment, holder: ledger.Holder) -> None:
    connection = await driver_connection(desk.session)
    if row.points > 0:
        assert holder.primary is not None  # noqa: S101 - opened before the lock
        # The policy of this day, whenever it was asked for: points live from when they are given.
        policy = (await in_force(desk.session, POINTS, on=desk.today, node=desk.node)).document
        await ledger.give(
            connection,
            holder.primary,
            row.points,
            expires_on=policy.expires_on(desk.today),
            cause_id=row.id,
            at=desk.now,
        )
    else:
        await ledger.take(
            connection,
            holder,
            -row.points,
            kind=EntryKind.ADJUSTMENT,
            to=SystemAccount.ADJUSTED,
            cause_id=row.id,
            today=desk.today,
            at=desk.now,
        )
    row.state = AdjustmentState.DONE.value
    row.decided_at, row.decided_by = desk.now, desk.principal.username
    _record(desk, ADJUSTED, row)


async def _customer_of(desk: Desk, adjustment_id: UUID) -> UUID:
    found: UUID | None = await desk.session.scalar(
        text(
            f"SELECT j.customer_id FROM {_SOURCE} WHERE j.id = :id AND starts_with(u.path, :path)"
        ),
        {"id": adjustment_id, "path": desk.principal.unit_path},
    )
    if found is None:
        raise AdjustmentNotFound(adjustment=adjustment_id)
    return found


async def _pending(desk: Desk, adjustment_id: UUID, expected: int) -> PointsAdjustment:
    row = await _locked(desk.session, adjustment_id)
    require_version(row.version, expected)
    if row.state != AdjustmentState.PENDING:
        raise AdjustmentDecided(state=row.state)
    if desk.principal.id == row.requester_id or desk.principal.username == row.requested_by:
        raise SecondPersonNeeded(by=row.requested_by)
    return row


async def _locked(session: AsyncSession, adjustment_id: UUID) -> PointsAdjustment:
    query = select(PointsAdjustment).where(PointsAdjustment.id == adjustment_id).with_for_update()
    return (await session.scalars(query)).one()


def _record(desk: Desk, action: Action, row: PointsAdjustment) -> None:
    audit.record(
        desk.session,
        audit.Actor.of(desk.principal),
        action,
        at=desk.now,
        subject=("customer", row.customer_id),
        cause_id=row.id,
        detail={"points": row.points},
    )
