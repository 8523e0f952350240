"""Redemptions as they are taken and answered."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from services.city_node.customer.schemas import Body, Prose
from services.city_node.redemption.models import RedemptionState
from services.city_node.reward.schemas import RewardCode


class RedemptionCreate(Body):
    """A reward that a customer wants."""

    reward: RewardCode
    quantity: int = Field(default=1, ge=1, le=10_000)


class Cancellation(Body):
    """Why it is not wanted any more."""

    reason: Prose = Field(examples=["客户改变主意"])


class Reversal(Body):
    """Why it is taken back, and whether the reward came back."""

    reason: Prose = Field(examples=["礼品损坏退回"])
    returned: bool = Field(description="Whether the reward is in stock again.")


class RedemptionOut(BaseModel):
    """A redemption."""

    id: UUID
    customer_id: UUID
    reward_code: str
    quantity: int
    points: int
    state: RedemptionState
    at: datetime
    by: str
    settled_at: datetime | None
    settled_by: str | None
    reason: str | None
    version: int


class RedemptionPage(BaseModel):
    """A page of redemptions, the latest first."""

    items: list[RedemptionOut]
    next: str | None
    count: int | None = None
