"""The table of attempts to win customers back."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.city_node.interaction.models import Channel
from shared.kernel.database import Base, one_of


class AttemptResult(StrEnum):
    """What came of an attempt."""

    PLANNED = "planned"
    CONTACTED = "contacted"
    INTERESTED = "interested"
    DECLINED = "declined"
    UNREACHABLE = "unreachable"
    RETURNED = "returned"


class WinBackAttempt(Base):
    """One attempt to win a customer back who left, with the departure that it is about."""

    __tablename__ = "win_back_attempt"
    __table_args__ = (
        one_of("channel", Channel, "channel"),
        one_of("result", AttemptResult, "result"),
        CheckConstraint("result <> 'returned' OR next_due IS NULL", name="next_due"),
        Index(
            "win_back_attempt_due_key",
            "customer_id",
            unique=True,
            postgresql_where=text("next_due IS NOT NULL"),
        ),
        Index(
            "win_back_attempt_returned_key",
            "customer_id",
            "left_on",
            unique=True,
            postgresql_where=text("result = 'returned'"),
        ),
        Index("win_back_attempt_next_due_idx", "next_due", "customer_id", postgresql_where=text("next_due IS NOT NULL")),
        Index("win_back_attempt_customer_id_idx", "customer_id", "at", "id"),
        Index("win_back_attempt_at_idx", "at"),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    at: Mapped[datetime]
    """When it was made, or for when it is planned."""
    staff: Mapped[str]
    """Username of who makes it."""
    channel: Mapped[str]
    offer: Mapped[str | None]
    result: Mapped[str]
    next_due: Mapped[date | None]
    """When to try again: in the customer's latest attempt alone."""
    note: Mapped[str | None]
    left_on: Mapped[date]
    """The departure, which the customer's row forgets when the customer returns."""
    left_reason: Mapped[str | None]
    left_competitor: Mapped[str | None]
    lost_monthly_charge_fen: Mapped[int]
