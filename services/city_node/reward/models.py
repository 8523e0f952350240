"""The catalogue of rewards."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.city_node.customer.models import ByteOrder
from shared.kernel.database import Base


class Reward(Base):
    """Something that customers get for points."""

    __tablename__ = "reward"
    __table_args__ = (
        CheckConstraint("points > 0", name="points"),
        CheckConstraint("stock >= 0", name="stock"),
        CheckConstraint("valid_until > valid_from", name="valid"),
        CheckConstraint("version > 0", name="version"),
        Index("reward_by_points", "points", "code"),
    )

    code: Mapped[str] = mapped_column(ByteOrder, primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    points: Mapped[int]
    """The price of one."""
    stock: Mapped[int | None]
    """How many are left; without end if nothing is said, such as a month of a data package."""
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    """The first day on which it cannot be had any more."""
    levels: Mapped[list[str]] = mapped_column(JSONB)
    """For customers of these levels; of any if there are none."""
    version: Mapped[int]
    """Of the entry in the catalogue: what stock does, does not raise it."""
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]
