"""Tables of reporting: what was confirmed, said and proposed about periods, and what was found wrong."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class AlarmKind(StrEnum):
    """What an alarm says of a slice."""

    OVERDUE = "overdue"
    RECEIVED = "received"


class Fault(StrEnum):
    """What two nodes, or a register and its facts, do not agree on."""

    LACKING = "lacking"
    """A neighbour has a slice that this node does not have."""
    UNKNOWN = "unknown"
    """This node has a slice that its neighbour does not have."""
    CONTRADICTED = "contradicted"
    """The two have different figures as the same revision."""
    DAMAGED = "damaged"
    """The facts here are not those of the slice."""
    TOTAL = "total"
    """A province's total is not that of its cities here."""


class ProposalState(StrEnum):
    """What became of a proposal."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


class Act(StrEnum):
    """What HQ does with a month."""

    CLOSE = "close"
    REOPEN = "reopen"


class ReportingConfirmation(Base):
    """That a city counted a period after its end and found what it had said before."""

    __tablename__ = "reporting_confirmation"

    period: Mapped[str] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(primary_key=True)
    dataset: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int]
    hash: Mapped[str]
    counted_at: Mapped[datetime]
    received_at: Mapped[datetime]


class ReportingStatement(Base):
    """What HQ, or a city's province, has said about a month of a city: closed, reopened, a restatement decided."""

    __tablename__ = "reporting_statement"
    __table_args__ = (
        Index("reporting_statement_month_idx", "month", "node"),
        {"comment": "append-only: statements about months, as their publishers signed them"},
    )

    digest: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of ``content`` in hexadecimal digits."""
    kind: Mapped[str]
    publisher: Mapped[str]
    node: Mapped[str]
    """The city that it is about."""
    month: Mapped[str]
    number: Mapped[int]
    """Of the act; of a decision, the number of the closing that it belongs to."""
    period: Mapped[str | None]
    dataset: Mapped[str | None]
    revision: Mapped[int | None]
    """Of a decision: which restatement."""
    reason: Mapped[str | None]
    said_at: Mapped[datetime]
    said_by: Mapped[str]
    content: Mapped[str]
    """The exact text that was signed, of which the columns above are made."""
    signature: Mapped[str]
    """Detached JWS by the publisher over ``content``."""
    received_at: Mapped[datetime]


class ReportingProposal(Base):
    """That somebody of HQ would have a month closed or opened again."""

    __tablename__ = "reporting_proposal"
    __table_args__ = (
        one_of("act", Act, "act"),
        one_of("state", ProposalState, "state"),
        CheckConstraint("(state = 'proposed') = (decided_at IS NULL)", name="decided"),
        Index(
            "reporting_proposal_open_idx",
            "month",
            unique=True,
            postgresql_where=text("state = 'proposed'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    month: Mapped[str]
    act: Mapped[str]
    reason: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default=text("'proposed'"))
    proposed_by: Mapped[str]
    proposer_id: Mapped[UUID | None]
    proposed_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))


class ReportingWatch(Base):
    """That a period's time was up and what had not come was noted."""

    __tablename__ = "reporting_watch"

    period: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    watched_at: Mapped[datetime]


class ReportingAlarm(Base):
    """That a slice was overdue, or came after it had been."""

    __tablename__ = "reporting_alarm"
    __table_args__ = (
        Index("reporting_alarm_key", "period", "node", "dataset", "kind", unique=True),
        one_of("kind", AlarmKind, "kind"),
        {"comment": "append-only: slices that were overdue, and that they came"},
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    period: Mapped[str]
    node: Mapped[str]
    dataset: Mapped[str]
    kind: Mapped[str]
    at: Mapped[datetime]


class ReportingDifference(Base):
    """What a comparison found, until it is repaired."""

    __tablename__ = "reporting_difference"
    __table_args__ = (
        one_of("fault", Fault, "fault"),
        Index(
            "reporting_difference_open_idx",
            "period",
            "node",
            "dataset",
            "revision",
            "fault",
            "peer",
            unique=True,
            postgresql_where=text("repaired_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    period: Mapped[str]
    node: Mapped[str]
    dataset: Mapped[str]
    revision: Mapped[int]
    fault: Mapped[str]
    peer: Mapped[str]
    """The neighbour; this node itself where it compared with itself."""
    found_at: Mapped[datetime]
    repaired_at: Mapped[datetime | None]
