"""Disputes: a question about a day or an item, and how two people settled it.

A dispute changes no books: entries are only added to, by the payments themselves. It says who asked what, what was
found out, and who agreed to that.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.access import Principal
from shared.capability import Action
from shared.clearing.models import (
    ClearingDifference,
    ClearingDispute,
    ClearingStatement,
    DisputeState,
)
from shared.clearing.problems import (
    DisputeAlreadyOpen,
    DisputeNotFound,
    DisputeStateUnfit,
    NothingToDispute,
)
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.kernel.listing import Listing, Sort
from shared.kernel.preconditions import require_version
from shared.kernel.second_person import SecondPersonNeeded

OPENED = Action("clearing.disputed", Text("A day or an item was disputed", "提出清算争议"))
PROPOSED = Action(
    "clearing.resolution_proposed", Text("A resolution was proposed", "提出争议处理意见")
)
RESOLVED = Action("clearing.resolved", Text("A dispute was resolved", "清算争议已处理"))
ACTIONS = (OPENED, PROPOSED, RESOLVED)

DISPUTES = Listing(
    source="clearing_dispute d",
    key=Sort("d.id", "uuid"),
    columns={
        name: f"d.{name}"
        for name in (
            *("id", "neighbour", "day", "request_id", "reason", "state", "opened_by", "opened_at"),
            *("resolution", "proposed_by", "proposed_at", "resolved_by", "resolved_at", "version"),
        )
    },
    sorts={"opened_at": Sort("d.opened_at", "timestamptz")},
    filters={
        "id": "d.id = {}",
        "neighbour": "d.neighbour = {}",
        "day": "d.day = {}",
        "state": "d.state = {}",
        "request_id": "d.request_id = {}",
    },
)


async def open_dispute(
    session: AsyncSession,
    principal: Principal,
    *,
    neighbour: str,
    day: date,
    request_id: UUID | None,
    reason: str,
    now: datetime,
) -> UUID:
    """Dispute a day with a neighbour, or one item of it that differs.

    Raises:
        NothingToDispute: if there is no such statement or difference (422).
        DisputeAlreadyOpen: if somebody has (409).
    """
    # The statement's row is what two who dispute at once wait at.
    statement = await session.scalar(
        select(ClearingStatement)
        .where(ClearingStatement.neighbour == neighbour, ClearingStatement.day == day)
        .with_for_update()
    )
    if statement is None or not await _differs(session, neighbour, day, request_id):
        raise NothingToDispute(neighbour=neighbour, day=day)
    present = await session.scalar(
        select(ClearingDispute).where(
            ClearingDispute.neighbour == neighbour,
            ClearingDispute.day == day,
            ClearingDispute.request_id.is_not_distinct_from(request_id),
            ClearingDispute.state != DisputeState.RESOLVED,
        )
    )
    if present is not None:
        raise DisputeAlreadyOpen(dispute=present.id)
    row = ClearingDispute(
        id=new_id(),
        neighbour=neighbour,
        day=day,
        request_id=request_id,
        reason=reason,
        state=DisputeState.OPEN.value,
        opened_by=principal.username,
        opened_at=now,
        version=1,
    )
    session.add(row)
    _tell(session, principal, OPENED, row, now=now)
    await session.flush()  # the answer is read by SQL in this transaction
    return row.id


async def _differs(
    session: AsyncSession, neighbour: str, day: date, request_id: UUID | None
) -> bool:
    if request_id is None:
        return True
    found = await session.scalar(
        select(ClearingDifference.request_id).where(
            ClearingDifference.neighbour == neighbour,
            ClearingDifference.day == day,
            ClearingDifference.request_id == request_id,
        )
    )
    return found is not None


async def propose(
    session: AsyncSession,
    principal: Principal,
    dispute_id: UUID,
    resolution: str,
    *,
    expected: int,
    now: datetime,
) -> None:
    """Say how the dispute is to be settled; a second person has to agree.

    Raises:
        DisputeNotFound: if there is none (404).
        VersionStale: if it was changed since (412).
        DisputeStateUnfit: if it is resolved (409).
    """
    row = await _locked(session, dispute_id, expected)
    if row.state == DisputeState.RESOLVED:
        raise DisputeStateUnfit(state=row.state, needed="open or proposed")
    row.resolution, row.proposed_by, row.proposed_at = resolution, principal.username, now
    row.state = DisputeState.PROPOSED.value
    row.version += 1
    _tell(session, principal, PROPOSED, row, now=now)
    await session.flush()  # the answer is read by SQL in this transaction


async def resolve(
    session: AsyncSession, principal: Principal, dispute_id: UUID, *, expected: int, now: datetime
) -> None:
    """Agree to what somebody else has proposed.

    Raises:
        DisputeNotFound: if there is none (404).
        VersionStale: if it was changed since (412).
        DisputeStateUnfit: if nothing is proposed (409).
        SecondPersonNeeded: if the caller proposed it (403).
    """
    row = await _locked(session, dispute_id, expected)
    if row.state != DisputeState.PROPOSED:
        raise DisputeStateUnfit(state=row.state, needed=DisputeState.PROPOSED.value)
    if row.proposed_by == principal.username:
        raise SecondPersonNeeded(by=row.proposed_by)
    row.state = DisputeState.RESOLVED.value
    row.resolved_by, row.resolved_at = principal.username, now
    row.version += 1
    _tell(session, principal, RESOLVED, row, now=now)
    await session.flush()  # the answer is read by SQL in this transaction


async def _locked(session: AsyncSession, dispute_id: UUID, expected: int) -> ClearingDispute:
    query = select(ClearingDispute).where(ClearingDispute.id == dispute_id).with_for_update()
    row = await session.scalar(query.execution_options(populate_existing=True))
    if row is None:
        raise DisputeNotFound(dispute=dispute_id)
    require_version(row.version, expected)
    return row


def _tell(
    session: AsyncSession,
    principal: Principal,
    action: Action,
    row: ClearingDispute,
    *,
    now: datetime,
) -> None:
    audit.record(
        session,
        audit.Actor.of(principal),
        action,
        at=now,
        subject=("clearing_dispute", row.id),
        detail={"neighbour": row.neighbour, "day": row.day.isoformat()},
    )
