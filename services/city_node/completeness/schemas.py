"""What is sent about completeness, and answered."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from services.city_node.customer.models import CustomerKind, Level, Library
from services.city_node.customer.schemas import Body


class WeightSet(Body):
    """What an element weighs."""

    weight: Annotated[int, Field(ge=0, le=100, description="0 if it does not count.")]


class RuleOut(BaseModel):
    """What an element weighs for a kind of customer at a level."""

    kind: CustomerKind
    level: Level
    element: str
    weight: int
    version: int
    updated_at: datetime
    updated_by: str


class RulePage(BaseModel):
    """A page of rules."""

    items: list[RuleOut]
    next: str | None
    count: int | None = None


class ScoreOut(BaseModel):
    """How complete a profile is."""

    customer_id: UUID
    customer_number: str
    kind: CustomerKind
    library: Library
    name: str
    level: Level
    unit_code: str
    manager_id: UUID | None
    score: int = Field(ge=0, le=100)
    missing: list[str] = Field(description="Elements that are not there, the heaviest first.")
    computed_at: datetime


class ScorePage(BaseModel):
    """A page of profiles, the least complete first."""

    items: list[ScoreOut]
    next: str | None
    count: int | None = None
