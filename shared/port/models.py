"""The tables of ports: what they are asked, and what is the matter with them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class CallState(StrEnum):
    """Where a call is in its life."""

    WAITING = "waiting"
    HANDED_OVER = "handed_over"
    DONE = "done"
    REFUSED = "refused"
    DISCARDED = "discarded"


OPEN = (CallState.WAITING, CallState.HANDED_OVER)
_OPEN = "state IN ('waiting', 'handed_over')"


class PortCall(Base):
    """One call of a port: written in the transaction of what it follows from."""

    __tablename__ = "port_call"
    __table_args__ = (
        one_of("state", CallState, "state"),
        CheckConstraint(f"({_OPEN}) = (ended_at IS NULL)", name="ended"),
        CheckConstraint(f"({_OPEN}) = (content_cipher IS NOT NULL)", name="content"),
        CheckConstraint("(state = 'waiting') = (due_at IS NOT NULL)", name="due"),
        CheckConstraint("state <> 'handed_over' OR refusal IS NOT NULL", name="refusal"),
        Index(
            "port_call_due_idx",
            "port",
            "due_at",
            "number",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "port_call_order_idx", "port", "ordering_key", "number", postgresql_where=text(_OPEN)
        ),
        Index("port_call_cause_id_idx", "cause_id"),
        Index("port_call_ended_at_idx", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Derived from what it follows from; the port knows a repeated call by it."""
    number: Mapped[int] = mapped_column(Identity(always=True), unique=True)
    """Its place among those with the same ordering key."""
    port: Mapped[str]
    operation: Mapped[str]
    effect: Mapped[str]
    """The declaration that says what follows."""
    cause_id: Mapped[UUID]
    """What it was made for: a request's id, say."""
    ordering_key: Mapped[str | None]
    """What must stay in order; nothing personal."""
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    content_cipher: Mapped[bytes | None]
    """What is asked, encrypted; forgotten as soon as the call has ended."""
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    due_at: Mapped[datetime | None]
    """When it is tried next, unless something before it is open; while it is being tried, when that counts as lost."""
    last_error: Mapped[str | None]
    refusal: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    discard_reason: Mapped[str | None]
    discard_proposed_by: Mapped[str | None]
    discard_proposed_at: Mapped[datetime | None]
    discarded_by: Mapped[str | None]


class PortTrouble(Base):
    """A port that does not answer at present: there is a row from its first failure to its next answer."""

    __tablename__ = "port_trouble"

    port: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    failures: Mapped[int]
    retry_at: Mapped[datetime]
    last_error: Mapped[str]
