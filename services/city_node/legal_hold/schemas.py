"""Legal holds as they are taken and answered."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.city_node.customer.schemas import Body, Prose


class HoldCreate(Body):
    """A new hold."""

    reason: Prose = Field(description="Why the records are needed.", examples=["诉讼未决"])


class LiftPropose(Body):
    """Why a hold is needed no longer."""

    reason: Prose = Field(examples=["案件已结"])


class HoldOut(BaseModel):
    """A legal hold."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    customer_id: UUID
    reason: str
    placed_at: datetime
    placed_by: str
    lift_reason: str | None
    lift_proposed_at: datetime | None
    lift_proposed_by: str | None
    lifted_at: datetime | None
    lifted_by: str | None
    version: int


class HoldPage(BaseModel):
    """A page of holds."""

    items: list[HoldOut]
    next: str | None
    count: int | None = None
