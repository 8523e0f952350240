"""Tables of imports."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class ImportState(StrEnum):
    """How far an import is; others see it only when it is completed, because it is one transaction."""

    LOADING = "loading"
    COMPLETED = "completed"


class CustomerImport(Base):
    """One file that was loaded."""

    __tablename__ = "customer_import"
    __table_args__ = (
        CheckConstraint("state IN ('loading', 'completed')", name="state"),
        CheckConstraint("rows = created + changed + unchanged + rejected", name="rows"),
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
    """What stood there; masked if it is a document number."""
    reason: Mapped[str]
