"""Tables of keys, scans and candidates."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class KeyKind(StrEnum):
    """What two profiles may share."""

    NAME = "name"
    SOUND = "sound"
    PHONE = "phone"
    EMAIL = "email"
    POSTAL = "postal"


class CandidateState(StrEnum):
    """What became of a candidate."""

    OPEN = "open"
    DISMISSED = "dismissed"
    MERGED = "merged"
    OBSOLETE = "obsolete"


class DuplicateKey(Base):
    """One key of one customer, as a hash."""

    __tablename__ = "duplicate_key"
    __table_args__ = (
        one_of("kind", KeyKind, "kind"),
        Index("duplicate_key_block_idx", "value", "kind"),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(primary_key=True)


class DuplicateScan(Base):
    """One scan: what it looked at and found."""

    __tablename__ = "duplicate_scan"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    full: Mapped[bool]
    customers: Mapped[int]
    """How many were compared with the others."""
    keys: Mapped[int]
    blocks_left_out: Mapped[int]
    """Blocks that are too large to tell anything."""
    candidates: Mapped[int]
    """Pairs that reach the threshold, known ones too."""
    opened: Mapped[int]
    """Candidates that are new, or open again."""


class DuplicateCandidate(Base):
    """Two profiles that may be of one customer."""

    __tablename__ = "duplicate_candidate"
    __table_args__ = (
        one_of("state", CandidateState, "state"),
        CheckConstraint("left_id < right_id", name="order"),
        CheckConstraint("score BETWEEN 0 AND 100", name="score"),
        Index("duplicate_candidate_pair_key", "left_id", "right_id", unique=True),
        Index("duplicate_candidate_right_id_idx", "right_id"),
        Index("duplicate_candidate_by_score", "state", "score", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    left_id: Mapped[UUID]
    right_id: Mapped[UUID]
    """No references: a merge ends one of the two, and its undo brings it back."""
    score: Mapped[int]
    reasons: Mapped[dict[str, int]] = mapped_column(JSONB)
    """What counted, and how much."""
    fingerprint: Mapped[str]
    """Of what was compared: a dismissed pair is opened again when it changes."""
    state: Mapped[str]
    found_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    decision: Mapped[str | None]
    """Why it was dismissed."""
    merge_id: Mapped[UUID | None]
    version: Mapped[int]
