"""Tables of number segments: the editions as HQ signed them, which are only added to, and what they come to."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class NumberSegmentEdition(Base):
    """One change of the national table, as HQ signed it."""

    __tablename__ = "number_segment_edition"
    __table_args__ = (
        CheckConstraint("number > 0 AND segments > 0", name="number"),
        {"comment": "append-only: editions of the number segments, as HQ signed them"},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[str]
    """The exact text that was signed."""
    signature: Mapped[str]
    """Detached JWS by HQ over ``content``."""
    segments: Mapped[int]
    """How many segments it is about."""
    published_at: Mapped[datetime]
    published_by: Mapped[str]
    note: Mapped[str]
    received_at: Mapped[datetime]


class NumberSegment(Base):
    """What the editions so far say of one segment."""

    __tablename__ = "number_segment"
    __table_args__ = (Index("number_segment_home_idx", "home", "prefix"),)

    prefix: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    home: Mapped[str | None]
    """Division code of the city; nobody's any more without it."""
    edition: Mapped[int]
    """The edition that said so last."""
