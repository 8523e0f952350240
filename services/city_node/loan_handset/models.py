"""Tables of the stock of loan handsets and of what was lent."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class HandsetState(StrEnum):
    """What a loan handset is."""

    IN_STOCK = "in_stock"
    LENT = "lent"
    DAMAGED = "damaged"
    """Came back broken; restocked once it is mended."""
    LOST = "lost"
    WITHDRAWN = "withdrawn"
    """Worn out: it is lent no more."""


class LoanEnding(StrEnum):
    """How a loan ended."""

    RETURNED = "returned"
    DAMAGED = "damaged"
    LOST = "lost"


class LoanHandset(Base):
    """A handset that a hall lends."""

    __tablename__ = "loan_handset"
    __table_args__ = (
        one_of("state", HandsetState, "state"),
        CheckConstraint("version > 0", name="version"),
        Index(
            "loan_handset_available_idx",
            "unit_code",
            "imei",
            postgresql_where=text("state = 'in_stock'"),
        ),
        Index("loan_handset_unit_code_idx", "unit_code", "state"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    imei: Mapped[str] = mapped_column(unique=True)
    make: Mapped[str]
    model: Mapped[str]
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    state: Mapped[str] = mapped_column(server_default=text("'in_stock'"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(server_default=text("1"))


class HandsetLoan(Base):
    """One handing over of a handset, and how it ended."""

    __tablename__ = "handset_loan"
    __table_args__ = (
        one_of("ending", LoanEnding, "ending"),
        CheckConstraint("deposit_fen >= 0", name="deposit"),
        CheckConstraint(
            "num_nulls(ending, ended_at, ended_by, refunded_fen, kept_fen) IN (0, 5)", name="ended"
        ),
        CheckConstraint(
            "ending IS NULL OR refunded_fen >= 0 AND kept_fen >= 0 AND refunded_fen + kept_fen = deposit_fen",
            name="balance",
        ),
        CheckConstraint("ending <> 'returned' OR kept_fen = 0", name="whole"),
        Index(
            "handset_loan_out_key",
            "handset_id",
            unique=True,
            postgresql_where=text("ending IS NULL"),
        ),
        Index(
            "handset_loan_request_key",
            "request_id",
            unique=True,
            postgresql_where=text("ending IS NULL"),
        ),
        Index("handset_loan_handset_id_idx", "handset_id", "lent_at"),
        Index("handset_loan_request_id_idx", "request_id", "lent_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    handset_id: Mapped[UUID] = mapped_column(ForeignKey("loan_handset.id"))
    request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"))
    deposit_fen: Mapped[int]
    """What was taken when it was lent; nothing where it is waived."""
    due_on: Mapped[date]
    lent_at: Mapped[datetime]
    lent_by: Mapped[str]
    ending: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    refunded_fen: Mapped[int | None]
    kept_fen: Mapped[int | None]
    note: Mapped[str | None]
