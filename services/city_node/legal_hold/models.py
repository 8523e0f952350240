"""The table of legal holds."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class LegalHold(Base):
    """One reason why a customer's records must not be erased, until two people have lifted it."""

    __tablename__ = "legal_hold"
    __table_args__ = (
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("num_nulls(lift_proposed_at, lift_proposed_by, lift_reason) IN (0, 3)", name="proposal"),
        CheckConstraint("num_nulls(lifted_at, lifted_by) IN (0, 2)", name="lifted"),
        CheckConstraint("lifted_by <> lift_proposed_by", name="two_persons"),
        Index(
            "legal_hold_standing_idx", "customer_id", postgresql_where=text("lifted_at IS NULL")
        ),
        Index("legal_hold_customer_id_idx", "customer_id", "placed_at", "id"),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    reason: Mapped[str]
    placed_at: Mapped[datetime]
    placed_by: Mapped[str]
    lift_reason: Mapped[str | None]
    lift_proposed_at: Mapped[datetime | None]
    lift_proposed_by: Mapped[str | None]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None]
    """Somebody else than who proposed it."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
