"""Tables of reports and of their runs."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of
from shared.statistics.forms import Form


class Schedule(StrEnum):
    """When a report is run by the clock."""

    MANUAL = "manual"
    NIGHTLY = "nightly"
    MONTHLY = "monthly"


class StatisticsReport(Base):
    """A question that is kept."""

    __tablename__ = "statistics_report"
    __table_args__ = (
        one_of("format", Form, "format"),
        one_of("schedule", Schedule, "schedule"),
        CheckConstraint("(schedule = 'manual') = (next_on IS NULL)", name="next_on"),
        Index("statistics_report_name_key", "unit_code", "name", unique=True),
        Index(
            "statistics_report_next_on_idx",
            "next_on",
            postgresql_where=text("next_on IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    owner_id: Mapped[UUID]
    owner: Mapped[str]
    """Username of whoever made it."""
    name: Mapped[str]
    question: Mapped[dict[str, Any]] = mapped_column(JSONB)
    format: Mapped[str]
    with_bom: Mapped[bool] = mapped_column(server_default=text("false"))
    language: Mapped[str]
    schedule: Mapped[str]
    next_on: Mapped[date | None]
    """In which night the clock runs it next: the business day on which that night ends."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]


class StatisticsReportRun(Base):
    """One run of a report. Its work has the same id."""

    __tablename__ = "statistics_report_run"
    __table_args__ = (
        CheckConstraint("num_nulls(file, row_count, byte_count, sha256) IN (0, 4)", name="file"),
        Index("statistics_report_run_report_id_idx", "report_id", "id"),
        Index("statistics_report_run_expires_at_idx", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    report_id: Mapped[UUID] = mapped_column(ForeignKey(StatisticsReport.id, ondelete="CASCADE"))
    report_version: Mapped[int]
    format: Mapped[str]
    requested_by: Mapped[str | None]
    """Empty if the clock asked for it."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    file: Mapped[str | None]
    """Where its file is, below the report directory."""
    row_count: Mapped[int | None]
    byte_count: Mapped[int | None]
    sha256: Mapped[str | None]
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """Why it failed: problem details by language."""
