"""Tables of the federation."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class Lane(StrEnum):
    """A sequence of messages between two peers, most urgent first."""

    CONTROL = "control"
    REQUEST = "request"
    ROLLUP = "rollup"
    BULK = "bulk"


class Direction(StrEnum):
    """Which way a lane runs, seen from this node."""

    OUT = "out"
    IN = "in"


class Relation(StrEnum):
    """What a peer is to this node."""

    PARENT = "parent"
    CHILD = "child"


class PeerStatus(StrEnum):
    """Whether a peer may speak."""

    ACTIVE = "active"
    REVOKED = "revoked"


class InboxState(StrEnum):
    """What became of a message that arrived."""

    HANDLED = "handled"
    FORWARDED = "forwarded"
    PARKED = "parked"
    DISCARDED = "discarded"
    """Given up by two operators; the row stays, with who and why."""
    DUPLICATE = "duplicate"
    """Came before, by another lane or under another number: kept, since the lane's chain runs over it, and ignored."""


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


class Peer(Base):
    """A neighbour: the parent or a child."""

    __tablename__ = "federation_peer"

    code: Mapped[str] = mapped_column(primary_key=True)
    relation: Mapped[str]
    status: Mapped[str]
    public_key: Mapped[str]
    url: Mapped[str | None]
    """Where to reach it; empty for a child, which always dials."""
    enrolled_at: Mapped[datetime]
    last_contact_at: Mapped[datetime | None]
    """When the peer was last heard from."""
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    """Exchanges that failed in a row."""
    retry_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    epoch: Mapped[int] = mapped_column(server_default=text("1"))
    """Grows by one whenever the two had to reconcile because one of them was restored from a backup."""
    version: Mapped[str | None]
    """The release that it runs, as it said when the two last met."""
    clock_offset_seconds: Mapped[float] = mapped_column(server_default=text("0"))
    """How far its clock is ahead of this node's, as long as they differ by more than signatures allow."""


class EnrolmentCode(Base):
    """A one-time code with which a child may join."""

    __tablename__ = "federation_enrolment_code"

    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    child: Mapped[str]
    expires_at: Mapped[datetime]
    created_by: Mapped[str]
    used_at: Mapped[datetime | None]


class RegistryEntry(Base):
    """A node of the federation as HQ published it; ``statement`` is HQ's signature over the rest."""

    __tablename__ = "federation_registry"

    code: Mapped[str] = mapped_column(primary_key=True)
    parent: Mapped[str | None]
    public_key: Mapped[str]
    version: Mapped[int]
    entered_at: Mapped[datetime]
    statement: Mapped[str | None]
    """Detached JWS by HQ over the entry; empty while HQ has not yet confirmed what the parent enrolled."""


class LaneState(Base):
    """How far one lane has got in one direction."""

    __tablename__ = "federation_lane"

    peer: Mapped[str] = mapped_column(ForeignKey(Peer.code), primary_key=True)
    lane: Mapped[str] = mapped_column(primary_key=True)
    direction: Mapped[str] = mapped_column(primary_key=True)
    numbered: Mapped[int] = mapped_column(server_default=text("0"))
    """Out: the last sequence number given. In: the last one received and committed."""
    acknowledged: Mapped[int] = mapped_column(server_default=text("0"))
    """Out: the last one that the peer has acknowledged. In: the last one whose receipt the peer has."""
    link: Mapped[bytes | None]
    """The chain's link at ``numbered``; empty where the lane was begun by a release that kept no chain."""
    acknowledged_link: Mapped[bytes | None]
    """The chain's link at ``acknowledged``."""
    stopped_because: Mapped[str | None] = mapped_column(Text)
    """Why the two ends cannot agree on this lane by themselves; nothing moves on it until an operator acts."""
    adopts: Mapped[bool] = mapped_column(server_default=text("false"))
    """Out: an operator has decided to go on from whatever the receiver has."""


class OutboxMessage(Base):
    """A message on its way to a peer."""

    __tablename__ = "federation_outbox"
    __table_args__ = (
        UniqueConstraint("peer", "lane", "sequence"),
        Index("federation_outbox_unrouted", "destination", postgresql_where=text("peer IS NULL")),
        Index(
            "federation_outbox_unnumbered",
            "peer",
            "lane",
            "position",
            postgresql_where=text("sequence IS NULL"),
        ),
    )

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    message_id: Mapped[UUID] = mapped_column(index=True)
    peer: Mapped[str | None]
    """The next hop; empty while the node has not joined its parent."""
    lane: Mapped[str]
    sequence: Mapped[int | None]
    type: Mapped[str]
    destination: Mapped[str]
    envelope: Mapped[bytes]
    signature: Mapped[str]
    hops: Mapped[list[dict[str, str]]] = mapped_column(JSONB)
    posted_at: Mapped[datetime] = mapped_column(index=True)
    link: Mapped[bytes | None]
    """The chain's link at this message."""


class InboxMessage(Base):
    """A message that arrived."""

    __tablename__ = "federation_inbox"
    __table_args__ = (
        Index(
            "federation_inbox_parked",
            "origin",
            "partition_key",
            "arrival",
            postgresql_where=text("state = 'parked'"),
        ),
        Index(
            "federation_inbox_once",
            "origin",
            "message_id",
            unique=True,
            postgresql_where=text("state <> 'duplicate'"),
        ),
        Index("federation_inbox_chain", "peer", "lane", "sequence"),
    )

    arrival: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    origin: Mapped[str]
    message_id: Mapped[UUID]
    peer: Mapped[str]
    lane: Mapped[str]
    type: Mapped[str]
    destination: Mapped[str]
    partition_key: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str | None] = mapped_column(Text)
    envelope: Mapped[bytes]
    signature: Mapped[str]
    hops: Mapped[list[dict[str, str]]] = mapped_column(JSONB)
    received_at: Mapped[datetime] = mapped_column(index=True)
    settled_at: Mapped[datetime | None]
    discard_reason: Mapped[str | None] = mapped_column(Text)
    discard_proposed_by: Mapped[str | None]
    discard_proposed_at: Mapped[datetime | None]
    discarded_by: Mapped[str | None]
    """The second person; ``settled_at`` is when."""
    sequence: Mapped[int | None]
    link: Mapped[bytes | None]
    """The chain's link at this message."""


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


class Nonce(Base):
    """A nonce that a peer has used, kept as long as its signature would be taken."""

    __tablename__ = "federation_nonce"

    peer: Mapped[str] = mapped_column(primary_key=True)
    nonce: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
