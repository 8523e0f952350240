"""Tables of requests between cities."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.city_node.service_request.trail import notify_of_lines
from shared.kernel.database import Base


class ServiceRequest(Base):
    """One end's record of a request; the other end has one under the same id."""

    __tablename__ = "service_request"
    __table_args__ = (
        CheckConstraint("role IN ('visited', 'home')", name="role"),
        CheckConstraint("home <> visited", name="ends"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("num_nulls(refusal_code, refusal_text) IN (0, 2)", name="refusal"),
        CheckConstraint(
            "num_nulls(attention_code, attention_text, attention_since) IN (0, 3)", name="attention"
        ),
        CheckConstraint("ended_at IS NULL OR attend_at IS NULL", name="attend"),
        Index(
            "service_request_open_idx", "deadline", "id", postgresql_where=text("ended_at IS NULL")
        ),
        Index("service_request_by_creation", "created_at", "id"),
        Index("service_request_by_update", "updated_at", "id"),
        Index("service_request_by_kind", "kind", "id"),
        Index("service_request_unit_code_idx", "unit_code"),
        Index(
            "service_request_attend_idx",
            "attend_at",
            "id",
            postgresql_where=text("attend_at IS NOT NULL"),
        ),
        Index(
            "service_request_attention_idx",
            "attention_since",
            "id",
            postgresql_where=text("attention_code IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    role: Mapped[str]
    """Which end this record is."""
    home: Mapped[str]
    visited: Mapped[str]
    state: Mapped[str]
    awaiting: Mapped[str | None]
    """Whose move it is: ``visited``, ``home``, or nobody's once it has ended."""
    subject: Mapped[str]
    """What it is about, masked."""
    deadline: Mapped[datetime]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """What the kind keeps; no personal number in clear."""
    refusal_code: Mapped[str | None]
    refusal_text: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    """Whose request it is at this end: the asking hall, or the unit that the customer belongs to."""
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    attend_at: Mapped[datetime | None]
    """When a person is called if the record is still where it is."""
    attention_code: Mapped[str | None]
    """Why a person is called; the record's next move, or a person's word, settles it."""
    attention_text: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    attention_since: Mapped[datetime | None]
    question: Mapped[str | None]
    """What home was asked, sealed for this node itself until it is answered: to be asked again elsewhere."""


class MovedNumber(Base):
    """Where a number is at home that this node knows to have moved."""

    __tablename__ = "moved_number"
    __table_args__ = (
        CheckConstraint("epoch > 0", name="epoch"),
        CheckConstraint("learned = (epoch IS NULL)", name="learned"),
    )

    number_index: Mapped[bytes] = mapped_column(primary_key=True)
    """Lasting blind index of the number."""
    home: Mapped[str]
    epoch: Mapped[int | None]
    """The owner epoch that the customer has there, of a number that was this node's own."""
    learned: Mapped[bool]
    """Not this node's own: another city's word, remembered for a time."""
    at: Mapped[datetime]


class ServiceRequestEvent(Base):
    """One line of a request's trail: written once, never changed."""

    __tablename__ = "service_request_event"
    __table_args__ = (
        Index("service_request_event_trail_idx", "request_id", "id"),
        Index(
            "service_request_event_message_key",
            "request_id",
            "message_id",
            unique=True,
            postgresql_where=text("message_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"))
    at: Mapped[datetime]
    """When it happened where it happened; every node has its own clock, so the order is that of ``id``."""
    node: Mapped[str]
    event: Mapped[str]
    state: Mapped[str | None]
    """The state of this end's record from here on; empty where it did not change."""
    note: Mapped[dict[str, str]] = mapped_column(JSONB)
    by: Mapped[str]
    message_id: Mapped[UUID | None]
    """The message that told of it: noted once, however often it comes."""


notify_of_lines(Base.metadata)
