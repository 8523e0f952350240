"""Every query of transfers beside those of the record itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import ERASED, Customer
from services.city_node.customer.ownership import CustomerOwnership, OwnershipState
from services.city_node.service_request.kind import Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.transfer.kind import KIND, Reason
from services.city_node.transfer.models import TransferCase, TransferChunk

# The old home

# In the order in which they are told: what the customer can settle at once comes first.
_OBJECTIONS = {
    Reason.BILLS_UNPAID: "SELECT FROM bill WHERE customer_id = $1 AND paid_on IS NULL AND charge_fen > 0",
    Reason.BALANCE_LEFT: "SELECT FROM billing_account b JOIN subscription s ON s.id = b.subscription_id "
    "WHERE s.customer_id = $1 AND b.balance_fen <> 0",
    Reason.AGREEMENT_RUNNING: "SELECT FROM agreement WHERE customer_id = $1 AND starts_on <= $2 "
    "AND (expires_on IS NULL OR expires_on >= $2 OR auto_renews)",
    Reason.GROUP_MEMBER: "SELECT FROM group_member WHERE $1 IN (customer_id, member_id) AND (until IS NULL OR until > $2)",
    Reason.REPLACEMENT_UNDER_WAY: "SELECT FROM sim_switch_reservation r JOIN subscription s ON s.id = r.subscription_id "
    "WHERE s.customer_id = $1 AND r.state = 'held' "
    # The network has not heard of the last card yet: another city's word must not overtake it.
    "UNION ALL SELECT FROM port_call p JOIN subscription s ON p.ordering_key = s.id::text "
    "WHERE s.customer_id = $1 AND p.state IN ('waiting', 'handed_over')",
    Reason.POINTS_BOUND: "SELECT FROM points_account WHERE customer_id = $1 AND frozen_at IS NOT NULL "
    "UNION ALL SELECT FROM redemption WHERE customer_id = $1 AND state = 'open' "
    "UNION ALL SELECT FROM points_adjustment WHERE customer_id = $1 AND state = 'pending'",
    Reason.MATTER_OPEN: "SELECT FROM customer_proposal WHERE customer_id = $1 AND state = 'pending' "
    "UNION ALL SELECT FROM level_appointment WHERE customer_id = $1 AND state = 'proposed' "
    "UNION ALL SELECT FROM subject_request WHERE customer_id = $1 AND ended_at IS NULL",
    Reason.REPAIR_UNDER_WAY: "SELECT FROM repair_promise WHERE customer_id = $1 AND state = 'held'",
    Reason.LEGAL_HOLD: "SELECT FROM legal_hold WHERE customer_id = $1 AND lifted_at IS NULL",
}


async def objection(
    connection: asyncpg.Connection, customer_id: UUID, today: object
) -> Reason | None:
    """Return what keeps a customer who is locked from moving; every reason is looked at in one statement."""
    cases = " ".join(
        f"WHEN EXISTS ({query.replace('$2', '$2::date')}) THEN '{reason}'"
        for reason, query in _OBJECTIONS.items()
    )
    found: str | None = await connection.fetchval(
        f"SELECT CASE {cases} END WHERE $2::date IS NOT NULL",
        customer_id,
        today,
    )
    return None if found is None else Reason(found)


async def lock_customer(session: AsyncSession, customer_id: UUID) -> Customer | None:
    """Return a customer, locked until the transaction ends."""
    return await session.get(Customer, customer_id, with_for_update=True, populate_existing=True)


async def left_by(session: AsyncSession, transfer_id: UUID) -> CustomerOwnership | None:
    """Return the customer whom a transfer has taken away from this city, if it has."""
    query = select(CustomerOwnership).where(
        CustomerOwnership.transfer_id == transfer_id,
        CustomerOwnership.state == OwnershipState.LEFT,
    )
    found: CustomerOwnership | None = await session.scalar(query)
    return found


# The new home


async def knows_document(session: AsyncSession, indexes: Sequence[bytes]) -> bool:
    """Tell whether somebody of this city has that document, and not merely a copy of the record is here."""
    query = (
        select(Customer.id)
        .outerjoin(CustomerOwnership, CustomerOwnership.customer_id == Customer.id)
        .where(
            Customer.document_index.in_(indexes),
            Customer.library != ERASED,
            or_(CustomerOwnership.state.is_(None), CustomerOwnership.state != OwnershipState.LEFT),
        )
    )
    return await session.scalar(query.limit(1)) is not None


async def keep_chunk(
    session: AsyncSession, request_id: UUID, number: int, sealed: str, *, at: datetime
) -> None:
    """Keep a piece of a record; one that is here already stays as it is."""
    row = {"request_id": request_id, "number": number, "sealed": sealed, "came_at": at}
    await session.execute(insert(TransferChunk).values(row).on_conflict_do_nothing())


async def count_chunks(session: AsyncSession, request_id: UUID) -> int:
    """Return how many pieces have come."""
    query = select(func.count()).where(TransferChunk.request_id == request_id)
    return (await session.execute(query)).scalar_one()


async def chunks_of(session: AsyncSession, request_id: UUID) -> Sequence[tuple[int, str]]:
    """Return the pieces of a record, in order."""
    query = select(TransferChunk.number, TransferChunk.sealed).where(
        TransferChunk.request_id == request_id
    )
    rows = await session.execute(query.order_by(TransferChunk.number))
    return [(number, sealed) for number, sealed in rows]


async def forget_record(session: AsyncSession, request_id: UUID) -> None:
    """Forget what came of a record, and what was kept for its arrival."""
    await session.execute(delete(TransferChunk).where(TransferChunk.request_id == request_id))
    case = await case_of(session, request_id)
    case.memo = case.word = None


# Both ends


async def case_of(session: AsyncSession, request_id: UUID) -> TransferCase:
    """Return what this end knows of a transfer, whose request is locked."""
    return await session.get_one(TransferCase, request_id)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transfer that waits for somebody else's word."""

    id: UUID
    role: Party


_WAITS = ((Party.HOME, "moving"), (Party.VISITED, "prepared"))


async def waiting(
    session: AsyncSession, *, unchanged_since: datetime, now: datetime, limit: int
) -> Sequence[Waiting]:
    """Return transfers that wait: for HQ for some time, or for the new home's word past its deadline."""
    waits = [
        (ServiceRequest.role == role.value) & (ServiceRequest.state == state)
        for role, state in _WAITS
    ]
    overdue = (
        (ServiceRequest.role == Party.HOME.value)
        & (ServiceRequest.state == "offered")
        & (ServiceRequest.deadline <= now)
    )
    query = (
        select(ServiceRequest.id, ServiceRequest.role)
        .where(
            ServiceRequest.kind == KIND.code,
            ServiceRequest.ended_at.is_(None),
            ServiceRequest.updated_at <= unchanged_since,
            or_(*waits, overdue),
        )
        .order_by(ServiceRequest.updated_at)
        .limit(limit)
    )
    return [Waiting(row[0], Party(row[1])) for row in await session.execute(query)]
