"""The table of rotations."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class KeyRotation(Base):
    """One rotation of the keys for personal values: one at a time."""

    __tablename__ = "personal_data_rotation"
    __table_args__ = (
        CheckConstraint("key_id > 1", name="key_id"),
        Index(
            "personal_data_rotation_open_key",
            text("(true)"),
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    key_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """The key that it brings."""
    began_at: Mapped[datetime]
    began_by: Mapped[str]
    ready_at: Mapped[datetime | None]
    """When the key was there."""
    ended_at: Mapped[datetime | None]
