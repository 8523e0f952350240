"""What a handler is given, and how it refuses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.envelope import Message


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


def hops_to_json(hops: Sequence[Hop]) -> str:
    """Return hops as they are stored and sent."""
    return orjson.dumps([{"node": hop.node, "at": hop.at.isoformat()} for hop in hops]).decode()


def hops_from_json(hops: Sequence[dict[str, str]]) -> tuple[Hop, ...]:
    """Return stored or received hops."""
    return tuple(Hop(hop["node"], datetime.fromisoformat(hop["at"])) for hop in hops)
