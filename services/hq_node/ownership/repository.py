"""The queries of the directory. One of them moves ownership."""

from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.hq_node.ownership.models import Ownership, OwnershipChange
from shared.ownership import FIRST_EPOCH, MoveAsked

# Two who ask for the same customer meet at the row, or at its key while there is none: the second of them sees what the
# first has made of it, and compares with that. In epoch 1 there is no row yet; in a later one there must be.
_MOVE = text(f"""
    INSERT INTO ownership (customer_id, owner, epoch, since, transfer_id)
    SELECT :customer, :to, CAST(:epoch AS bigint) + 1, :at, :transfer
    WHERE CAST(:epoch AS bigint) = {FIRST_EPOCH} OR EXISTS (SELECT FROM ownership WHERE customer_id = :customer)
    ON CONFLICT (customer_id) DO UPDATE
    SET owner = excluded.owner, epoch = excluded.epoch, since = excluded.since, transfer_id = excluded.transfer_id
    WHERE ownership.owner = :owner AND ownership.epoch = :epoch
    RETURNING epoch""")  # noqa: S608 - a constant
_HISTORY = """
    SELECT coalesce(json_agg(json_build_object(
        'epoch', h.epoch, 'owner', h.owner, 'former_owner', h.former_owner, 'transfer_id', h.transfer_id, 'at', h.at)
        ORDER BY h.epoch), '[]')
    FROM ownership_change h WHERE h.customer_id = o.customer_id"""
_READ = f"""
    SELECT json_build_object('customer_id', o.customer_id, 'owner', o.owner, 'epoch', o.epoch, 'since', o.since,
                             'transfer_id', o.transfer_id, 'history', ({_HISTORY}))::text
    FROM ownership o WHERE o.customer_id = $1"""  # noqa: S608 - declared here
_KNOW_AGAIN = text("""
    INSERT INTO ownership (customer_id, owner, epoch, since, transfer_id)
    VALUES (:customer, :to, :epoch, :at, :transfer)
    ON CONFLICT (customer_id) DO UPDATE
    SET owner = excluded.owner, epoch = excluded.epoch, since = excluded.since, transfer_id = excluded.transfer_id
    WHERE ownership.epoch < excluded.epoch""")
_NOTE_AGAIN = text("""
    INSERT INTO ownership_change (customer_id, epoch, owner, former_owner, transfer_id, at)
    VALUES (:customer, :epoch, :to, :owner, :transfer, :at) ON CONFLICT DO NOTHING""")


async def compare_and_swap(
    session: AsyncSession, asked: MoveAsked, owner: str, *, at: datetime
) -> bool:
    """Move ownership if ``owner`` has the customer in the epoch that it names, and tell whether it did."""
    moved = await session.scalar(
        _MOVE,
        {
            "customer": asked.customer_id,
            "owner": owner,
            "epoch": asked.epoch,
            "to": asked.to,
            "transfer": asked.transfer_id,
            "at": at,
        },
    )
    if moved is None:
        return False
    session.add(
        OwnershipChange(
            customer_id=asked.customer_id,
            epoch=moved,
            owner=asked.to,
            former_owner=owner,
            transfer_id=asked.transfer_id,
            at=at,
        )
    )
    await session.flush()  # a history that contradicts it undoes the move, here
    return True


async def know_again(session: AsyncSession, change: OwnershipChange) -> None:
    """Enter a move that this node had made before its database was restored from a backup."""
    values = {
        "customer": change.customer_id,
        "owner": change.former_owner,
        "epoch": change.epoch,
        "to": change.owner,
        "transfer": change.transfer_id,
        "at": change.at,
    }
    await session.execute(_KNOW_AGAIN, values)
    await session.execute(_NOTE_AGAIN, values)


async def find(session: AsyncSession, customer_id: UUID) -> Ownership | None:
    """Return whose a customer is, if ownership has ever moved."""
    return await session.get(Ownership, customer_id, populate_existing=True)


async def change_by(session: AsyncSession, transfer_id: UUID) -> OwnershipChange | None:
    """Return the move that a transfer has made, if it has."""
    query = text("SELECT customer_id, epoch FROM ownership_change WHERE transfer_id = :transfer")
    row = (await session.execute(query, {"transfer": transfer_id})).one_or_none()
    return None if row is None else await session.get(OwnershipChange, (row[0], row[1]))


async def read(pool: asyncpg.Pool, customer_id: UUID) -> bytes | None:
    """Return whose a customer is with every move, as JSON; nothing if ownership has never moved."""
    found: str | None = await pool.fetchval(_READ, customer_id)
    return None if found is None else found.encode()
