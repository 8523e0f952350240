"""Tables of the audit log. Both are only added to: their comments say so, and the node's role may do nothing else."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class Source(StrEnum):
    """What an action came through."""

    REST = "rest"
    COMMAND = "command"
    IMPORT = "import"
    MESSAGE = "message"


class AuditRecord(Base):
    """One action: who did what to whom or what, when, and what of it was seen or changed."""

    __tablename__ = "audit_record"
    __table_args__ = (
        # The order in which records are sealed; the other three are what is searched by.
        Index("audit_record_order_idx", "era", "xid", "id"),
        Index("audit_record_subject_idx", "subject_id", "id"),
        Index("audit_record_by_idx", "by", "id"),
        Index("audit_record_at_idx", "at", postgresql_using="brin"),
        {"comment": "append-only: who did what, and who looked at whom"},
    )
    __mapper_args__ = {"eager_defaults": False}  # noqa: RUF012 - SQLAlchemy's own name

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str]
    """Username; ``command:NAME`` of whoever ran a command on the machine; a peer's division code."""
    user_id: Mapped[UUID | None]
    role: Mapped[str | None]
    unit_code: Mapped[str | None]
    unit_path: Mapped[str | None]
    """Where in the tree the person's unit was; those above see the record. ``None`` without a unit."""
    action: Mapped[str]
    subject_type: Mapped[str | None]
    subject_id: Mapped[str | None]
    fields: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    """Names of what was seen or changed, never values."""
    source: Mapped[str]
    trace_id: Mapped[str | None]
    cause_id: Mapped[UUID | None]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    era: Mapped[int] = mapped_column(server_default=text("(pg_control_system()).system_identifier"))
    """The server that gave ``xid``: a database that is dumped and restored elsewhere counts anew there."""
    xid: Mapped[int] = mapped_column(server_default=text("pg_current_xact_id()::text::bigint"))
    """The transaction that wrote it."""


class AuditSeal(Base):
    """A link of the chain: what the records of some transactions were when it was made."""

    __tablename__ = "audit_seal"
    __table_args__ = (
        Index("audit_seal_era_idx", "era", "number"),
        {"comment": "append-only: the chain over the audit records"},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 1 on, without a gap."""
    at: Mapped[datetime]
    era: Mapped[int]
    until_xid: Mapped[int]
    """With ``in_progress`` a snapshot: every transaction below ``until_xid`` was over, except those."""
    in_progress: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    records: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    digests: Mapped[bytes]
    """For each record in order its id (8 bytes) and the SHA-256 of its content (32 bytes)."""
    previous: Mapped[bytes]
    """The link before; 32 zero bytes in the first."""
    link: Mapped[bytes]
    """SHA-256 of all that precedes."""
    key: Mapped[str]
    """The node's public key then, as its registry writes it."""
    signature: Mapped[bytes]
    """Ed25519 over ``link``."""
