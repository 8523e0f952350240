"""What is answered about imports."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.city_node.customer_import.models import ImportState


class RejectOut(BaseModel):
    """A reason why a row was not loaded."""

    model_config = ConfigDict(from_attributes=True)

    line: int = Field(description="Line of the file; the header is line 1.", examples=[17])
    column: str = Field(examples=["monthly_charges"])
    value: str | None = Field(
        description="What stood there; document numbers masked.", examples=["29,85"]
    )
    reason: str = Field(examples=["is not an amount in yuan with two decimals at most"])


class ImportSummary(BaseModel):
    """What became of a file."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    at: datetime
    finished_at: datetime | None
    by: str
    unit_code: str
    file_name: str
    sha256: str
    mapping: str = Field(description="Name of the mapping's source.", examples=["wa_churn"])
    state: ImportState
    rows: int = Field(description="Rows read; the sum of the four counts.")
    created: int
    changed: int
    unchanged: int
    rejected: int


class ImportOut(ImportSummary):
    """What became of a file, with the first reasons."""

    rejects: list[RejectOut] = Field(
        description="The first 100; all of them at `/customer-imports/{id}/rejects`."
    )


class ImportPage(BaseModel):
    """A page of imports."""

    items: list[ImportSummary]
    next: str | None
    count: int | None = None
