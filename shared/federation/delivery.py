"""Who handles a message, what a handler is given, and how it refuses or fails."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.envelope import Message
from shared.kernel.database import is_away

_PASSING_DATABASE_ERRORS = frozenset({"40001", "40P01", "55P03", "57014"})
"""Serialisation failure, deadlock, lock not available, query cancelled: the batch is simply received again."""
_PASSING_CLASSES = frozenset({"53", "58"})
"""Insufficient resources, such as a full disk, and system errors: they are the server's, and no message's."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A node that a message passed, and when."""

    node: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it arrives, with the transaction that receives it.

    Attributes:
        message: the verified envelope.
        hops: the nodes that it passed on its way here, the origin first, this node last.
        session: the receiver's transaction; the handler's effects and answers belong to it.
        now: the moment of receipt.
        transit: whether the message only passes through this node.
    """

    message: Message
    hops: tuple[Hop, ...]
    session: AsyncSession
    now: datetime
    transit: bool = False


class MessageRefused(Exception):
    """The handler refuses the message for good; it is parked with this sentence, for an operator to see."""


@dataclass(frozen=True, slots=True)
class Route:
    """Who handles a type of message, and whether also when it only passes through.

    ``handle_together`` is given several of the type that came one after another, all of one transaction. If it fails,
    nothing of them is done, and they are given again in halves, down to single ones, which are ``handle``'s.
    ``recovered`` is told of this node's own messages of the type that a peer gave back after a restore.
    """

    handle: Callable[[Delivery], Awaitable[None]]
    transit: bool = False
    recovered: Callable[[Delivery], Awaitable[None]] | None = None
    handle_together: Callable[[Sequence[Delivery]], Awaitable[None]] | None = None


Handlers = Mapping[str, Route]


def hops_to_json(hops: Sequence[Hop]) -> str:
    """Return hops as they are stored and sent."""
    return orjson.dumps([{"node": hop.node, "at": hop.at.isoformat()} for hop in hops]).decode()


def hops_from_json(hops: Sequence[dict[str, str]]) -> tuple[Hop, ...]:
    """Return stored or received hops."""
    return tuple(Hop(hop["node"], datetime.fromisoformat(hop["at"])) for hop in hops)


def is_passing(error: Exception) -> bool:
    """Tell whether an error says nothing of the message at hand: the database is away, or two transactions met."""
    if is_away(error):
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    sqlstate = str(getattr(cause, "sqlstate", ""))
    return sqlstate in _PASSING_DATABASE_ERRORS or sqlstate[:2] in _PASSING_CLASSES
