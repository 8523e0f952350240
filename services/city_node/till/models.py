"""Tables of the till: shifts, and what went in and out of their drawers."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class ShiftState(StrEnum):
    """How far a shift is."""

    OPEN = "open"
    COUNTED = "counted"
    """Cashed up, and the count differs from what should be there: a second person is to confirm."""
    CLOSED = "closed"


class EntryKind(StrEnum):
    """Why cash moved."""

    TAKEN = "taken"
    """A payment was taken."""
    GIVEN_BACK = "given_back"
    """A payment that was refused was given back."""
    REVERSED = "reversed"
    """A payment that had been credited was reversed, and its cash handed out."""
    DEPOSIT = "deposit"
    """A deposit was taken for a loan handset."""
    DEPOSIT_BACK = "deposit_back"
    """A deposit, or what is left of it, was given back."""


INTO = (EntryKind.TAKEN, EntryKind.DEPOSIT)
"""What brings cash in; the rest takes it out."""


class TillShift(Base):
    """One cashier's time at one drawer, from the float that it begins with to the count that it ends with."""

    __tablename__ = "till_shift"
    __table_args__ = (
        one_of("state", ShiftState, "state"),
        CheckConstraint("float_fen >= 0", name="float"),
        CheckConstraint("counted_fen >= 0", name="counted"),
        CheckConstraint(
            "num_nulls(closed_at, expected_fen, counted_fen) = CASE state WHEN 'open' THEN 3 ELSE 0 END",
            name="closed",
        ),
        CheckConstraint("num_nulls(confirmed_at, confirmed_by, note) IN (0, 3)", name="confirmed"),
        CheckConstraint(
            "state <> 'closed' OR counted_fen = expected_fen OR confirmed_at IS NOT NULL",
            name="difference",
        ),
        CheckConstraint("confirmed_by <> cashier", name="second_person"),
        CheckConstraint("version > 0", name="version"),
        Index(
            "till_shift_open_key",
            "cashier_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("till_shift_unit_code_idx", "unit_code", "opened_at"),
        Index("till_shift_by_opening", "opened_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    cashier: Mapped[str]
    cashier_id: Mapped[UUID]
    """No foreign key: an account may be removed, the till's books stay."""
    state: Mapped[str] = mapped_column(server_default=text("'open'"))
    float_fen: Mapped[int]
    """What was in the drawer at the beginning, for change."""
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    expected_fen: Mapped[int | None]
    """What should have been there when it was counted."""
    counted_fen: Mapped[int | None]
    confirmed_at: Mapped[datetime | None]
    confirmed_by: Mapped[str | None]
    note: Mapped[str | None]
    """How the second person explains the difference."""
    version: Mapped[int] = mapped_column(server_default=text("1"))


class TillEntry(Base):
    """Cash that went into a drawer or out of it. Only added to: the comment of the table says so."""

    __tablename__ = "till_entry"
    __table_args__ = (
        one_of("kind", EntryKind, "kind"),
        CheckConstraint("amount_fen <> 0", name="amount"),
        CheckConstraint("(kind IN ('taken', 'deposit')) = (amount_fen > 0)", name="sign"),
        CheckConstraint(
            "(kind IN ('deposit', 'deposit_back')) = (payment_id IS NULL)", name="payment"
        ),
        Index("till_entry_shift_id_idx", "shift_id", "id"),
        Index("till_entry_cause_key", "cause_id", "kind", unique=True),
        Index("till_entry_payment_id_idx", "payment_id"),
        {"comment": "append-only: cash that went in and out of the tills"},
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    shift_id: Mapped[UUID] = mapped_column(ForeignKey("till_shift.id"))
    at: Mapped[datetime]
    kind: Mapped[str]
    amount_fen: Mapped[int]
    """Less than nothing went out."""
    cause_id: Mapped[UUID]
    """The payment, reversal or loan: it moves cash once each way."""
    payment_id: Mapped[UUID | None]
    """The payment that it belongs to; none of a deposit."""
    by: Mapped[str]
