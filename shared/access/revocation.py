"""Ending sessions, so that every worker of the node hears of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.access.models import RevokedSession
from shared.access.tokens import TokenKeeper
from shared.kernel.database import notify

CHANNEL = "guanxi_revoked"
LONGEST_LIFE = timedelta(hours=3)
"""Longer than any access token may live: the setting's limit is two hours."""


async def revoke_sessions(
    session: AsyncSession,
    session_ids: Sequence[UUID],
    *,
    now: datetime,
    tokens: TokenKeeper | None = None,
) -> None:
    """End sessions in ``session``'s transaction; the other workers hear of it when that commits.

    Args:
        session: the transaction of the change that ends them.
        session_ids: the sessions.
        now: the present moment.
        tokens: the keeper of the worker that answers, which then refuses their tokens before the answer is sent.
            Should the commit fail, it refuses them all the same: the safe side.
    """
    if not session_ids:
        return
    until = now + LONGEST_LIFE
    await session.execute(
        insert(RevokedSession)
        .values([{"session_id": session_id, "until": until} for session_id in session_ids])
        .on_conflict_do_nothing()
    )
    for session_id in session_ids:
        await notify(session, CHANNEL, f"{session_id} {until.isoformat()}")
        if tokens is not None:
            tokens.revoke(session_id, until)


async def forget_revoked(session: AsyncSession, *, now: datetime) -> None:
    """Delete the revocations whose tokens have all expired."""
    await session.execute(delete(RevokedSession).where(RevokedSession.until <= now))
