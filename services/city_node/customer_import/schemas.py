"""What is answered about imports."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.city_node.customer_import.models import ImportState, Records


class RejectOut(BaseModel):
    """A reason why a row was not loaded."""

    model_config = ConfigDict(from_attributes=True)

    line: int = Field(description="Line of the file; the header is line 1.", examples=[17])
    column: str = Field(examples=["monthly_charges"])
    value: str | None = Field(
        description="What stood there; personal numbers masked.", examples=["29,85"]
    )
    reason: str = Field(examples=["is not an amount in yuan with two decimals at most"])


class KeptOut(BaseModel):
    """A record that the undo of an import left as it is."""

    model_config = ConfigDict(from_attributes=True)

    customer_id: UUID
    record: str = Field(examples=["customer"])
    key: str = Field(
        description="Number of the customer, or key of the record.", examples=["44030000000017"]
    )
    reason: str = Field(examples=["was changed since"])


class ImportSummary(BaseModel):
    """What became of a file, or how far it is."""

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
    rows: int = Field(description="Rows done; the sum of the four counts.")
    created: int
    changed: int
    unchanged: int
    rejected: int
    records: Records = Field(description="What the rows of the file are.")
    dry_run: bool
    allow_erased: bool = Field(description="Whether it may make customers anew who were erased.")
    rejects_deleted_at: datetime | None = Field(
        description="When its rejected rows were deleted. It cannot be resumed since."
    )
    final_at: datetime | None = Field(
        description="When what its undo would need was deleted. It cannot be undone since."
    )
    size: int = Field(description="Bytes of the file.")
    position: int = Field(description="Bytes of the file that are done.")
    problem: str | None = Field(description="Why it failed.")
    undone_at: datetime | None
    undone_by: str | None
    undone: int = Field(description="Records that its undo has taken back.")
    kept: int = Field(description="Records that its undo has left, because others changed them.")


class ImportOut(ImportSummary):
    """What became of a file, with the first reasons."""

    samples: list[dict[str, Any]] = Field(
        description="Of a dry run: the first customers that would be made or changed."
    )
    rejects: list[RejectOut] = Field(
        description="The first 100; all of them at `/customer-imports/{id}/rejects`."
    )
    kept_records: list[KeptOut] = Field(description="The first 100 records that its undo has left.")


class ImportPage(BaseModel):
    """A page of imports."""

    items: list[ImportSummary]
    next: str | None
    count: int | None = None
