"""The table of contacts between a customer and the operator."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class Channel(StrEnum):
    """By which way the two spoke."""

    CALL_CENTRE = "call_centre"
    HALL = "hall"
    WEB = "web"
    EMAIL = "email"
    MANAGER = "manager"
    SMS = "sms"


class InteractionKind(StrEnum):
    """What it was about."""

    INQUIRY = "inquiry"
    BUSINESS = "business"
    COMPLAINT = "complaint"
    FAULT = "fault"
    VISIT = "visit"
    OUTREACH = "outreach"
    OTHER = "other"


class Interaction(Base):
    """One contact between a customer and the operator, whoever began it."""

    __tablename__ = "interaction"
    __table_args__ = (
        one_of("channel", Channel, "channel"),
        one_of("kind", InteractionKind, "kind"),
        CheckConstraint("subject <> ''", name="subject"),
        CheckConstraint("num_nulls(source, source_key) IN (0, 2)", name="source"),
        Index("interaction_customer_id_idx", "customer_id", "at", "id"),
        Index("interaction_kind_idx", "kind", "at"),
        Index("interaction_source_key", "source", "source_key", unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    at: Mapped[datetime]
    channel: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    summary: Mapped[str | None]
    outcome: Mapped[str | None]
    staff: Mapped[str | None]
    """Who spoke for the operator, as the source has it: a username of this node, or an agent of a call centre."""
    source: Mapped[str | None]
    source_key: Mapped[str | None]
    """Which record of which other system it was loaded from: the same record is loaded once."""
