"""Tables of levels: results, appointments, reviews, and how levels moved."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.city_node.customer.models import Level
from services.city_node.evaluation.models import Result, of_each_customer
from shared.kernel.database import Base, one_of


class Basis(StrEnum):
    """Why somebody is entitled to a level."""

    SPEND = "spend"
    APPOINTMENT = "appointment"
    GROUP = "group"


class LevelResult(Result):
    """The level that a customer is to hold by the rule; what the customer holds is in the profile."""

    __tablename__ = "level_result"
    __table_args__ = (
        of_each_customer("level_result"),
        one_of("level", Level, "level"),
        one_of("entitled", Level, "entitled"),
        one_of("basis", Basis, "basis"),
        CheckConstraint("num_nulls(grace_level, grace_until) IN (0, 2)", name="grace"),
    )

    level: Mapped[str]
    entitled: Mapped[str]
    """The level without grace."""
    basis: Mapped[str]
    grace_level: Mapped[str | None]
    """The higher level that the customer held when the conditions for it ceased."""
    grace_until: Mapped[date | None]
    """First day on which it is kept no longer."""


class AppointmentState(StrEnum):
    """Where an appointment is in its life."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


class LevelAppointment(Base):
    """A level that a person grants, with a reason, for a time, and that a second person approves."""

    __tablename__ = "level_appointment"
    __table_args__ = (
        one_of("level", Level, "level"),
        one_of("state", AppointmentState, "state"),
        CheckConstraint("level <> 'standard'", name="key_level"),
        CheckConstraint("until > since", name="term"),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("(state = 'proposed') = (decided_at IS NULL)", name="decided"),
        CheckConstraint("num_nulls(decided_at, decided_by) IN (0, 2)", name="decision"),
        Index("level_appointment_customer_id_idx", "customer_id", "id"),
        Index(
            "level_appointment_approved_idx",
            "customer_id",
            postgresql_where=text("state = 'approved'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    level: Mapped[str]
    reason: Mapped[str]
    since: Mapped[date]
    until: Mapped[date]
    """First day on which it holds no longer."""
    state: Mapped[str]
    proposed_at: Mapped[datetime]
    proposed_by: Mapped[str]
    proposer_id: Mapped[UUID]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    note: Mapped[str | None]
    """Why it was rejected, or ended before its time."""
    version: Mapped[int] = mapped_column(server_default=text("1"))


class ReviewState(StrEnum):
    """Where a review is in its life."""

    DRAFT = "draft"
    APPROVED = "approved"
    APPLIED = "applied"
    DISCARDED = "discarded"


class LevelReview(Base):
    """The list of customers of a unit who are to hold another level, for approval as a whole."""

    __tablename__ = "level_review"
    __table_args__ = (
        one_of("state", ReviewState, "state"),
        CheckConstraint("(state IN ('approved', 'applied')) = (approved_at IS NOT NULL)", name="approved"),
        CheckConstraint("num_nulls(approved_at, approved_by) IN (0, 2)", name="approval"),
        Index(
            "level_review_draft_key",
            "unit_code",
            unique=True,
            postgresql_where=text("state IN ('draft', 'approved')"),
        ),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(primary_key=True)
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    state: Mapped[str]
    as_of: Mapped[date]
    policy: Mapped[str]
    """What was in force when the list was made; each line's result names its own."""
    line_count: Mapped[int]
    applied_count: Mapped[int] = mapped_column(server_default=text("0"))
    skipped_count: Mapped[int] = mapped_column(server_default=text("0"))
    """Lines whose customer had another level by then, or had left."""
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    creator_id: Mapped[UUID | None]
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[str | None]
    finished_at: Mapped[datetime | None]
    work_id: Mapped[UUID | None]
    """The work that applies it."""
    version: Mapped[int] = mapped_column(server_default=text("1"))


class LevelReviewLine(Base):
    """One customer of the list."""

    __tablename__ = "level_review_line"
    __table_args__ = (
        one_of("from_level", Level, "from_level"),
        one_of("to_level", Level, "to_level"),
        CheckConstraint("num_nulls(left_out_by, left_out_reason) IN (0, 2)", name="left_out"),
        Index("level_review_line_customer_id_idx", "customer_id"),
    )

    review_id: Mapped[UUID] = mapped_column(ForeignKey("level_review.id"), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    unit_code: Mapped[str]
    from_level: Mapped[str]
    to_level: Mapped[str]
    basis: Mapped[str]
    left_out_by: Mapped[str | None]
    left_out_reason: Mapped[str | None]
    done: Mapped[bool | None]
    """Whether the level was changed; nothing until the line's turn."""


class LevelMigration(Base):
    """One move of a customer from a level to another, whatever made it: kept for statistics."""

    __tablename__ = "level_migration"
    __table_args__ = (
        Index("level_migration_at_idx", "at"),
        Index("level_migration_customer_id_idx", "customer_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    customer_id: Mapped[UUID]
    at: Mapped[datetime]
    unit_code: Mapped[str]
    """Who looked after the customer then."""
    from_level: Mapped[str]
    to_level: Mapped[str]
    by: Mapped[str]
    source: Mapped[str]
    """As the customer's history has it."""
    cause_id: Mapped[UUID | None]
    """The review, proposal or import that made the move."""
