"""The table of long work."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class WorkState(StrEnum):
    """Where a piece of work is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (WorkState.QUEUED, WorkState.RUNNING)


class Work(Base):
    """One piece of long work."""

    __tablename__ = "work"
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="state"
        ),
        CheckConstraint(
            "(finished_at IS NULL) = (state IN ('queued', 'running'))", name="finished"
        ),
        CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="error"),
        Index(
            "work_open_idx",
            "kind",
            "id",
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        Index("work_unit_code_idx", "unit_code"),
        Index(
            "work_finished_at_idx",
            "finished_at",
            postgresql_where=text("finished_at IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Ordered by time: the line of a kind is read by it."""
    kind: Mapped[str]
    title: Mapped[str]
    """What it is about, in the words of whoever asked; nothing personal."""
    parameters: Mapped[dict[str, Any]] = mapped_column(JSONB)
    requested_by: Mapped[str]
    requester_id: Mapped[UUID | None]
    requester_permissions: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    state: Mapped[str] = mapped_column(server_default=text("'queued'"))
    progress_done: Mapped[int] = mapped_column(server_default=text("0"))
    progress_total: Mapped[int | None]
    progress_unit: Mapped[str | None]
    """What is counted, such as ``rows`` or ``bytes``."""
    cancel_requested: Mapped[bool] = mapped_column(server_default=text("false"))
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """Problem details by language."""
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
