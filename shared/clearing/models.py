"""Tables of clearing: the ledger, daily statements and what they differ in, disputes, closed months."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of

CUSTOMERS = "customers"
"""The account of what was credited to this city's own customers."""
CASH = "cash"
"""The account of what this city's tills took for other cities' customers."""
REPAIRS = "repairs"
"""The account of repairs: what this city bears of its customers', less what is due to it for those that it made."""


class ItemKind(StrEnum):
    """What is cleared."""

    PAYMENT = "payment"
    REVERSAL = "reversal"
    REPAIR = "repair"


class StatementState(StrEnum):
    """What two neighbours know of each other's books of one day."""

    AWAITED = "awaited"
    """At a parent: it has booked something, and the child has not said what it has."""
    STATED = "stated"
    """At a child: it has said what it has; the parent has not answered yet."""
    AGREED = "agreed"
    DIFFERS = "differs"


class DisputeState(StrEnum):
    """How far a dispute is."""

    OPEN = "open"
    PROPOSED = "proposed"
    """Somebody has proposed how to resolve it; a second person is to agree."""
    RESOLVED = "resolved"


class ClearingEntry(Base):
    """One payment, reversal or repair as this node books it: one row, two legs. Only added to, as its comment says.

    An account is a neighbour's code, or one of :data:`CUSTOMERS`, :data:`CASH` and :data:`REPAIRS`. Whoever is debited
    owes.
    """

    __tablename__ = "clearing_entry"
    __table_args__ = (
        one_of("kind", ItemKind, "kind"),
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("debit <> credit", name="accounts"),
        CheckConstraint("booked_on >= business_day", name="booked"),
        Index("clearing_entry_item_key", "request_id", "kind", unique=True),
        # With the accounts, so that the items of each neighbour's days are counted without a look at the table.
        Index(
            "clearing_entry_business_day_idx",
            "business_day",
            postgresql_include=["debit", "credit"],
        ),
        Index("clearing_entry_booked_on_idx", "booked_on"),
        {"comment": "append-only: what cities and provinces owe one another"},
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    request_id: Mapped[UUID]
    kind: Mapped[str]
    at: Mapped[datetime]
    """When this node booked it."""
    business_day: Mapped[date]
    """The day on which the home city credited or recorded it: the same at every node."""
    booked_on: Mapped[date]
    """The day to which this node counts it: the same, or the first open one if that day's month was closed."""
    debit: Mapped[str]
    credit: Mapped[str]
    amount_fen: Mapped[int]
    home: Mapped[str]
    visited: Mapped[str]


class ClearingStatement(Base):
    """What this node and a neighbour say of one business day of the account between them."""

    __tablename__ = "clearing_statement"
    __table_args__ = (
        one_of("state", StatementState, "state"),
        CheckConstraint("revision >= 0", name="revision"),
        CheckConstraint("num_nulls(their_items, their_net_fen) IN (0, 2)", name="theirs"),
        Index("clearing_statement_day_idx", "day", "neighbour"),
        Index(
            "clearing_statement_unsettled_idx",
            "neighbour",
            "day",
            postgresql_where=text("state <> 'agreed'"),
        ),
    )

    neighbour: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    revision: Mapped[int]
    """Of the child's statement: it states again when its books of the day have changed; 0 while it is awaited."""
    state: Mapped[str]
    items: Mapped[int]
    net_fen: Mapped[int]
    """What the neighbour owes this node for the day; less than nothing is what this node owes."""
    digest: Mapped[str]
    their_items: Mapped[int | None]
    their_net_fen: Mapped[int | None]
    """What the neighbour owes this node, as the neighbour has it."""
    their_portions: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    """At a parent, the child's digests by portion: only what differs is asked for item by item."""
    stated_at: Mapped[datetime | None]
    compared_at: Mapped[datetime | None]


class ClearingDifference(Base):
    """An item that the two ends of a link do not have alike, until they do."""

    __tablename__ = "clearing_difference"
    __table_args__ = (
        one_of("kind", ItemKind, "kind"),
        CheckConstraint("our_fen IS DISTINCT FROM their_fen", name="differs"),
        Index("clearing_difference_day_idx", "day", "neighbour"),
        Index("clearing_difference_request_id_idx", "request_id"),
    )

    neighbour: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    our_fen: Mapped[int | None]
    """What the neighbour owes for it by this node's books; nothing if it is not in them."""
    their_fen: Mapped[int | None]
    """The same by the neighbour's books."""
    found_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    """When the two had it alike."""


class ClearingDispute(Base):
    """A question about a difference or a day, and how two people settled it."""

    __tablename__ = "clearing_dispute"
    __table_args__ = (
        one_of("state", DisputeState, "state"),
        CheckConstraint(
            "num_nulls(resolution, proposed_by, proposed_at) IN (0, 3)", name="proposal"
        ),
        CheckConstraint("num_nulls(resolved_by, resolved_at) IN (0, 2)", name="resolved"),
        CheckConstraint(
            "CASE state WHEN 'open' THEN resolution IS NULL WHEN 'proposed' THEN resolved_at IS NULL AND resolution IS NOT NULL "
            "ELSE resolved_at IS NOT NULL END",
            name="progress",
        ),
        CheckConstraint("proposed_by <> resolved_by", name="second_person"),
        CheckConstraint("version > 0", name="version"),
        Index("clearing_dispute_day_idx", "day", "neighbour"),
        Index(
            "clearing_dispute_open_key",
            "neighbour",
            "day",
            "request_id",
            unique=True,
            postgresql_where=text("state <> 'resolved'"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    neighbour: Mapped[str]
    day: Mapped[date]
    request_id: Mapped[UUID | None]
    """The payment, reversal or repair; nothing if it is about the day as a whole."""
    reason: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=text("'open'"))
    opened_by: Mapped[str]
    opened_at: Mapped[datetime]
    resolution: Mapped[str | None]
    proposed_by: Mapped[str | None]
    proposed_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    resolved_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))


class ClearingMonth(Base):
    """A month that is closed, or that somebody has proposed to close: what each account came to."""

    __tablename__ = "clearing_month"
    __table_args__ = (
        CheckConstraint("extract(day FROM month) = 1", name="month"),
        CheckConstraint("num_nulls(closed_at, closed_by, positions) IN (0, 3)", name="closed"),
        CheckConstraint("proposed_by <> closed_by", name="second_person"),
    )

    month: Mapped[date] = mapped_column(primary_key=True)
    proposed_by: Mapped[str]
    proposed_at: Mapped[datetime]
    reason: Mapped[str | None]
    """Why it is closed although days of it do not agree."""
    closed_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    positions: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
