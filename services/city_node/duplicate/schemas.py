"""What is sent about duplicates, and answered."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, Field

from services.city_node.customer.models import CustomerKind, Level, Library, Sex
from services.city_node.customer.privacy import MaskedDay
from services.city_node.customer.schemas import Body, Prose
from services.city_node.duplicate.models import CandidateState


class Dismissal(Body):
    """Why two profiles are of two customers."""

    reason: Prose = Field(examples=["father and son of one name"])


class Profile(BaseModel):
    """One profile of a pair."""

    id: UUID
    customer_number: str
    kind: CustomerKind
    library: Library
    name: str
    sex: Sex
    birth_date: date | MaskedDay | None
    document_masked: str | None
    level: Level
    unit_code: str
    version: int


class CandidateOut(BaseModel):
    """Two profiles that may be of one customer."""

    id: UUID
    score: int = Field(ge=0, le=100)
    reasons: dict[str, int] = Field(
        description="What counted, and how much.", examples=[{"sound": 55, "phone": 40}]
    )
    state: CandidateState
    found_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    decision: str | None
    merge_id: UUID | None
    version: int
    left: Profile
    right: Profile


class CandidatePage(BaseModel):
    """A page of candidates, the likeliest first."""

    items: list[CandidateOut]
    next: str | None
    count: int | None = None
