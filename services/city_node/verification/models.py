"""Tables of verification."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.city_node.customer.models import Level
from shared.kernel.database import Base, one_of


class Reason(StrEnum):
    """Why a profile must be verified."""

    BOUNCED = "bounced"
    NEVER = "never"
    STALE = "stale"


class TaskState(StrEnum):
    """What became of a task."""

    OPEN = "open"
    VERIFIED = "verified"
    CORRECTED = "corrected"
    UNREACHABLE = "unreachable"
    CANCELLED = "cancelled"


class VerificationRule(Base):
    """After how many days a profile of a level is stale; ``None`` if it never is."""

    __tablename__ = "verification_rule"
    __table_args__ = (
        one_of("level", Level, "level"),
        CheckConstraint("days > 0", name="days"),
    )

    level: Mapped[str] = mapped_column(primary_key=True)
    days: Mapped[int | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]


class CustomerVerification(Base):
    """When a profile was last verified, and by whom."""

    __tablename__ = "customer_verification"

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    verified_on: Mapped[date]
    verified_by: Mapped[str]


class ContactBounce(Base):
    """A contact medium by which the customer was not reached."""

    __tablename__ = "contact_bounce"
    __table_args__ = (Index("contact_bounce_customer_id_idx", "customer_id"),)

    contact_id: Mapped[UUID] = mapped_column(primary_key=True)
    """No reference: a medium that a merge sets aside keeps what is known of it."""
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    at: Mapped[datetime]
    by: Mapped[str]
    note: Mapped[str | None]


class VerificationTask(Base):
    """Somebody is to verify a profile."""

    __tablename__ = "verification_task"
    __table_args__ = (
        one_of("reason", Reason, "reason"),
        one_of("state", TaskState, "state"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed"),
        Index(
            "verification_task_open_key",
            "customer_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("verification_task_customer_id_idx", "customer_id", "closed_at"),
        Index("verification_task_by_due", "state", "due_on", "id"),
        Index("verification_task_closed_at_idx", "closed_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    reason: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=text("'open'"))
    due_on: Mapped[date]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    note: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
