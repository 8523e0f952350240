"""The table of events."""

from datetime import datetime
from typing import Any

from sqlalchemy import Identity, Index, Sequence, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base

position_sequence = Sequence("event_position_seq", metadata=Base.metadata)
"""Positions: drawn after the commit, by one reader at a time."""


class Event(Base):
    """Something that happened: written by a trigger, numbered by who reads, never changed otherwise."""

    __tablename__ = "event"
    __table_args__ = (
        Index("event_position_key", "position", unique=True),
        Index("event_new_idx", "id", postgresql_where=text("position IS NULL")),
        Index("event_time_idx", "time", postgresql_using="brin"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    position: Mapped[int | None]
    type: Mapped[str] = mapped_column(Text)
    time: Mapped[datetime]
    subject: Mapped[str] = mapped_column(Text)
    unit_code: Mapped[str | None] = mapped_column(Text)
    """The unit that it happened in; empty for what concerns the whole node."""
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
