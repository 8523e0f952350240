"""The pure core of a lane: its numbers, its chain, and what two ends have to agree on.

A lane from one node to another is a sequence of messages, numbered densely from 1. Over them runs a *chain*: the
*link* of message ``n`` is a hash of the link of message ``n - 1`` and of message ``n``, envelope and signature, as it
is on the wire. A *position* is a number and its link; two ends at the same position have, byte for byte, the same
history. Each batch names the link that it goes on from, each acknowledgement the link that it has come to. So

- a batch that came before is known for what it is, and one that only carries the same numbers is not mistaken for it;
- a node whose database was restored from an old backup, and which numbers other messages with numbers that its peer
  has seen, is found out with its first exchange instead of losing them (:mod:`shared.federation.reconciliation`);
- one signature over a position is a receipt for everything up to it (:mod:`shared.federation.receipt`).

Nothing here reads or writes anything: ``tests/federation/test_lane.py`` plays whole histories of losses, repetitions,
crashes and restored backups against it.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Position:
    """How far a lane has got.

    Attributes:
        number: of the last message; 0 before the first.
        link: over everything up to it; ``None`` where a lane was begun by a release that kept no chain.
    """

    number: int
    link: bytes | None

    def __str__(self) -> str:
        return f"{self.number} ({self.link.hex()[:12] if self.link else 'no link'})"


class Signed(Protocol):
    """A message as it is on the wire, of which both parts are chained."""

    @property
    def envelope(self) -> bytes:
        """The envelope's bytes."""

    @property
    def signature(self) -> str:
        """The origin's signature over it."""


class Gap(Exception):
    """A batch begins after the message that is awaited: something in between is missing here."""


class Diverged(Exception):
    """The two ends have different histories: one of the databases was restored from a backup."""


def beginning(lane: str) -> Position:
    """Return where a lane begins: its first link names it."""
    return Position(0, hashlib.sha256(f"guanxi lane {lane}".encode()).digest())


def link_after(previous: bytes, message: Signed) -> bytes:
    """Return the link of the message that follows: SHA-256 over the link before it and SHA-256 over the message."""
    content = hashlib.sha256(message.envelope)
    content.update(b"\n")
    content.update(message.signature.encode())
    return hashlib.sha256(previous + content.digest()).digest()


def links_after(previous: bytes, messages: Iterable[Signed]) -> list[bytes]:
    """Return the links of the messages that follow ``previous``, in order."""
    links = []
    for message in messages:
        previous = link_after(previous, message)
        links.append(previous)
    return links


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What of a batch is new.

    Attributes:
        skipped: how many messages at its beginning were seen before.
        links: of those that are new; empty links where the chain is not known.
        position: where the lane is after it.
    """

    skipped: int
    links: Sequence[bytes | None]
    position: Position


def take_in(
    cursor: Position, first: int, previous: bytes | None, messages: Sequence[Signed]
) -> TakenIn:
    """Tell what of a batch is new to a receiver at ``cursor``.

    Args:
        cursor: how far the lane has been received.
        first: number of the batch's first message.
        previous: the link that the batch goes on from; ``None`` from a release that kept no chain.
        messages: the batch.

    Raises:
        Gap: if it begins after the awaited message.
        Diverged: if what it repeats, or goes on from, is not what was received.
    """
    overlap = cursor.number + 1 - first
    if overlap < 0:
        raise Gap(f"The batch begins with message {first}, and {cursor.number + 1} is awaited.")
    if overlap > len(messages):
        # All of it is old: a late repetition, or a sender that went back. The acknowledgement tells it which.
        return TakenIn(len(messages), [], cursor)
    if previous is None and cursor.link is None:
        number = first + len(messages) - 1
        return TakenIn(overlap, [None] * (len(messages) - overlap), Position(number, None))
    if previous is not None:
        repeated = links_after(previous, messages[:overlap])
        met = repeated[-1] if repeated else previous
        if cursor.link is not None and met != cursor.link:
            raise Diverged(
                f"After message {cursor.number} the sender's chain is at {met.hex()[:12]}, the receiver's at "
                f"{cursor.link.hex()[:12]}."
            )
    else:
        met = cursor.link or b""
    links = links_after(met, messages[overlap:])
    return TakenIn(overlap, links, Position(first + len(messages) - 1, links[-1] if links else met))


class NoCommonPosition(Exception):
    """Two ends have no position in common from which one of them could make up for what it lost."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """The sender's history holds what the receiver has; it goes on after ``position``.

    Attributes:
        position: where the receiver is.
        went_back: whether the receiver had acknowledged more than that before.
    """

    position: Position
    went_back: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """The sender went back: it needs what the receiver has after this number, and goes on behind that."""

    after: int


def compare(
    received: Position, *, acknowledged: int, own: Callable[[int], Position | None]
) -> Agreed | Wanted:
    """Tell what a sender has to do, now that it knows how far the receiver of its lane is.

    What was acknowledged, both ends had committed. So if the receiver has at least that, the last acknowledged message
    is common to both, whatever either has lost since; and if it has less, its own position is, or there is none.

    Args:
        received: where the receiver is.
        acknowledged: number of the last message that it has acknowledged, as far as the sender remembers.
        own: gives the sender's position at a number, unless it has never sent so far or no longer keeps it.

    Raises:
        NoCommonPosition: if the receiver has less than it had acknowledged, and something else.
    """
    here = own(received.number)
    if here is not None and not _differ(here, received):
        return Agreed(here, went_back=received.number < acknowledged)
    if received.number < acknowledged:
        raise NoCommonPosition(
            f"The receiver has gone back to message {received.number}, where the sender's history is another or no "
            "longer kept."
        )
    return Wanted(acknowledged)


def goes_on_from(position: Position | None, previous: bytes | None) -> bool:
    """Tell whether what a receiver gives back goes on from a position that the sender knows as well."""
    return position is not None and position.link is not None and position.link == previous


def _differ(one: Position, other: Position) -> bool:
    """Positions without a link, of releases that kept no chain, are believed."""
    return one.link is not None and other.link is not None and one.link != other.link
