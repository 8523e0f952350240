"""Tables of why customers leave and to whom they go."""

from datetime import datetime

from sqlalchemy import CheckConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class DepartureReason(Base):
    """One reason of the catalogue, and how long the records of those who left for it are kept."""

    __tablename__ = "departure_reason"
    __table_args__ = (
        CheckConstraint("code ~ '^[a-z][a-z0-9_]{0,39}$'", name="code"),
        CheckConstraint(
            "individual_retention_days >= 0 AND group_retention_days >= 0", name="retention"
        ),
        CheckConstraint("version > 0", name="version"),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    individual_retention_days: Mapped[int | None]
    """Days from leaving to erasure; the node's setting without it."""
    group_retention_days: Mapped[int | None]
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    """Whether it may be given to customers who leave from now on."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_by: Mapped[str]


class Competitor(Base):
    """Another operator that customers of this node go to."""

    __tablename__ = "competitor"
    __table_args__ = (
        CheckConstraint("code ~ '^[a-z][a-z0-9_]{0,39}$'", name="code"),
        CheckConstraint("version > 0", name="version"),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_by: Mapped[str]
