"""Tables of the ledger of points, and of what people do to it by hand."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.city_node.points.chart import FIRST_CUSTOMER_ACCOUNT, postings_check
from services.city_node.points.marking import mark_bills
from shared.kernel.database import Base, one_of


class PointsAccount(Base):
    """An account of a customer. After a merge a customer has several; what is earned goes to the primary one."""

    __tablename__ = "points_account"
    __table_args__ = (
        CheckConstraint("num_nulls(frozen_at, frozen_by, frozen_reason) IN (0, 3)", name="frozen"),
        CheckConstraint("version > 0", name="version"),
        Index("points_account_customer_id_idx", "customer_id"),
        Index(
            "points_account_primary_key",
            "customer_id",
            unique=True,
            postgresql_where=text("is_primary"),
        ),
    )

    id: Mapped[int] = mapped_column(
        Identity(always=True, start=FIRST_CUSTOMER_ACCOUNT), primary_key=True
    )
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    is_primary: Mapped[bool] = mapped_column(server_default=text("true"))
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    """When the customer was erased, and what was left forfeited."""
    frozen_at: Mapped[datetime | None]
    frozen_by: Mapped[str | None]
    frozen_reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """Of what people did: bills and expiry do not raise it, so that a merge can be undone after them."""


class PointsBalance(Base):
    """What is in an account: a row of its own, because it changes often and the account seldom."""

    __tablename__ = "points_balance"
    __table_args__ = (CheckConstraint("balance >= 0", name="balance"),)

    account_id: Mapped[int] = mapped_column(ForeignKey("points_account.id"), primary_key=True)
    balance: Mapped[int] = mapped_column(server_default=text("0"))


class PointsLot(Base):
    """The points of an account that expire on one day."""

    __tablename__ = "points_lot"
    __table_args__ = (
        CheckConstraint("remaining >= 0", name="remaining"),
        Index("points_lot_expires_on_idx", "expires_on", "account_id"),
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("points_account.id"), primary_key=True)
    expires_on: Mapped[date] = mapped_column(primary_key=True)
    """The first day on which they cannot be used any more."""
    remaining: Mapped[int]


class PointsEntry(Base):
    """Points of one lot that moved from one account to another. Only added to: the comment of the table says so.

    The accounts are no foreign keys: a posting of a whole city would check each twice. What an entry names has a
    balance, which is written with it and has the foreign key; ``guanxi points verify`` looks.
    """

    __tablename__ = "points_entry"
    __table_args__ = (
        CheckConstraint("points > 0", name="points"),
        CheckConstraint("debit_id <> credit_id", name="accounts"),
        CheckConstraint(postings_check(), name="posting"),
        Index(
            "points_entry_credit_idx",
            "credit_id",
            "id",
            postgresql_where=text(f"credit_id >= {FIRST_CUSTOMER_ACCOUNT}"),
        ),
        Index(
            "points_entry_debit_idx",
            "debit_id",
            "id",
            postgresql_where=text(f"debit_id >= {FIRST_CUSTOMER_ACCOUNT}"),
        ),
        Index(
            "points_entry_cause_id_idx",
            "cause_id",
            postgresql_where=text("cause_id IS NOT NULL"),
        ),
        # Entries are written in order of time: a few pages that tell where those of a period lie.
        Index("points_entry_at_idx", "at", postgresql_using="brin"),
        {"comment": "append-only: the ledger of points"},
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(Text)
    debit_id: Mapped[int]
    credit_id: Mapped[int]
    points: Mapped[int]
    expires_on: Mapped[date]
    """Of the lot; both accounts' lot, where both are customers'."""
    bill_id: Mapped[int | None]
    cause_id: Mapped[UUID | None]
    """The redemption, adjustment or transfer."""


class PointsBasis(Base):
    """A reference of a policy by which bills were judged, so that millions of them hold a number."""

    __tablename__ = "points_basis"

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)


class PointsAccrual(Base):
    """What a bill has earned, and what it was computed from; nothing for a bill that earned nothing."""

    __tablename__ = "points_accrual"
    __table_args__ = (CheckConstraint("points >= 0", name="points"),)

    bill_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account_id: Mapped[int]
    """No foreign key: the balance that is written with it has one."""
    points: Mapped[int]
    """What the ledger has for the bill."""
    waived: Mapped[int]
    """What had been used when the bill became smaller, and could not be taken back."""
    charge_fen: Mapped[int]
    """What counted; the bill is judged again when it differs."""
    rate_permille: Mapped[int] = mapped_column(Integer)
    """By level, tenure and credit, as they were when the bill was judged first."""
    expires_on: Mapped[date]
    basis_id: Mapped[int] = mapped_column(Integer)
    level: Mapped[str] = mapped_column(Text)
    campaign: Mapped[str | None] = mapped_column(Text)


class PointsDue(Base):
    """Bills that came, changed or went and are to be judged: ids from ``first_id`` to ``last_id``.

    Triggers on ``bill`` write it, a row for each run of ids: one for a bulk load, one for each bill that is changed.
    """

    __tablename__ = "points_due"
    __table_args__ = (CheckConstraint("first_id <= last_id", name="range"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    first_id: Mapped[int]
    last_id: Mapped[int]
    gone: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether they were deleted."""


mark_bills(Base.metadata)


class AdjustmentState(StrEnum):
    """What became of an adjustment."""

    PENDING = "pending"
    DONE = "done"
    REJECTED = "rejected"


class PointsAdjustment(Base):
    """Points that somebody adds or takes away, with a second person if they are many."""

    __tablename__ = "points_adjustment"
    __table_args__ = (
        one_of("state", AdjustmentState, "state"),
        CheckConstraint("points <> 0", name="points"),
        CheckConstraint(
            "state = 'pending' OR num_nulls(decided_at, decided_by) = 0", name="decided"
        ),
        Index("points_adjustment_customer_id_idx", "customer_id"),
        Index("points_adjustment_state_idx", "state", "requested_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    points: Mapped[int]
    """Less than nothing takes away."""
    reason: Mapped[str]
    state: Mapped[str]
    requested_at: Mapped[datetime]
    requested_by: Mapped[str]
    requester_id: Mapped[UUID]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    decision: Mapped[str | None]
    """Why it was rejected."""
    version: Mapped[int] = mapped_column(server_default=text("1"))


class PointsTransfer(Base):
    """Points that one customer gave to another."""

    __tablename__ = "points_transfer"
    __table_args__ = (
        CheckConstraint("points > 0", name="points"),
        Index("points_transfer_giver_id_idx", "giver_id"),
        Index("points_transfer_receiver_id_idx", "receiver_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    giver_id: Mapped[int] = mapped_column(ForeignKey("points_account.id"))
    """The primary account of who gave: accounts follow a merge by themselves."""
    receiver_id: Mapped[int] = mapped_column(ForeignKey("points_account.id"))
    points: Mapped[int]
    note: Mapped[str | None]
    at: Mapped[datetime]
    by: Mapped[str]
