"""Tables of people's requests about their own data."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class SubjectRequestKind(StrEnum):
    """What the person wants."""

    ACCESS = "access"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"


class SubjectRequest(Base):
    """What a person asked about the own data, and what became of it."""

    __tablename__ = "subject_request"
    __table_args__ = (
        one_of("kind", SubjectRequestKind, "kind"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("deadline >= received_on", name="deadline"),
        Index(
            "subject_request_open_key",
            "customer_id",
            "kind",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("subject_request_deadline_idx", "deadline", "id"),
        Index("subject_request_by_creation", "created_at", "id"),
        Index("subject_request_customer_id_idx", "customer_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    kind: Mapped[str]
    state: Mapped[str]
    details: Mapped[str | None]
    """What the person said."""
    identity_check: Mapped[str | None]
    """How it was established that it is the person, or who speaks for the person."""
    received_on: Mapped[date]
    deadline: Mapped[date]
    """Last day on which it may be answered."""
    refusal_code: Mapped[str | None]
    proposed_by: Mapped[str | None]
    """The first of two people."""
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    updated_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))


class SubjectRequestEvent(Base):
    """One line of a request's trail: written once; only erasure empties its note."""

    __tablename__ = "subject_request_event"
    __table_args__ = (Index("subject_request_event_trail_idx", "request_id", "id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    request_id: Mapped[UUID] = mapped_column(ForeignKey("subject_request.id"))
    at: Mapped[datetime]
    by: Mapped[str]
    event: Mapped[str]
    state: Mapped[str]
    """The state from here on."""
    note: Mapped[str | None]
