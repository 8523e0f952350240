"""Every query of the inbox and of the lanes that lead into it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.arrival import Arrival, Key
from shared.federation.lane import Position, beginning
from shared.federation.models import Direction, InboxMessage, InboxState, Lane, LaneState
from shared.federation.outbox import Outgoing
from shared.federation.records import Receipt
from shared.federation.standing import Standing
from shared.kernel.database import copy_rows, driver_connection
from shared.kernel.listing import Listing, Sort

COPIED_FROM = 9
"""So many messages are copied; fewer are inserted, which takes fewer round trips."""

PARKED = Listing(
    source="(SELECT * FROM federation_inbox WHERE state = 'parked') m",
    key=Sort("m.arrival", "bigint"),
    columns={
        name: f"m.{name}"
        for name in (
            "arrival",
            "origin",
            "message_id",
            "type",
            "destination",
            "partition_key",
            "peer",
            "lane",
            "reason",
            "received_at",
            "discard_reason",
            "discard_proposed_by",
            "discard_proposed_at",
        )
    },
    sorts={"arrival": Sort("m.arrival", "bigint")},
    filters={"origin": "m.origin = {}", "type": "m.type = {}", "lane": "m.lane = {}"},
)
"""What is parked at this node, for an operator to see."""


def position_of(state: LaneState | Standing) -> Position:
    """Return how far an incoming lane has been received."""
    if state.numbered == 0:
        return beginning(state.lane)
    return Position(state.numbered, state.link)


async def receipts_to_send(
    session: AsyncSession, lanes: Mapping[Lane, Standing]
) -> dict[Lane, str]:
    """Return this node's newest receipts for those lanes of which the peer does not have them yet."""
    behind = [state for state in lanes.values() if state.numbered > state.acknowledged]
    if not behind:
        return {}
    found = await session.execute(
        select(Receipt.lane, Receipt.statement).where(
            tuple_(Receipt.peer, Receipt.lane, Receipt.direction, Receipt.number).in_(
                [(state.peer, state.lane, Direction.IN, state.numbered) for state in behind]
            )
        )
    )
    return {Lane(row.lane): row.statement for row in found}


async def note_receipts_sent(session: AsyncSession, code: str, sent: dict[Lane, int]) -> None:
    """Note that the peer has the receipts for these lanes, up to these numbers."""
    for lane, number in sent.items():
        await session.execute(
            update(LaneState)
            .where(
                LaneState.peer == code,
                LaneState.lane == lane,
                LaneState.direction == Direction.IN,
            )
            .values(acknowledged=number)
        )


async def seen_or_blocked(
    session: AsyncSession, rows: Sequence[Arrival]
) -> tuple[set[tuple[str, UUID]], set[Key]]:
    """Return those origins and ids that arrived before, and those keys of which an earlier message is parked.

    Waits for a retry of parked messages that is under way: what arrives meanwhile would otherwise be parked behind
    a message that no longer is.
    """
    keys = {row.key for row in rows}
    connection = await driver_connection(session)
    found = await connection.fetch(
        _SEEN_OR_BLOCKED,
        [row.origin for row in rows],
        [row.message_id for row in rows],
        [origin for origin, _ in keys],
        [key for _, key in keys],
    )
    seen = {(row["origin"], row["message_id"]) for row in found if row["message_id"] is not None}
    blocked = {
        (row["origin"], row["partition_key"]) for row in found if row["partition_key"] is not None
    }
    return seen, blocked


_SEEN_OR_BLOCKED = """
    WITH blocked AS (
        SELECT i.origin, i.partition_key
        FROM unnest($3::text[], $4::text[]) AS wanted (origin, partition_key)
        JOIN federation_inbox i ON i.origin = wanted.origin AND i.partition_key = wanted.partition_key
            AND i.state = 'parked'
        FOR SHARE OF i
    )
    SELECT origin, NULL::uuid AS message_id, partition_key FROM blocked
    UNION ALL
    SELECT i.origin, i.message_id, NULL
    FROM unnest($1::text[], $2::uuid[]) AS new (origin, message_id)
    JOIN federation_inbox i ON i.origin = new.origin AND i.message_id = new.message_id
        AND i.state <> 'duplicate'
"""


async def keep(session: AsyncSession, rows: Sequence[Arrival], *, now: datetime) -> None:
    """Keep messages that arrived, in order and as their states say.

    Few are given their numbers of arrival; many are copied in, which gives none, and nobody asks for them.
    """
    if len(rows) >= COPIED_FROM:
        await _copy(session, rows, now=now)
        return
    connection = await driver_connection(session)
    found = await connection.fetch(
        _KEEP,
        now,
        [row.origin for row in rows],
        [row.message_id for row in rows],
        [row.peer for row in rows],
        [row.lane.value for row in rows],
        [row.sequence for row in rows],
        [row.link for row in rows],
        [row.type for row in rows],
        [row.destination for row in rows],
        [row.partition_key for row in rows],
        [row.state.value for row in rows],
        [row.reason for row in rows],
        [row.envelope for row in rows],
        [row.signature for row in rows],
        [orjson.dumps(row.hops).decode() for row in rows],
        [row.received_at for row in rows],
    )
    # Identity values are given in the order of insertion, which is that of the statement's ORDER BY.
    for row, number in zip(rows, sorted(each["arrival"] for each in found), strict=True):
        row.number = number


