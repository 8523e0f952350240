"""Exports over the wire."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.city_node.export.models import Format
from services.city_node.query.schemas import ConditionForm, condition_field
from shared.kernel.language import Text
from shared.kernel.wording import Unfit
from shared.work.models import WorkState


class NewExport(BaseModel):
    """What to export: the customers that meet a condition, the members of a segment, or all of them."""

    model_config = ConfigDict(extra="forbid")

    condition: ConditionForm | None = condition_field(default=None)
    segment_id: UUID | None = Field(default=None, description="Instead of a condition.")
    format: Format = Format.CSV
    columns: list[str] | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Fields of the profile, msisdns, phone, email, address; the profile without it.",
        examples=[["customer_number", "name", "level", "phone"]],
    )
    with_bom: bool = Field(
        default=False, description="Begin a CSV file with the mark by which Excel knows UTF-8."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.condition is not None and self.segment_id is not None:
            raise Unfit(Text("give a condition or a segment, not both", "条件与客户群只能填写其一"))
        return self


class ExportOut(BaseModel):
    """An export, its work, and its file once that is made."""

    id: UUID = Field(description="Also that of its work: `GET /works/{id}`.")
    format: Format
    columns: list[str]
    condition: dict[str, Any] | None
    segment_id: UUID | None
    segment_version: int | None
    with_bom: bool
    shows_contacts: bool
    requested_by: str
    created_at: datetime
    state: WorkState | None = Field(description="Of its work; `null` once that is forgotten.")
    progress_done: int | None
    progress_total: int | None
    row_count: int | None
    byte_count: int | None
    sha256: str | None
    expires_at: datetime | None = Field(description="Until when the file is kept.")
    deleted_at: datetime | None


class ExportPage(BaseModel):
    """A page of exports."""

    items: list[ExportOut]
    next: str | None
    count: int | None = None
