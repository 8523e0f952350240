"""The table of redemptions."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class RedemptionState(StrEnum):
    """Where a redemption is in its life."""

    OPEN = "open"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    REVERSED = "reversed"


RETURNED = (RedemptionState.CANCELLED, RedemptionState.REVERSED)
"""States in which the customer has the points again."""


class Redemption(Base):
    """Points that a customer gave for a reward."""

    __tablename__ = "redemption"
    __table_args__ = (
        one_of("state", RedemptionState, "state"),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("points > 0", name="points"),
        CheckConstraint("num_nulls(settled_at, settled_by) IN (0, 2)", name="settled"),
        Index("redemption_customer_id_idx", "customer_id", "id"),
        Index("redemption_reward_code_idx", "reward_code", "id"),
        Index("redemption_state_idx", "state", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Ordered by time; the cause of its entries in the ledger."""
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    reward_code: Mapped[str] = mapped_column(ForeignKey("reward.code"))
    quantity: Mapped[int]
    points: Mapped[int]
    """What they cost together, at the price of that moment."""
    state: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    settled_at: Mapped[datetime | None]
    """When it was fulfilled last, cancelled or reversed."""
    settled_by: Mapped[str | None]
    reason: Mapped[str | None]
    """Why it was cancelled or reversed."""
    version: Mapped[int]
