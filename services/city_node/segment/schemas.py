"""Segments over the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.city_node.customer.representations import CustomerOut
from services.city_node.customer.schemas import Code
from services.city_node.query.schemas import ConditionForm, condition_field
from services.city_node.segment.models import Act, Mode

Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$"
    ),
]
Description = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]


class NewSegment(BaseModel):
    """A segment to keep."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["Gold that spend less"])
    description: Description | None = None
    unit_code: Code | None = Field(default=None, description="The caller's unit without it.")
    condition: ConditionForm = condition_field()


class SegmentChange(BaseModel):
    """What to change of a segment; its condition only while it is living."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    description: Description | None = None
    condition: ConditionForm | None = condition_field(default=None)


class SegmentOut(BaseModel):
    """A segment."""

    id: UUID
    name: str
    description: str | None
    unit_code: str
    condition: dict[str, Any]
    text: str = Field(description="The condition in its text form.")
    mode: Mode
    list_version: int | None = Field(description="The version at which the list was made.")
    member_count: int | None = Field(description="How many the list has; `null` while living.")
    locked_at: datetime | None
    locked_by: str | None
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


class SegmentSummary(BaseModel):
    """A segment in a list."""

    id: UUID
    name: str
    unit_code: str
    mode: Mode
    member_count: int | None
    version: int
    updated_at: datetime


class SegmentPage(BaseModel):
    """A page of segments."""

    items: list[SegmentSummary]
    next: str | None
    count: int | None = None


class VersionOut(BaseModel):
    """What a segment became, by whom, and when."""

    version: int
    act: Act
    name: str
    condition: dict[str, Any]
    mode: Mode
    list_version: int | None
    member_count: int | None
    at: datetime
    by: str


class VersionPage(BaseModel):
    """A page of the versions of a segment, the latest first."""

    items: list[VersionOut]
    next: str | None
    count: int | None = None


class MemberPage(BaseModel):
    """A page of the members of a segment."""

    items: list[CustomerOut]
    next: str | None
    count: int | None = None


class CountOut(BaseModel):
    """How many customers there are."""

    count: int


class Preview(BaseModel):
    """A condition to count."""

    model_config = ConfigDict(extra="forbid")

    condition: ConditionForm = condition_field()


class Part(StrEnum):
    """Which part of two segments."""

    BOTH = "both"
    ONLY_FIRST = "only_first"
    ONLY_SECOND = "only_second"
    EITHER = "either"


class ComparisonOut(BaseModel):
    """How many customers two segments share, and how many each has alone."""

    first: int
    second: int
    both: int
    only_first: int
    only_second: int
    either: int
