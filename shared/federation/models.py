"""Tables of the federation."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship

from shared.federation.keys import PublicKey
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
    """Refused at once; what is addressed to it waits until it has joined again."""
    CLOSED = "closed"
    """A neighbour no longer: it moved to another parent, or was retired and is drained."""


class NodeStatus(StrEnum):
    """What the registry says of a node."""

    ACTIVE = "active"
    RETIRED = "retired"
    """Gone for good: nothing is sent to it any more, and what is under way drains."""
    REVOKED = "revoked"
    """Its keys are not to be believed any more."""


class InboxState(StrEnum):
    """What became of a message that arrived."""

    HANDLED = "handled"
    FORWARDED = "forwarded"
    PARKED = "parked"
    DISCARDED = "discarded"
    """Given up by two operators; the row stays, with who and why."""
    DUPLICATE = "duplicate"
    """Came before, by another lane or under another number: kept, since the lane's chain runs over it, and ignored."""


class Peer(Base):
    """A neighbour: the parent or a child."""

    __tablename__ = "federation_peer"

    code: Mapped[str] = mapped_column(primary_key=True)
    relation: Mapped[str]
    status: Mapped[str]
    public_key: Mapped[str]
    """What it joined with: its key until the registry has an entry of it."""
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
    entry: Mapped["RegistryEntry | None"] = relationship(
        primaryjoin=lambda: foreign(Peer.code) == RegistryEntry.code,
        viewonly=True,
        lazy="raise",
        uselist=False,
    )

    def keys_at(self, moment: datetime) -> tuple[PublicKey, ...]:
        """Return the keys that it may have signed with at ``moment``, newest first."""
        if self.entry is None:
            return (PublicKey.from_text(self.public_key),)
        return self.entry.keys_at(moment)


class EnrolmentCode(Base):
    """A one-time code with which a child may join; and once it asks, the request that a second person admits."""

    __tablename__ = "federation_enrolment_code"

    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    child: Mapped[str]
    expires_at: Mapped[datetime]
    created_by: Mapped[str]
    used_at: Mapped[datetime | None]
    """When the child first asked with it; from then on it is good for that child's key alone."""
    moving: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the child may come from another parent."""
    public_key: Mapped[str | None]
    """The key that the child asked with."""
    consent: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The child's own word that it moves here, for HQ."""
    admitted_at: Mapped[datetime | None]
    admitted_by: Mapped[str | None]
    """The second person, who compared the fingerprint."""
    anew: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the lanes with the child began anew when it was admitted."""


class RegistryEntry(Base):
    """A node of the federation as HQ published it."""

    __tablename__ = "federation_registry"

    code: Mapped[str] = mapped_column(primary_key=True)
    parent: Mapped[str | None]
    public_key: Mapped[str]
    """The newest key."""
    version: Mapped[int]
    entered_at: Mapped[datetime]
    """When this version was entered."""
    statement: Mapped[str | None]
    """Detached JWS by HQ over the columns above, all that the first release knows; none if the node is not active."""
    keys: Mapped[list[dict[str, str | None]]] = mapped_column(JSONB, server_default=text("'[]'"))
    """Oldest first, each with ``public_key``, ``valid_from`` and ``expires_at``; empty in the first release's."""
    status: Mapped[str] = mapped_column(server_default=text("'active'"))
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it is not active."""
    former_parents: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    """Those below which it was before: what it said then may still be under way."""
    parent_since: Mapped[int] = mapped_column(server_default=text("1"))
    """The version in which it came below its parent."""
    full_statement: Mapped[str | None]
    """Detached JWS by HQ over all of it."""

    @property
    def is_confirmed(self) -> bool:
        """Whether HQ has signed it; until then it is the word of the parent that entered it."""
        return self.statement is not None or self.full_statement is not None

    @property
    def is_moving(self) -> bool:
        """Whether it has come to this node from another parent and HQ has not said so yet: what it posts waits."""
        return not self.is_confirmed and bool(self.former_parents)

    def all_keys(self) -> list[dict[str, str | None]]:
        """Return every key it lists, oldest first, also as the first release wrote it."""
        single = {
            "public_key": self.public_key,
            "valid_from": self.entered_at.isoformat(),
            "expires_at": None,
        }
        return list(self.keys) or [single]

    def keys_ever(self) -> tuple[PublicKey, ...]:
        """Return every key that the entry lists, newest first: what was signed stays signed when a key has ended."""
        return tuple(
            PublicKey.from_text(str(key["public_key"])) for key in reversed(self.all_keys())
        )

    def keys_at(self, moment: datetime) -> tuple[PublicKey, ...]:
        """Return the keys that the node may have signed with at ``moment``, newest first.

        A key that has a successor ends when it expires: that is how a rotation ends. The newest never does, since
        expiry warns and stops nothing. One that is not yet valid is accepted: its news was overtaken.
        """
        if self.status == NodeStatus.REVOKED:
            return ()
        *earlier, newest = self.all_keys()
        going = [
            key
            for key in earlier
            if key["expires_at"] and datetime.fromisoformat(key["expires_at"]) > moment
        ]
        return tuple(
            PublicKey.from_text(str(key["public_key"])) for key in [newest, *reversed(going)]
        )


class RegistryWord(Base):
    """HQ's last word on how many entries there are, by which a node knows how old its registry is. One row."""

    __tablename__ = "federation_registry_word"

    said_by: Mapped[str] = mapped_column(primary_key=True)
    """HQ's code."""
    as_of: Mapped[datetime]
    count: Mapped[int]
    digest: Mapped[str]
    matches: Mapped[bool]
    """Whether this node's registry was the same when the word came."""


class Retirement(Base):
    """A proposal to retire a node, which a second person approves."""

    __tablename__ = "federation_retirement"

    code: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    proposed_by: Mapped[str]
    proposed_at: Mapped[datetime]
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]


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


class Nonce(Base):
    """A nonce that a peer has used, kept as long as its signature would be taken."""

    __tablename__ = "federation_nonce"

    peer: Mapped[str] = mapped_column(primary_key=True)
    nonce: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
