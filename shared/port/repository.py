"""Every query about ports."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from shared.kernel.listing import Listing, Sort
from shared.port.models import OPEN, CallState, PortCall, PortTrouble

FIELDS = (
    *(
        "id",
        "number",
        "port",
        "operation",
        "effect",
        "cause_id",
        "ordering_key",
        "state",
        "attempts",
    ),
    *("due_at", "last_error", "refusal", "answer", "created_at", "ended_at", "discard_reason"),
    *("discard_proposed_by", "discard_proposed_at", "discarded_by"),
)

LISTING = Listing(
    source="port_call c",
    key=Sort("c.number", "bigint"),
    columns={name: f"c.{name}" for name in FIELDS},
    sorts={"number": Sort("c.number", "bigint")},
    filters={
        "port": "c.port = {}",
        "state": "c.state = {}",
        "effect": "c.effect = {}",
        "cause_id": "c.cause_id = {}",
        "id": "c.id = {}",
    },
)


async def add(session: AsyncSession, call: dict[str, Any]) -> bool:
    """Keep a call; tells whether it is new."""
    query = insert(PortCall).values(call).on_conflict_do_nothing(index_elements=[PortCall.id])
    return await session.scalar(query.returning(PortCall.id)) is not None


def _is_first() -> ColumnElement[bool]:
    """Tell whether nothing that is open comes before a call with the same ordering key."""
    before = aliased(PortCall)
    return ~exists().where(
        before.port == PortCall.port,
        before.ordering_key == PortCall.ordering_key,
        before.number < PortCall.number,
        before.state.in_(OPEN),
    )


async def take(
    session: AsyncSession, port: str, effects: Iterable[str], *, now: datetime, lost_at: datetime
) -> PortCall | None:
    """Take the call of a port that is due longest and next in its order; it is due again at ``lost_at``."""
    due = (
        select(PortCall.id)
        .where(
            PortCall.state == CallState.WAITING,
            PortCall.port == port,
            PortCall.due_at <= now,
            PortCall.effect.in_(list(effects)),
            _is_first(),
        )
        .order_by(PortCall.due_at, PortCall.number)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken: PortCall | None = await session.scalar(
        update(PortCall)
        .where(PortCall.id == due)
        .values(attempts=PortCall.attempts + 1, due_at=lost_at)
        .returning(PortCall)
    )
    return taken


async def next_due(session: AsyncSession, port: str, effects: Iterable[str]) -> datetime | None:
    """Return when the next call of a port is due."""
    moment: datetime | None = await session.scalar(
        select(func.min(PortCall.due_at)).where(
            PortCall.state == CallState.WAITING,
            PortCall.port == port,
            PortCall.effect.in_(list(effects)),
            _is_first(),
        )
    )
    return moment


async def lock(session: AsyncSession, call_id: UUID) -> PortCall | None:
    """Return and lock a call."""
    query = select(PortCall).where(PortCall.id == call_id).with_for_update()
    found: PortCall | None = await session.scalar(query.execution_options(populate_existing=True))
    return found


async def wait_no_longer(session: AsyncSession, *, beyond: datetime, now: datetime) -> None:
    """Let every call be due at once that would be due after ``beyond``, by a clock that is set right by now."""
    await session.execute(
        update(PortCall)
        .where(PortCall.state == CallState.WAITING, PortCall.due_at > beyond)
        .values(due_at=now)
    )


async def wait_for_no_clock(session: AsyncSession, port: str, *, now: datetime) -> bool:
    """Let calls of a port be due at once that nobody has tried yet; tells whether one was not.

    They were due when they were posted, by a clock that was ahead; one may be committed after it was set right.
    """
    found = await session.execute(
        update(PortCall)
        .where(
            PortCall.state == CallState.WAITING,
            PortCall.port == port,
            PortCall.attempts == 0,
            PortCall.due_at > now,
        )
        .values(due_at=now)
        .returning(PortCall.id)
    )
    return found.first() is not None


async def give_back(session: AsyncSession, call_id: UUID, attempt: int, *, now: datetime) -> None:
    """Let a call be due at once whose attempt was broken off."""
    await session.execute(
        update(PortCall)
        .where(
            PortCall.id == call_id,
            PortCall.attempts == attempt,
            PortCall.state == CallState.WAITING,
        )
        .values(due_at=now)
    )


async def note_trouble(
    session: AsyncSession,
    port: str,
    *,
    failures: int,
    retry_at: datetime,
    error: str,
    now: datetime,
) -> None:
    """Note that a port does not answer, and when it is asked next."""
    values = {"failures": failures, "retry_at": retry_at, "last_error": error}
    await session.execute(
        insert(PortTrouble)
        .values(port=port, since=now, **values)
        .on_conflict_do_update(index_elements=[PortTrouble.port], set_=values)
    )


async def clear_trouble(session: AsyncSession, port: str) -> None:
    """Note that a port answers again."""
    await session.execute(delete(PortTrouble).where(PortTrouble.port == port))


async def clear_troubles(session: AsyncSession) -> None:
    """Note that nothing is known of any trouble: a process begins to send, and tries every port at once."""
    await session.execute(delete(PortTrouble))


@dataclass(frozen=True, slots=True)
class Queue:
    """What is open of a port's calls in one state."""

    port: str
    state: str
    calls: int
    oldest_at: datetime


async def queues(session: AsyncSession) -> Sequence[Queue]:
    """Return how many calls are open, by port and state, and since when the oldest is."""
    rows = await session.execute(
        select(PortCall.port, PortCall.state, func.count(), func.min(PortCall.created_at))
        .where(PortCall.state.in_(OPEN))
        .group_by(PortCall.port, PortCall.state)
    )
    return [Queue(*row) for row in rows]


async def troubles(session: AsyncSession) -> dict[str, PortTrouble]:
    """Return the ports that do not answer, by name."""
    return {each.port: each for each in await session.scalars(select(PortTrouble))}


async def forget_ended(session: AsyncSession, *, before: datetime, most: int) -> int:
    """Delete calls that ended before then, at most so many; returns how many there were."""
    portion = (
        select(PortCall.id)
        .where(and_(PortCall.ended_at.is_not(None), PortCall.ended_at < before))
        .limit(most)
    )
    gone = await session.scalars(
        delete(PortCall).where(PortCall.id.in_(portion)).returning(PortCall.id)
    )
    return len(gone.all())
