"""Checking the evidence: every chain, receipt and head that a node keeps, against one another.

For each lane, in each direction, the links are calculated anew from the messages themselves; each message must carry
its origin's signature, each receipt its signer's and that of the dispatch in it, and receipts and the neighbours' heads
must name the links that were calculated. What is found wrong is a *break*; only the first of each lane's chain is
named, since all that follow it follow from it. Messages that were forgotten after their time leave receipts and heads
behind, which are then checked for their signatures and against each other.

Nothing is changed, and little memory is taken: messages are read in portions.

What a neighbour says itself is believed on its dispatch of the whole batch, so its signature beside each message is
checked here for the first time: in all that is kept by :class:`Verifier`, and once a day in what has come since by
:func:`false_arrivals`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import receipt, repository
from shared.federation.envelope import (
    EnvelopeForged,
    EnvelopeMalformed,
    Message,
    unpack,
    verify,
)
from shared.federation.keys import PublicKey
from shared.federation.lane import Position, beginning, link_after
from shared.federation.models import (
    Direction,
    InboxMessage,
    InboxState,
    LaneState,
    OutboxMessage,
    RegistryEntry,
)
from shared.federation.records import Head, Receipt

PORTION = 1000
UNSIGNED = "The message does not carry its origin's signature."


@dataclass(frozen=True, slots=True)
class Break:
    """Where the evidence does not hold.

    Attributes:
        peer, lane, direction: the lane, seen from this node.
        number: the message at which it breaks.
        what: a sentence.
    """

    peer: str
    lane: str
    direction: str
    number: int
    what: str


@dataclass(slots=True)
class Evidence:
    """What was checked, and what does not hold."""

    messages: int = 0
    receipts: int = 0
    heads: int = 0
    breaks: list[Break] = field(default_factory=list)
    unverifiable_receipts: int = 0


@dataclass(slots=True)
class Verifier:
    """Checks one node's evidence in one transaction, which sees one moment of it.

    Attributes:
        session: that transaction.
        here: the node's code.
        own_key: its public key.
    """

    session: AsyncSession
    here: str
    own_key: PublicKey
    found: Evidence = field(default_factory=Evidence)

    async def verify(self) -> Evidence:
        """Check everything."""
        states = await self.session.scalars(
            select(LaneState).order_by(LaneState.peer, LaneState.lane, LaneState.direction)
        )
        for state in list(states):
            links = await self._check_chain(state)
            await self._check_receipts(state, links)
            await self._check_heads(state, links)
        return self.found

    async def _check_chain(self, state: LaneState) -> dict[int, bytes]:
        """Calculate a lane's links, as far as the messages are still there and it holds.

        Returns:
            Those that a receipt or a head speaks of, by number.
        """
        links: dict[int, bytes] = {}
        spoken_of = {state.numbered, *await self._spoken_of(state)}
        last: tuple[int, bytes] | None = None
        async for row in self._messages(state):
            if last is not None and row.sequence != last[0] + 1:
                self._break(state, last[0] + 1, "The message is missing.")
                return links
            if row.link is None:
                last = None  # from a release that kept no chain
                continue
            if last is None:
                last = await self._before(state, row.sequence)
            if last is not None and link_after(last[1], row) != row.link:
                self._break(
                    state,
                    row.sequence,
                    "The message is not the one that was chained, or was moved.",
                )
                return links
            last = (row.sequence, row.link)
            if row.sequence in spoken_of:
                links[row.sequence] = row.link
        if last is not None and last != (state.numbered, state.link):
            self._break(
                state, state.numbered, "The lane's head is not the link of its last message."
            )
        return links

    async def _spoken_of(self, state: LaneState) -> set[int]:
        numbers: set[int] = set()
        for table in (Receipt, Head):
            found = await self.session.scalars(
                select(table.number).where(
                    table.peer == state.peer,
                    table.lane == state.lane,
                    table.direction == state.direction,
                )
            )
            numbers.update(found)
        return numbers

    async def _before(self, state: LaneState, number: int) -> tuple[int, bytes] | None:
        """Return the link before the first message that is still kept, if anything says so."""
        if number == 1:
            first = beginning(state.lane)
            return (0, first.link or b"")
        link = await self.session.scalar(
            select(Receipt.link).where(
                Receipt.peer == state.peer,
                Receipt.lane == state.lane,
                Receipt.direction == state.direction,
                Receipt.number == number - 1,
            )
        )
        return (number - 1, link) if link else None

    async def _messages(self, state: LaneState) -> AsyncIterator[Any]:
        table: type[OutboxMessage | InboxMessage] = OutboxMessage
        handled: ColumnElement[bool] = true()
        if state.direction == Direction.IN:
            table, handled = InboxMessage, InboxMessage.state == InboxState.HANDLED
        after = 0
        while True:
            found = await self.session.execute(
                select(
                    table.sequence,
                    table.link,
                    table.envelope,
                    table.signature,
                    handled.label("is_believed"),
                )
                .where(table.peer == state.peer, table.lane == state.lane, table.sequence > after)
                .order_by(table.sequence)
                .limit(PORTION)
            )
            rows = found.all()
            await self._check_signatures(state, rows)
            for row in rows:
                after = row.sequence
                self.found.messages += 1
                yield row
            if len(rows) < PORTION:
                return

    async def _check_signatures(self, state: LaneState, rows: Sequence[Any]) -> None:
        """Check the signatures of what this node has sent, and of what it took from the peer on its dispatch.

        What others have said was checked when it came in, and parked if it was forged. Their keys may be others now.
        """
        readable: list[tuple[Any, Message]] = []
        for row in rows:
            try:
                message = unpack(row.envelope)
            except EnvelopeMalformed:
                continue  # it came like this and is parked; its place in the chain is checked all the same
            is_sent = state.direction == Direction.OUT
            if is_sent or (row.is_believed and message.source == state.peer):
                readable.append((row, message))
        entries = await repository.registry_entries(
            self.session, {message.source for _, message in readable}
        )

        for row in await asyncio.to_thread(_unsigned, readable, entries):
            self._break(state, row.sequence, UNSIGNED)

    async def _keys_of(self, code: str) -> Sequence[PublicKey]:
        """Return every key that the registry knows a node to have had; a receipt outlives the key that signed it."""
        entry = await repository.entry(self.session, code)
        own = (self.own_key,) if code == self.here else ()
        return (*own, *(entry.keys_ever() if entry else ()))

    async def _check_receipts(self, state: LaneState, links: dict[int, bytes]) -> None:
        is_out = state.direction == Direction.OUT
        sender, receiver = (self.here, state.peer) if is_out else (state.peer, self.here)
        keys, keys_of_sender = await self._keys_of(receiver), await self._keys_of(sender)
        after = 0
        while True:
            found = await self.session.scalars(
                select(Receipt)
                .where(
                    Receipt.peer == state.peer,
                    Receipt.lane == state.lane,
                    Receipt.direction == state.direction,
                    Receipt.number > after,
                )
                .order_by(Receipt.number)
                .limit(PORTION)
            )
            rows = found.all()
            for row in rows:
                after = row.number
                self.found.receipts += 1
                wrong = _wrong_with(row, keys, sender, receiver, links) or _wrong_dispatch(
                    row, keys_of_sender, sender, receiver
                )
                if wrong:
                    self.found.unverifiable_receipts += 1
                    self._break(state, row.number, wrong)
                self.session.expunge(row)
            if len(rows) < PORTION:
                return

    async def _check_heads(self, state: LaneState, links: dict[int, bytes]) -> None:
        found = await self.session.scalars(
            select(Head)
            .where(
                Head.peer == state.peer,
                Head.lane == state.lane,
                Head.direction == state.direction,
            )
            .order_by(Head.number)
        )
        for head in found:
            self.found.heads += 1
            own = links.get(head.number)
            if own is not None and own != head.link:
                self._break(
                    state,
                    head.number,
                    f"On {head.at:%Y-%m-%d} {state.peer} knew another history (message {head.message_id}).",
                )

    def _break(self, state: LaneState, number: int, what: str) -> None:
        self.found.breaks.append(Break(state.peer, state.lane, state.direction, number, what))


def _is_signed(row: Any, message: Message, origin: RegistryEntry | None) -> bool:
    """Tell whether a message carries its origin's signature, by a key that it had then or has had since."""
    keys = origin.keys_ever() if origin else ()
    try:
        verify(row.envelope, row.signature, keys, message.source)
    except EnvelopeForged:
        return not keys  # of a node that the registry no longer knows nothing can be said
    return True


