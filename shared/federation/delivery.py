"""What a handler is given, and how it refuses."""

from dataclasses import dataclass
from datetime import datetime

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
