"""Tables of what a node keeps to be able to show: receipts, heads, what was mended, how others are, what they say."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class Mended(StrEnum):
    """What two ends of a lane did to agree again after a restore."""

    SENT_AGAIN = "sent-again"
    """The peer had gone back: it is sent again what it had acknowledged before."""
    RECEIVED_AGAIN = "received-again"
    """This node had gone back: the peer sends again what it had acknowledged before."""
    RECOVERED = "recovered"
    """This node had gone back: the peer gave back what this node had sent."""
    RENUMBERED = "renumbered"
    """This node had gone back: what it has numbered since, the peer will receive under new numbers."""
    ADOPTED = "adopted"
    """An operator let the lane go on from what the receiver has, whatever that is."""
    GIVEN_BACK = "given-back"
    """The peer had gone back: it was given what it had sent."""


class NoticeKind(StrEnum):
    """What another node tells the origin about one of its messages."""

    PARKED = "parked"
    DISCARDED = "discarded"


class Receipt(Base):
    """A signed acknowledgement: one that a peer gave for what it was sent, or one that this node gave."""

    __tablename__ = "federation_receipt"

    peer: Mapped[str] = mapped_column(primary_key=True)
    lane: Mapped[str] = mapped_column(primary_key=True)
    direction: Mapped[str] = mapped_column(primary_key=True)
    """Out: for what this node sent, signed by the peer. In: for what it received, signed by this node."""
    number: Mapped[int] = mapped_column(primary_key=True)
    """Everything up to this message is received and committed."""
    link: Mapped[bytes]
    statement: Mapped[str] = mapped_column(Text)
    """The receiver's JWS over all of this (:mod:`shared.federation.receipt`)."""
    at: Mapped[datetime] = mapped_column(index=True)


class Head(Base):
    """Where a lane stood by a peer's own word, which it sends once a day."""

    __tablename__ = "federation_head"

    peer: Mapped[str] = mapped_column(primary_key=True)
    lane: Mapped[str] = mapped_column(primary_key=True)
    direction: Mapped[str] = mapped_column(primary_key=True)
    """Seen from this node."""
    number: Mapped[int] = mapped_column(primary_key=True)
    link: Mapped[bytes]
    at: Mapped[datetime] = mapped_column(index=True)
    message_id: Mapped[UUID]
    """The peer's signed message that said so."""


class Reconciliation(Base):
    """What had to be mended on a lane because one of its ends was restored from a backup."""

    __tablename__ = "federation_reconciliation"

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    peer: Mapped[str]
    epoch: Mapped[int]
    """Of the link with the peer, from this event on."""
    lane: Mapped[str]
    direction: Mapped[str]
    event: Mapped[str]
    from_number: Mapped[int]
    to_number: Mapped[int]


class NodeReport(Base):
    """What a node at or below this one last told of itself."""

    __tablename__ = "federation_node_report"

    code: Mapped[str] = mapped_column(primary_key=True)
    parent: Mapped[str | None]
    version: Mapped[str]
    at: Mapped[datetime]
    """By the node's own clock."""
    received_at: Mapped[datetime] = mapped_column(index=True)
    waiting: Mapped[int]
    oldest_seconds: Mapped[float]
    parked: Mapped[int]
    stopped: Mapped[int]
    failures: Mapped[int]
    epoch: Mapped[int]
    links: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)


class Notice(Base):
    """What another node told this one about a message that this one had posted."""

    __tablename__ = "federation_notice"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The id of the message that brought the notice."""
    message_id: Mapped[UUID] = mapped_column(index=True)
    """The id of this node's own message."""
    type: Mapped[str]
    """The type of this node's own message."""
    kind: Mapped[str]
    node: Mapped[str]
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(index=True)
