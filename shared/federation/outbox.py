"""Every query of the outbox and of the lanes that lead out of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import receipt, standing
from shared.federation.delivery import Hop, hops_to_json
from shared.federation.envelope import Message, Packed, unpack
from shared.federation.keys import NodeKey
from shared.federation.lane import Diverged, Position, beginning, links_after
from shared.federation.models import Direction, Lane, LaneState, OutboxMessage
from shared.federation.standing import Standing
from shared.federation.tree import next_hop, route_waiting
from shared.federation.wakeup import CHANNEL
from shared.kernel.database import driver_connection


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way, as a batch carries it."""

    envelope: bytes
    signature: str
    hops: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Numbered:
    """A stretch of a lane, ready to send.

    Attributes:
        lane: which lane.
        first: number of its first message.
        previous: the link that it goes on from, if the chain is known there.
        link: the link that it comes to, likewise.
        messages: what to send.
        more: whether more may be waiting behind it.
    """

    lane: Lane
    first: int
    previous: bytes | None
    link: bytes | None
    messages: Sequence[Outgoing]
    more: bool

    @property
    def size(self) -> int:
        """Bytes of its envelopes."""
        return sum(len(message.envelope) for message in self.messages)

    @property
    def last(self) -> int:
        """Number of its last message."""
        return self.first + len(self.messages) - 1

    def dispatch(self, key: NodeKey, here: str, peer: str, *, now: datetime) -> str | None:
        """Return this node's own signed word for having sent it, if it is worth one."""
        if self.link is None or len(self.messages) < receipt.DISPATCHED_FROM:
            return None
        said = receipt.Dispatch(here, peer, self.lane.value, Position(self.last, self.link), now)
        return receipt.issue_dispatch(key, said)


@dataclass(frozen=True, slots=True)
class Posted:
    """A message to be put on its way."""

    message: Message
    packed: Packed
    lane: Lane
    hops: Sequence[Hop]


async def add(session: AsyncSession, posted: Iterable[Posted], *, here: str) -> None:
    """Put messages on their way to their next hops, once: posting the same id again changes nothing.

    Raises:
        ValueError: if one is for this node itself.
    """
    rows = list(posted)
    next_hops: dict[tuple[str, frozenset[str]], str | None] = {}
    peers: list[str | None] = []
    for row in rows:
        destination = row.message.destination
        if destination == here:
            raise ValueError(
                f"A message to {here} itself cannot be posted: handle it where it arises."
            )
        way = destination, frozenset(hop.node for hop in row.hops)
        if way not in next_hops:
            next_hops[way] = await next_hop(session, here, *way)
        peers.append(next_hops[way])
    connection = await driver_connection(session)
    await connection.execute(
        _ADD,
        CHANNEL,
        [row.message.id for row in rows],
        peers,
        [row.lane.value for row in rows],
        [row.message.type for row in rows],
        [row.message.destination for row in rows],
        [row.packed.envelope for row in rows],
        [row.packed.signature for row in rows],
        [hops_to_json(row.hops) for row in rows],
        [row.hops[-1].at for row in rows],
    )


_ADD = """
    WITH posted AS (
        INSERT INTO federation_outbox
            (message_id, peer, lane, type, destination, envelope, signature, hops, posted_at)
        SELECT m.message_id, m.peer, m.lane, m.type, m.destination, m.envelope, m.signature, m.hops::jsonb, m.posted_at
        FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::text[], $9::text[],
                    $10::timestamptz[]) WITH ORDINALITY
            AS m (message_id, peer, lane, type, destination, envelope, signature, hops, posted_at, nth)
        WHERE NOT EXISTS (SELECT FROM federation_outbox known WHERE known.message_id = m.message_id)
        ORDER BY m.nth
        RETURNING peer, lane
    )
    SELECT pg_notify($1, woken.key)
    FROM (SELECT DISTINCT peer || '/' || lane AS key FROM posted WHERE peer IS NOT NULL) woken
"""


async def has_posted(session: AsyncSession, message_id: UUID) -> bool:
    """Tell whether a message of that id was put on its way, as far as that is still kept."""
    return await _envelope(session, message_id) is not None


