"""Tables of imports."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class Records(StrEnum):
    """What the rows of a file are."""

    CUSTOMERS = "customers"
    SUBSCRIPTIONS = "subscriptions"
    BILLS = "bills"
    USAGE = "usage"
    INTERACTIONS = "interactions"


class ImportState(StrEnum):
    """Where an import is; what leads from one to another is in the package's docstring."""

    QUEUED = "queued"
    LOADING = "loading"
    COMPLETED = "completed"
    REHEARSED = "rehearsed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"


class CustomerImport(Base):
    """One file that is loaded. Its counts are its cursor: ``rows`` rows of the file are done."""

    __tablename__ = "customer_import"
    __table_args__ = (
        CheckConstraint(
            f"state IN ({', '.join(repr(state.value) for state in ImportState)})", name="state"
        ),
        CheckConstraint("rows = created + changed + unchanged + rejected", name="rows"),
        CheckConstraint(
            f"records IN ({', '.join(repr(records.value) for records in Records)})", name="records"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    by: Mapped[str]
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    """Unit of whoever imported: the import reaches its customers and those below."""
    file_name: Mapped[str]
    sha256: Mapped[str]
    mapping: Mapped[str]
    """Name of the mapping's source."""
    state: Mapped[str]
    rows: Mapped[int]
    created: Mapped[int]
    changed: Mapped[int]
    unchanged: Mapped[int]
    rejected: Mapped[int]
    number: Mapped[int] = mapped_column(Integer, Identity(always=True), unique=True)
    """A short name of the import, for the rows of large tables that it wrote."""
    records: Mapped[str] = mapped_column(server_default=text("'customers'"))
    mapping_text: Mapped[str] = mapped_column(server_default=text("''"))
    parameters: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    dry_run: Mapped[bool] = mapped_column(server_default=text("false"))
    stored: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the node keeps the file and loads it by itself."""
    size: Mapped[int] = mapped_column(server_default=text("0"))
    """Bytes of the file."""
    position: Mapped[int] = mapped_column(server_default=text("0"))
    """Bytes of the file that are done, to show how far the import is."""
    header: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    """Columns of the file."""
    problem: Mapped[str | None]
    """Why it failed."""
    samples: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    """Of a dry run: the first customers that would be made or changed."""
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]
    undone: Mapped[int] = mapped_column(server_default=text("0"))
    """Records that were taken back."""
    kept: Mapped[int] = mapped_column(server_default=text("0"))
    """Records that were not, because somebody changed them since."""
    allow_erased: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether it may make customers anew who were erased."""
    rejects_deleted_at: Mapped[datetime | None]
    """When its rejected rows were deleted: it cannot be resumed any more."""
    final_at: Mapped[datetime | None]
    """When what an undo would need was deleted."""


class CustomerImportReject(Base):
    """A reason why a row of a file was not loaded; a row may have several."""

    __tablename__ = "customer_import_reject"
    __table_args__ = (Index("customer_import_reject_line_idx", "import_id", "line", "id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    import_id: Mapped[UUID] = mapped_column(ForeignKey("customer_import.id"))
    line: Mapped[int]
    """Line of the file on which the row begins; the header is line 1."""
    column: Mapped[str]
    value: Mapped[str | None]
    """What stood there; personal numbers masked."""
    reason: Mapped[str]
    row_cipher: Mapped[bytes | None]
    """The row as it stands in the file, encrypted: kept with the row's first reason."""


class CustomerImportBefore(Base):
    """What a record was before an import changed it: what an undo brings back."""

    __tablename__ = "customer_import_before"
    __table_args__ = (Index("customer_import_before_customer_id_idx", "customer_id"),)

    import_id: Mapped[UUID] = mapped_column(ForeignKey("customer_import.id"), primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    customer_id: Mapped[UUID]
    record: Mapped[str]
    """Its table."""
    key: Mapped[str]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """The row as it was; nothing if the import made it, for a customer who was known."""


class CustomerImportKept(Base):
    """A record that the undo of an import left as it is, and why."""

    __tablename__ = "customer_import_kept"
    __table_args__ = (
        Index("customer_import_kept_import_id_idx", "import_id", "id"),
        Index("customer_import_kept_customer_id_idx", "customer_id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    import_id: Mapped[UUID] = mapped_column(ForeignKey("customer_import.id"))
    customer_id: Mapped[UUID]
    record: Mapped[str]
    key: Mapped[str]
    reason: Mapped[str]