_KEEP = """
    INSERT INTO federation_inbox
        (origin, message_id, peer, lane, sequence, link, type, destination, partition_key, state, reason,
         envelope, signature, hops, received_at, settled_at)
    SELECT m.origin, m.message_id, m.peer, m.lane, m.sequence, m.link, m.type, m.destination, m.partition_key,
           m.state, m.reason, m.envelope, m.signature, m.hops::jsonb, m.received_at,
           CASE WHEN m.state <> 'parked' THEN $1::timestamptz END
    FROM unnest($2::text[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::bytea[], $8::text[], $9::text[],
                $10::text[], $11::text[], $12::text[], $13::bytea[], $14::text[], $15::text[], $16::timestamptz[])
        WITH ORDINALITY
        AS m (origin, message_id, peer, lane, sequence, link, type, destination, partition_key, state, reason,
              envelope, signature, hops, received_at, nth)
    ORDER BY m.nth
    RETURNING arrival
"""


async def _copy(session: AsyncSession, rows: Sequence[Arrival], *, now: datetime) -> None:
    await copy_rows(
        session,
        InboxMessage.__tablename__,
        _COLUMNS,
        (
            (
                row.origin,
                row.message_id,
                row.peer,
                row.lane,
                row.sequence,
                row.link,
                row.type,
                row.destination,
                row.partition_key,
                row.state,
                row.reason,
                row.envelope,
                row.signature,
                orjson.dumps(row.hops).decode(),
                row.received_at,
                None if row.state is InboxState.PARKED else now,
            )
            for row in rows
        ),
    )


_COLUMNS = (
    "origin",
    "message_id",
    "peer",
    "lane",
    "sequence",
    "link",
    "type",
    "destination",
    "partition_key",
    "state",
    "reason",
    "envelope",
    "signature",
    "hops",
    "received_at",
    "settled_at",
)


async def move_cursor(
    session: AsyncSession, lane: Standing, to: Position, *, statement: str | None, now: datetime
) -> None:
    """Note how far an incoming lane is received, and the receipt that is given for it."""
    connection = await driver_connection(session)
    of = lane.peer, lane.lane, to.number, to.link
    if statement is None:
        await connection.execute(_MOVE, *of)
    else:
        await connection.execute(_MOVE_WITH_RECEIPT, *of, statement, now)


_MOVE = """
    UPDATE federation_lane SET numbered = $3, link = $4 WHERE peer = $1 AND lane = $2 AND direction = 'in'"""
_MOVE_WITH_RECEIPT = f"""
    WITH moved AS ({_MOVE})
    INSERT INTO federation_receipt (peer, lane, direction, number, link, statement, at)
    VALUES ($1, $2, 'in', $3, $4, $5, $6)
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - our own statement


async def settle(
    session: AsyncSession, number: int, state: InboxState, reason: str | None, *, now: datetime
) -> None:
    """Note what became of a message that arrived."""
    await session.execute(
        update(InboxMessage)
        .where(InboxMessage.arrival == number)
        .values(state=state, reason=reason, settled_at=None if state is InboxState.PARKED else now)
    )


async def parked(
    session: AsyncSession, origin: str, partition_key: str | None = None
) -> Sequence[InboxMessage]:
    """Return and lock what is parked of an origin, of one partition key or all, in order of arrival."""
    query = (
        select(InboxMessage)
        .where(InboxMessage.origin == origin, InboxMessage.state == InboxState.PARKED)
        .order_by(InboxMessage.arrival)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if partition_key is not None:
        query = query.where(InboxMessage.partition_key == partition_key)
    # Twice: the first may have waited for a batch that parked more behind; nothing can do so after it.
    await session.scalars(query)
    return (await session.scalars(query)).all()


async def arrived(session: AsyncSession, arrival: int) -> InboxMessage | None:
    """Return a message that arrived as it is now, whatever became of it."""
    return await session.get(InboxMessage, arrival, populate_existing=True)


async def received_after(
    session: AsyncSession, code: str, lane: Lane, number: int, *, most: int
) -> list[Outgoing]:
    """Return what a peer sent on a lane after message ``number``, as far as it is here without a gap."""
    found = await session.execute(
        select(
            InboxMessage.sequence, InboxMessage.envelope, InboxMessage.signature, InboxMessage.hops
        )
        .where(InboxMessage.peer == code, InboxMessage.lane == lane, InboxMessage.sequence > number)
        .order_by(InboxMessage.sequence)
        .limit(most)
    )
    return [
        Outgoing(row.envelope, row.signature, row.hops)
        for nth, row in enumerate(found, number + 1)
        if row.sequence == nth
    ]


async def link_at(session: AsyncSession, state: LaneState, number: int) -> bytes | None:
    """Return the link of an incoming lane at ``number``, as far as this node still knows it."""
    if number == 0:
        return beginning(state.lane).link
    if number == state.numbered:
        return state.link
    return await session.scalar(
        select(InboxMessage.link).where(
            InboxMessage.peer == state.peer,
            InboxMessage.lane == state.lane,
            InboxMessage.sequence == number,
        )
    )
