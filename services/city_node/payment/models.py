"""Tables of payments: what the visited city took, and what the home city credited."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class Payment(Base):
    """A payment that a till of this city took for another city's customer."""

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("num_nulls(credited_at, business_day) IN (0, 2)", name="credited"),
        CheckConstraint("credited_at IS NULL OR given_back_at IS NULL", name="one_end"),
        CheckConstraint("reversed_at IS NULL OR reversal_id IS NOT NULL", name="reversed"),
        Index("payment_shift_id_idx", "shift_id"),
        Index("payment_taken_at_idx", "taken_at", "request_id"),
        Index(
            "payment_reversal_id_key",
            "reversal_id",
            unique=True,
            postgresql_where=text("reversal_id IS NOT NULL"),
        ),
    )

    request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"), primary_key=True)
    shift_id: Mapped[UUID] = mapped_column(ForeignKey("till_shift.id"))
    amount_fen: Mapped[int]
    receipt_number: Mapped[str] = mapped_column(unique=True)
    taken_at: Mapped[datetime]
    credited_at: Mapped[datetime | None]
    """When the home city credited it, by that city's clock."""
    business_day: Mapped[date | None]
    """The day on which it is cleared."""
    given_back_at: Mapped[datetime | None]
    """When the cash of a refused payment went back over the counter."""
    reversal_id: Mapped[UUID | None]
    """The reversal that was asked for and not refused: one at most."""
    reversed_at: Mapped[datetime | None]
    """When the home city took it back."""


class PaymentReversal(Base):
    """A reversal that this city asked for."""

    __tablename__ = "payment_reversal"
    __table_args__ = (Index("payment_reversal_payment_id_idx", "payment_id"),)

    request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"), primary_key=True)
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payment.request_id"))
    reason: Mapped[str]
    given_back_at: Mapped[datetime | None]


class PaymentCredit(Base):
    """A payment that this city credited to a line of its own."""

    __tablename__ = "payment_credit"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("num_nulls(reversal_id, reversed_at) IN (0, 2)", name="reversed"),
        Index("payment_credit_subscription_id_idx", "subscription_id"),
        Index(
            "payment_credit_reversal_id_key",
            "reversal_id",
            unique=True,
            postgresql_where=text("reversal_id IS NOT NULL"),
        ),
    )

    request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"), primary_key=True)
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscription.id"))
    """Nothing where a restored node had credited a line that its backup does not know: somebody has to find it."""
    amount_fen: Mapped[int]
    credited_at: Mapped[datetime]
    business_day: Mapped[date]
    resumed: Mapped[bool]
    """Whether it resumed a line that was suspended for arrears."""
    reversal_id: Mapped[UUID | None]
    reversed_at: Mapped[datetime | None]
