"""The table of exports."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class Format(StrEnum):
    """The form of a file."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"


class CustomerExport(Base):
    """One export: what was asked for, and the file that was made. Its work has the same id."""

    __tablename__ = "customer_export"
    __table_args__ = (
        CheckConstraint("format IN ('csv', 'xlsx', 'parquet')", name="format"),
        CheckConstraint(
            "num_nulls(row_count, byte_count, sha256, expires_at) IN (0, 4)", name="file"
        ),
        Index(
            "customer_export_expires_at_idx",
            "expires_at",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("customer_export_requester_id_idx", "requester_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    requester_id: Mapped[UUID]
    requested_by: Mapped[str]
    created_at: Mapped[datetime]
    format: Mapped[str]
    columns: Mapped[list[str]] = mapped_column(JSONB)
    condition: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    segment_id: Mapped[UUID | None] = mapped_column(ForeignKey("segment.id"))
    segment_version: Mapped[int | None]
    with_bom: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether a CSV file begins with the mark by which Excel knows UTF-8."""
    shows_contacts: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the file has contact media in clear."""
    row_count: Mapped[int | None]
    byte_count: Mapped[int | None]
    sha256: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    """When the file was deleted."""
    shows: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    """The permissions that the file was made with, of those that show a personal value in clear."""
