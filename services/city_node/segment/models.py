"""Tables of segments, of their versions, and of the lists that were locked."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class Mode(StrEnum):
    """Whether the members are those who meet the condition now, or those of a list."""

    LIVING = "living"
    LOCKED = "locked"


class Act(StrEnum):
    """What made a version."""

    CREATED = "created"
    CHANGED = "changed"
    LOCKED = "locked"
    REFRESHED = "refreshed"
    UNLOCKED = "unlocked"
    DELETED = "deleted"


class Segment(Base):
    """A named condition of a unit, as it is at present."""

    __tablename__ = "segment"
    __table_args__ = (
        CheckConstraint("mode IN ('living', 'locked')", name="mode"),
        CheckConstraint("(mode = 'locked') = (list_version IS NOT NULL)", name="list"),
        Index(
            "segment_name_key",
            "unit_code",
            "name",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    name: Mapped[str]
    description: Mapped[str | None]
    condition: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """In its JSON form."""
    mode: Mapped[str] = mapped_column(server_default=text("'living'"))
    list_version: Mapped[int | None]
    """The version at which the list was made that is the segment now."""
    member_count: Mapped[int | None]
    """Of the list."""
    locked_at: Mapped[datetime | None]
    locked_by: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]
    deleted_at: Mapped[datetime | None]


class SegmentVersion(Base):
    """What a segment was from one change to the next, who made it so, and when."""

    __tablename__ = "segment_version"

    segment_id: Mapped[UUID] = mapped_column(ForeignKey("segment.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    act: Mapped[str]
    name: Mapped[str]
    condition: Mapped[dict[str, Any]] = mapped_column(JSONB)
    mode: Mapped[str]
    list_version: Mapped[int | None]
    member_count: Mapped[int | None]
    at: Mapped[datetime]
    by: Mapped[str]


class SegmentMember(Base):
    """A customer on a list. A list is written once and never changed."""

    __tablename__ = "segment_member"
    __table_args__ = (Index("segment_member_customer_id_idx", "customer_id"),)

    segment_id: Mapped[UUID] = mapped_column(ForeignKey("segment.id"), primary_key=True)
    list_version: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
