"""The queries of those who propose and decide."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.history import Changes
from services.city_node.proposal.models import CustomerProposal, ProposalState
from services.city_node.proposal.problems import ProposalNotFound
from shared.access import Principal


async def pending(
    connection: asyncpg.Connection, customer_id: UUID
) -> tuple[UUID, UUID, str] | None:
    """Return id, proposer and the proposer's name of the proposal that waits about a locked customer, if one does."""
    row = await connection.fetchrow(
        "SELECT id, proposer_id, proposed_by FROM customer_proposal WHERE customer_id = $1 AND state = 'pending'",
        customer_id,
    )
    return tuple(row) if row else None


async def insert(
    connection: asyncpg.Connection,
    proposal_id: UUID,
    customer_id: UUID,
    *,
    changes: Changes,
    sealed: bytes,
    seen: str,
    seen_version: int,
    proposer: Principal,
    at: datetime,
    expires_at: datetime,
) -> None:
    """Add a proposal that waits about a locked customer, about whom no other does."""
    await connection.execute(
        """
        INSERT INTO customer_proposal
          (id, customer_id, state, changes, sealed, seen, seen_version, proposed_at, proposed_by, proposer_id,
           expires_at, version)
        VALUES ($1, $2, 'pending', $3, $4, $5, $6, $7, $8, $9, $10, 1)""",
        proposal_id, customer_id, orjson.dumps(changes).decode(), sealed, seen, seen_version, at,
        proposer.username, proposer.id, expires_at,
    )  # fmt: skip


async def decide(
    connection: asyncpg.Connection,
    proposal_id: UUID,
    state: ProposalState,
    *,
    at: datetime,
    by: str,
    reason: str | None = None,
) -> None:
    """End a proposal whose customer is locked; what was proposed is forgotten."""
    await connection.execute(
        """
        UPDATE customer_proposal
        SET state = $2, decided_at = $3, decided_by = $4, decision = $5, sealed = NULL, version = version + 1
        WHERE id = $1""",
        proposal_id,
        state.value,
        at,
        by,
        reason,
    )


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
