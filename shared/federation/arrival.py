"""Messages that have come in: what the receiver knows of each, and whether it is its origin's own."""

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.federation.envelope import EnvelopeMalformed, Message, unpack, verify
from shared.federation.models import InboxMessage, InboxState, Lane, Peer, RegistryEntry
from shared.federation.outbox import Outgoing
from shared.kernel.ids import derived_id

UNREADABLE = "unreadable"
UNREADABLE_NAMESPACE = UUID("7c9a4f57-8f0e-5d6e-9a53-3f1d7f2b6a11")
_VERIFIED_IN_LINE = 8
"""So few signatures are checked at once where they are; more go to threads, which checks them on all processors."""

Key = tuple[str, str]
"""An origin and a partition key: what must stay in order."""


@dataclass(slots=True, kw_only=True)
class Arrival:
    """A message that has come in, and what becomes of it."""

    origin: str
    message_id: UUID
    peer: str
    lane: Lane
    sequence: int | None
    link: bytes | None
    type: str
    destination: str
    partition_key: str
    envelope: bytes
    signature: str
    hops: list[dict[str, str]]
    received_at: datetime
    message: Message | None
    """What the envelope says; nothing if nobody can read it."""
    state: InboxState = InboxState.HANDLED
    reason: str | None = None
    number: int = 0
    """Its number of arrival, once it is kept."""

    @property
    def key(self) -> Key:
        """What it must stay in order with."""
        return self.origin, self.partition_key

    @property
    def traceparent(self) -> str | None:
        """The trace that it belongs to."""
        return self.message.traceparent if self.message else None

    @property
    def identity(self) -> tuple[str, UUID]:
        """What names it."""
        return self.origin, self.message_id


def to_be_checked(
    rows: Sequence[Arrival], sender: str, *, here: str, pick: Callable[[Sequence[Arrival]], Arrival]
) -> list[Arrival]:
    """Return those whose own signatures are checked although ``sender`` has signed for having sent them all.

    Its dispatch is as good as their signatures for what it says itself to this node; not for what others say, and not
    for what goes on from here to those who have no dispatch. One of the others, by chance, is checked all the same:
    a sender whose signatures are broken is found out at once.
    """
    checked: list[Arrival] = []
    vouched: list[Arrival] = []
    for row in rows:
        is_own = row.message is not None and row.origin == sender and row.destination == here
        (vouched if is_own else checked).append(row)
    return [*checked, pick(vouched)] if vouched else checked


async def verify_all(rows: Sequence[Arrival], known: Mapping[str, RegistryEntry]) -> None:
    """Make sure that each message is its origin's own.

    Raises:
        EnvelopeForged: if one is not.
        EnvelopeMalformed: if one cannot be read.
    """

    def check(part: Sequence[Arrival]) -> None:
        for row in part:
            message = row.message or unpack(row.envelope)  # which says what is wrong with it
            keys = known[row.origin].keys_at(message.time)
            verify(row.envelope, row.signature, keys, row.origin)

    if len(rows) <= _VERIFIED_IN_LINE:
        check(rows)
        return
    parts = min(os.cpu_count() or 1, 4)
    await asyncio.gather(*(asyncio.to_thread(check, rows[nth::parts]) for nth in range(parts)))


def arrival(
    item: Outgoing,
    peer: Peer,
    lane: Lane,
    sequence: int | None,
    link: bytes | None,
    *,
    here: str,
    now: datetime,
) -> Arrival:
    """Return a message as the inbox keeps it; what cannot be read is kept under its peer and its hash."""
    try:
        message = unpack(item.envelope)
    except EnvelopeMalformed:
        message = None
    return Arrival(
        origin=message.source if message else peer.code,
        message_id=message.id
        if message
        else derived_id(UNREADABLE_NAMESPACE, hashlib.sha256(item.envelope).hexdigest()),
        peer=peer.code,
        lane=lane,
        sequence=sequence,
        link=link,
        type=message.type if message else UNREADABLE,
        destination=message.destination if message else here,
        partition_key=message.partitionkey if message else UNREADABLE,
        envelope=item.envelope,
        signature=item.signature,
        hops=item.hops,
        received_at=now,
        message=message,
    )


def arrived_again(row: InboxMessage) -> Arrival:
    """Return a kept message as it came in."""
    try:
        message = unpack(row.envelope)
    except EnvelopeMalformed:
        message = None
    return Arrival(
        origin=row.origin,
        message_id=row.message_id,
        peer=row.peer,
        lane=Lane(row.lane),
        sequence=row.sequence,
        link=row.link,
        type=row.type,
        destination=row.destination,
        partition_key=row.partition_key,
        envelope=row.envelope,
        signature=row.signature,
        hops=row.hops,
        received_at=row.received_at,
        message=message,
        number=row.arrival,
    )
