"""What is sent about merges, and answered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from services.city_node.customer.schemas import Body, Prose
from services.city_node.merge.models import MergeState

Version = Annotated[int, Field(ge=1, le=2**53)]


class Side(StrEnum):
    """Whose value stays."""

    SURVIVOR = "survivor"
    MERGED = "merged"


class Choice(StrEnum):
    """A field, or fields that belong together, of which one profile's value stays."""

    NAME = "name"
    SEX = "sex"
    BIRTH_DATE = "birth_date"
    DOCUMENT = "document"
    LEVEL = "level"
    UNIT_CODE = "unit_code"
    MANAGER_ID = "manager_id"
    CONTRACT_TERM = "contract_term"
    PAYMENT_METHOD = "payment_method"
    ENTRY_DATE = "entry_date"
    ATTRIBUTES = "attributes"


class MergeCreate(Body):
    """Two profiles of one customer."""

    survivor_id: UUID = Field(description="The profile that stays.")
    merged_id: UUID = Field(description="The profile that ends.")
    survivor_version: Version = Field(description="Its version as it was seen.")
    merged_version: Version = Field(description="Its version as it was seen.")
    chosen: dict[Choice, Side] = Field(
        default_factory=dict,
        description="Whose value stays, by field. Without it: the survivor's, or the merged one's where the survivor "
        "has none; the earlier entry date; attributes of both, the survivor's first.",
        examples=[{"name": "merged", "document": "merged"}],
    )
    note: Prose | None = None


class MergedTable(BaseModel):
    """What a merge did to one table."""

    table: str
    moved: int
    set_aside: int


class MergeOut(BaseModel):
    """A merge."""

    id: UUID
    survivor_id: UUID
    merged_id: UUID
    merged_number: str
    at: datetime
    by: str
    state: MergeState
    note: str | None
    chosen: dict[str, str]
    moved: int
    set_aside: int
    undone_at: datetime | None
    undone_by: str | None
    tables: list[MergedTable]


class MergePage(BaseModel):
    """A page of merges, the latest first."""

    items: list[MergeOut]
    next: str | None
    count: int | None = None
