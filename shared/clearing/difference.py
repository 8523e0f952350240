"""Naming what two neighbours do not have alike, and noting when they have."""

from collections.abc import Container, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clearing import repository
from shared.clearing.models import ClearingDifference, ItemKind
from shared.clearing.repository import portion_of

Amounts = Mapping[tuple[UUID, ItemKind], int]
"""What the neighbour owes for each item, by somebody's books."""


async def name_differences(
    session: AsyncSession,
    neighbour: str,
    day: date,
    ours: Amounts,
    theirs: Amounts,
    *,
    portions: Container[str],
    now: datetime,
) -> Sequence[ClearingDifference]:
    """Keep what differs of some portions of a day, and note what does no longer.

    Returns:
        What differs of these portions now.
    """
    differing = {
        item: (ours.get(item), theirs.get(item))
        for item in {*ours, *theirs}
        if ours.get(item) != theirs.get(item)
    }
    known = {
        (row.request_id, ItemKind(row.kind)): row
        for row in await repository.differences_of(session, neighbour, day)
    }
    for item, row in known.items():
        if item not in differing and portion_of(item[0]) in portions and row.settled_at is None:
            row.settled_at = now
    named = []
    for (request_id, kind), (our_fen, their_fen) in sorted(differing.items()):
        row = known.get((request_id, kind)) or ClearingDifference(
            neighbour=neighbour, day=day, request_id=request_id, kind=kind.value, found_at=now
        )
        row.our_fen, row.their_fen, row.settled_at = our_fen, their_fen, None
        session.add(row)
        named.append(row)
    await session.flush()  # a dispute may refer to them
    return named


async def settle_differences(
    session: AsyncSession,
    neighbour: str,
    day: date,
    *,
    now: datetime,
    but: Container[str] = (),
) -> None:
    """Note that the two have a day alike, ``but`` for some portions."""
    for row in await repository.differences_of(session, neighbour, day):
        if row.settled_at is None and portion_of(row.request_id) not in but:
            row.settled_at = now
