"""Tables of changes of the number segments, at HQ."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class ChangeState(StrEnum):
    """What became of a change."""

    WAITING = "waiting"
    """It conflicts, and another person has to look."""
    PUBLISHED = "published"
    REJECTED = "rejected"


class NumberSegmentChange(Base):
    """One change, as somebody asked for it."""

    __tablename__ = "number_segment_change"
    __table_args__ = (
        one_of("state", ChangeState, "state"),
        CheckConstraint("(state = 'waiting') = (decided_at IS NULL)", name="decided"),
        CheckConstraint("(state = 'published') = (first_edition IS NOT NULL)", name="published"),
        CheckConstraint("num_nulls(first_edition, last_edition) IN (0, 2)", name="editions"),
        CheckConstraint("version > 0", name="version"),
        Index("number_segment_change_by_time", "made_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str]
    segments: Mapped[dict[str, str | None]] = mapped_column(JSONB)
    note: Mapped[str]
    conflicts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """What it contradicts, as it was when somebody last looked."""
    conflict_count: Mapped[int]
    made_by: Mapped[str]
    maker_id: Mapped[UUID | None]
    made_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    first_edition: Mapped[int | None]
    last_edition: Mapped[int | None]
    version: Mapped[int]