def _wrong_with(
    row: Receipt, keys: Sequence[PublicKey], sender: str, receiver: str, links: dict[int, bytes]
) -> str | None:
    """Return what is wrong with a receipt, if anything."""
    try:
        proven = receipt.check(row.statement, keys, sender=sender, receiver=receiver)
    except receipt.ReceiptInvalid as error:
        return f"The receipt does not hold: {error}"
    if (proven.lane, proven.position.number, proven.position.link) != (
        row.lane,
        row.number,
        row.link,
    ):
        return "The receipt is for another position than it is kept for."
    if row.number in links and links[row.number] != row.link:
        return "The receipt is for another history than the messages."
    return None


def _wrong_dispatch(
    row: Receipt, keys: Sequence[PublicKey], sender: str, receiver: str
) -> str | None:
    """Return what is wrong with the dispatch that a receipt repeats, if it does and anything is."""
    dispatch = receipt.dispatch_in(row.statement)
    if dispatch is None:
        return None
    try:
        said = receipt.check_dispatch(dispatch, keys, sender=sender, receiver=receiver)
    except receipt.ReceiptInvalid as error:
        return f"The dispatch in the receipt does not hold: {error}"
    if (said.lane, said.position) != (row.lane, Position(row.number, row.link)):
        return "The dispatch in the receipt is for another position."
    return None


