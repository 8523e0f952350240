"""Tables of billing accounts: what a line has paid in advance, and how that came and went."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class EntryKind(StrEnum):
    """Why a balance changed."""

    CREDITED = "credited"
    """A payment came in."""
    REVERSED = "reversed"
    """A payment was taken back (冲正)."""
    APPLIED = "applied"
    """The balance paid a bill."""
    RELEASED = "released"
    """A bill that the balance had paid is unpaid again, because the payment was taken back."""


class BillingAccount(Base):
    """What a line has paid and no bill has used yet. Made with the line's first payment."""

    __tablename__ = "billing_account"
    __table_args__ = (
        CheckConstraint("balance_fen >= 0", name="balance"),
        CheckConstraint("version > 0", name="version"),
        Index(
            "billing_account_balance_idx",
            "subscription_id",
            postgresql_where=text("balance_fen > 0"),
        ),
    )

    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscription.id"), primary_key=True)
    balance_fen: Mapped[int] = mapped_column(server_default=text("0"))
    suspended_at: Mapped[datetime | None]
    """When the line was suspended for arrears: then, and only then, paying everything resumes it."""
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(server_default=text("1"))


class BillingEntry(Base):
    """One change of a balance. Only added to: the comment of the table says so. Their sum is the balance."""

    __tablename__ = "billing_entry"
    __table_args__ = (
        one_of("kind", EntryKind, "kind"),
        CheckConstraint("(kind IN ('credited', 'released')) = (amount_fen > 0)", name="sign"),
        CheckConstraint("amount_fen <> 0", name="amount"),
        CheckConstraint("(kind IN ('applied', 'released')) = (bill_id IS NOT NULL)", name="bill"),
        Index("billing_entry_subscription_id_idx", "subscription_id", "id"),
        Index(
            "billing_entry_cause_key",
            "cause_id",
            "kind",
            unique=True,
            postgresql_where=text("kind IN ('credited', 'reversed')"),
        ),
        {"comment": "append-only: what became of money that was paid"},
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("billing_account.subscription_id"))
    at: Mapped[datetime]
    kind: Mapped[str]
    amount_fen: Mapped[int]
    bill_id: Mapped[int | None]
    """No foreign key: a bill may be taken back with the import that brought it."""
    cause_id: Mapped[UUID | None]
    """The payment or reversal: each credits, or takes back, once."""