async def posted(session: AsyncSession, message_id: UUID) -> Message | None:
    """Return a message of that id that was put on its way, as far as it is still kept."""
    envelope = await _envelope(session, message_id)
    return None if envelope is None else unpack(envelope)


async def _envelope(session: AsyncSession, message_id: UUID) -> bytes | None:
    connection = await driver_connection(session)
    found: bytes | None = await connection.fetchval(_ENVELOPE, message_id)
    return found


_ENVELOPE = "SELECT envelope FROM federation_outbox WHERE message_id = $1 LIMIT 1"


async def lock_lane(
    session: AsyncSession, code: str, lane: Lane, direction: Direction
) -> LaneState:
    """Return and lock how far a lane has got in one direction, to be changed by who mends it."""
    query = select(LaneState).where(
        LaneState.peer == code, LaneState.lane == lane, LaneState.direction == direction
    )
    return (
        await session.scalars(query.with_for_update().execution_options(populate_existing=True))
    ).one()


async def number_next(
    session: AsyncSession,
    code: str,
    lane: Lane,
    *,
    most: int,
    most_bytes: int,
    after: int | None = None,
) -> Numbered | None:
    """Return what is to be sent next on a lane, numbered: first what was numbered before, then what is new.

    Numbers are given here, after the commit of what they number and under the lane's lock, so that they are dense
    and in one order for ever: a batch that is sent again is the same batch.

    Args:
        session: a transaction of its own.
        code: the peer.
        lane: which lane to it.
        most: how many messages at most.
        most_bytes: how many bytes of envelopes at most; one message is sent however large it is.
        after: number of the message to go on after; that of the last acknowledged one without it.

    Raises:
        Diverged: if what follows ``after`` is no longer kept, because it was acknowledged long ago.
    """
    state = await standing.lock(session, code, lane, Direction.OUT)
    if state.stopped_because is not None:
        return None
    start = state.acknowledged if after is None else after
    if start > state.numbered:
        return None
    previous = await position_at(session, state, start)
    rows = await _numbered_after(session, state, start, most) if start < state.numbered else []
    if start < state.numbered and (not rows or rows[0].sequence != start + 1):
        raise Diverged(f"What follows message {start} of lane {lane} to {code} is no longer kept.")
    fresh: list[_Row] = []
    kept = _within(rows, most_bytes)
    link = kept[-1].link if kept else None
    if len(kept) == len(rows) < most:
        fresh = await _unnumbered(session, state, most - len(rows))
        if not fresh and not rows:
            # A message may have been posted just before the peer joined, and committed just after.
            await route_waiting(session, code)
            fresh = await _unnumbered(session, state, most)
        kept = _within([*rows, *fresh], most_bytes)
        if len(kept) > len(rows):
            link = await _give_numbers(session, state, kept[len(rows) :])
    if not kept:
        return None
    return Numbered(
        lane,
        start + 1,
        previous.link if previous else None,
        link,
        [row.outgoing for row in kept],
        more=len(kept) == most or len(kept) < len(rows) + len(fresh),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """A message that waits, with its place in the lane if it has one."""

    position: int
    sequence: int | None
    link: bytes | None
    outgoing: Outgoing


_WAITING = """
    SELECT position, sequence, link, envelope, signature, hops::text AS hops FROM federation_outbox
    WHERE peer = $1 AND lane = $2 AND """
_NUMBERED_AFTER = f"{_WAITING} sequence > $3 ORDER BY sequence LIMIT $4"
_UNNUMBERED = f"{_WAITING} sequence IS NULL ORDER BY position LIMIT $3"


async def _numbered_after(
    session: AsyncSession, lane: Standing, start: int, most: int
) -> list[_Row]:
    return await _rows(session, _NUMBERED_AFTER, lane.peer, lane.lane, start, most)


async def _unnumbered(session: AsyncSession, lane: Standing, most: int) -> list[_Row]:
    return await _rows(session, _UNNUMBERED, lane.peer, lane.lane, most)


async def _rows(session: AsyncSession, statement: str, *values: object) -> list[_Row]:
    connection = await driver_connection(session)
    return [
        _Row(
            row["position"],
            row["sequence"],
            row["link"],
            Outgoing(row["envelope"], row["signature"], orjson.loads(row["hops"])),
        )
        for row in await connection.fetch(statement, *values)
    ]


def _within(rows: Sequence[_Row], most_bytes: int) -> list[_Row]:
    kept: list[_Row] = []
    size = 0
    for row in rows:
        size += len(row.outgoing.envelope)
        if kept and size > most_bytes:
            break
        kept.append(row)
    return kept


async def _give_numbers(session: AsyncSession, lane: Standing, rows: Sequence[_Row]) -> bytes:
    """Give rows the next numbers and links of the lane, and return the link of the last."""
    # A lane that was begun by a release without chains begins its chain here.
    previous = lane.link or beginning(lane.lane).link or b""
    links = links_after(previous, [row.outgoing for row in rows])
    numbered = lane.numbered + len(rows)
    connection = await driver_connection(session)
    await connection.execute(
        _GIVE_NUMBERS,
        [row.position for row in rows],
        list(range(lane.numbered + 1, numbered + 1)),
        links,
        lane.peer,
        lane.lane,
        numbered,
        links[-1],
    )
    return links[-1]


_GIVE_NUMBERS = """
    WITH lane AS (
        UPDATE federation_lane
        SET acknowledged_link = CASE WHEN numbered = 0 OR link IS NOT NULL THEN acknowledged_link END,
            numbered = $6, link = $7 WHERE peer = $4 AND lane = $5 AND direction = 'out'
    )
    UPDATE federation_outbox SET sequence = given.sequence, link = given.link
    FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS given (position, sequence, link)
    WHERE federation_outbox.position = given.position
"""


async def position_at(
    session: AsyncSession, state: LaneState | Standing, number: int
) -> Position | None:
    """Return the position of an outgoing lane at ``number``, as far as this node still knows it."""
    if number == state.numbered:
        return Position(number, state.link or (beginning(state.lane).link if number == 0 else None))
    if number > state.numbered:
        return None
    if number == 0:
        return beginning(state.lane)
    if number == state.acknowledged:
        return Position(number, state.acknowledged_link)
    found = await session.execute(
        select(OutboxMessage.link).where(
            OutboxMessage.peer == state.peer,
            OutboxMessage.lane == state.lane,
            OutboxMessage.sequence == number,
        )
    )
    row = found.first()
    return Position(number, row.link) if row else None


async def acknowledge(
    session: AsyncSession,
    code: str,
    lane: Lane,
    received: Position,
    *,
    statement: str | None,
    now: datetime,
) -> int:
    """Note that the peer has everything up to ``received``; returns how many messages that newly covers.

    Args:
        session: the transaction.
        code: the peer.
        lane: which lane to it.
        received: what it acknowledges.
        statement: its receipt, already checked; kept.
        now: the present moment.

    Raises:
        Diverged: if this node has never sent that.
    """
    state = await standing.lock(session, code, lane, Direction.OUT)
    if received.number <= state.acknowledged:
        return 0
    own = await position_at(session, state, received.number)
    if own is None or (received.link and own.link and own.link != received.link):
        raise Diverged(
            f"Peer {code} acknowledges lane {lane} up to {received}, and this node has sent it up to "
            f"{Position(state.numbered, state.link)}: one of the two databases was restored from a backup."
        )
    connection = await driver_connection(session)
    await connection.execute(
        _ACKNOWLEDGE, code, lane.value, received.number, own.link, received.link, statement, now
    )
    return received.number - state.acknowledged


_ACKNOWLEDGE = """
    WITH acknowledged AS (
        UPDATE federation_lane SET acknowledged = $3, acknowledged_link = $4
        WHERE peer = $1 AND lane = $2 AND direction = 'out'
    )
    INSERT INTO federation_receipt (peer, lane, direction, number, link, statement, at)
    SELECT $1, $2, 'out', $3, $5::bytea, $6::text, $7
    WHERE $5::bytea IS NOT NULL AND $6::text IS NOT NULL
    ON CONFLICT DO NOTHING
"""
