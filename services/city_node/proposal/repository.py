"""The queries of those who propose and decide."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.proposal.models import CustomerProposal, ProposalState
from services.city_node.proposal.problems import ProposalNotFound


async def pending(session: AsyncSession, customer_id: UUID) -> CustomerProposal | None:
    """Return the proposal that waits about a customer; the customer must be locked."""
    found: CustomerProposal | None = await session.scalar(
        select(CustomerProposal).where(
            CustomerProposal.customer_id == customer_id,
            CustomerProposal.state == ProposalState.PENDING,
        )
    )
    return found


async def customer_of(session: AsyncSession, proposal_id: UUID) -> UUID:
    """Return whom a proposal is about.

    Raises:
        ProposalNotFound: if there is none (404).
    """
    found: UUID | None = await session.scalar(
        select(CustomerProposal.customer_id).where(CustomerProposal.id == proposal_id)
    )
    if found is None:
        raise ProposalNotFound(proposal=proposal_id)
    return found


async def lock_proposal(session: AsyncSession, proposal_id: UUID) -> CustomerProposal:
    """Return a proposal, locked; its customer must be locked before."""
    return await session.get_one(CustomerProposal, proposal_id, with_for_update=True)


async def expire(session: AsyncSession, *, now: datetime) -> int:
    """Let proposals expire whose time is over; return how many."""
    result: Any = await session.execute(
        update(CustomerProposal)
        .where(CustomerProposal.state == ProposalState.PENDING, CustomerProposal.expires_at <= now)
        .values(
            state=ProposalState.EXPIRED.value,
            decided_at=now,
            decided_by="job:expire-proposals",
            sealed=None,
            version=CustomerProposal.version + 1,
        )
    )
    return int(result.rowcount)


async def write(session: AsyncSession) -> None:
    """Write what was changed so far: one proposal ends before the next takes its place."""
    await session.flush()


def add(session: AsyncSession, row: CustomerProposal) -> None:
    """Add a row, written with the next flush."""
    session.add(row)