async def false_arrivals(session: AsyncSession, *, since: datetime) -> list[Break]:
    """Return what neighbours have said themselves since a moment, was handled, and does not carry their signatures."""
    own = (
        InboxMessage.received_at >= since,
        InboxMessage.origin == InboxMessage.peer,
        InboxMessage.state == InboxState.HANDLED,
        InboxMessage.sequence.is_not(None),
    )
    first = await session.scalar(select(func.min(InboxMessage.arrival)).where(*own))
    if first is None:
        return []
    columns = (
        InboxMessage.arrival,
        InboxMessage.origin,
        InboxMessage.lane,
        InboxMessage.sequence,
        InboxMessage.envelope,
        InboxMessage.signature,
    )
    found: list[Break] = []
    after = first - 1
    while True:
        portion = await session.execute(
            select(*columns)
            .where(*own, InboxMessage.arrival > after)
            .order_by(InboxMessage.arrival)
            .limit(PORTION)
        )
        rows = portion.all()
        if not rows:
            return found
        after = rows[-1].arrival
        readable = [(row, unpack(row.envelope)) for row in rows]
        entries = await repository.registry_entries(session, {row.origin for row in rows})
        found += [
            Break(row.origin, row.lane, Direction.IN, row.sequence, UNSIGNED)
            for row in await asyncio.to_thread(_unsigned, readable, entries)
        ]


def _unsigned(
    readable: Sequence[tuple[Any, Message]], entries: Mapping[str, RegistryEntry]
) -> list[Any]:
    """Return the rows that do not carry their origin's signature."""
    return [
        row
        for row, message in readable
        if not _is_signed(row, message, entries.get(message.source))
    ]
