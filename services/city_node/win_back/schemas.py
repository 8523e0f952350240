"""Attempts, the worklist and rates as they are taken and answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from services.city_node.customer.schemas import Body, Day, Line, Moment, Prose
from services.city_node.interaction.models import Channel
from services.city_node.win_back.models import AttemptResult
from shared.kernel.language import Text
from shared.kernel.wording import Unfit


class AttemptCreate(Body):
    """One attempt."""

    at: Annotated[
        Moment | None,
        Field(
            description="When it was made, or for when it is planned; the present moment without it."
        ),
    ] = None
    staff: Line | None = Field(
        default=None, description="Username of who makes it; the caller without it."
    )
    channel: Channel
    offer: Line | None = Field(default=None, examples=["首年套餐半价"])
    result: AttemptResult = AttemptResult.PLANNED
    next_due: Day | None = Field(
        default=None, description="When to try again; takes the place of that of earlier attempts."
    )
    note: Prose | None = None

    @model_validator(mode="after")
    def _nothing_due_after_returning(self) -> Self:
        if self.result == AttemptResult.RETURNED and self.next_due is not None:
            raise Unfit(
                Text(
                    "there is nothing to try again after a customer returned",
                    "客户已回归，无须再次挽留",
                )
            )
        return self


class AttemptOut(BaseModel):
    """One attempt, and the departure that it is about."""

    id: UUID
    at: datetime
    staff: str
    channel: Channel
    offer: str | None
    result: AttemptResult
    next_due: date | None
    note: str | None
    left_on: date
    left_reason: str | None
    left_competitor: str | None
    lost_monthly_charge_fen: int


class WorklistItem(BaseModel):
    """A customer to win back."""

    customer_id: UUID
    customer_number: str
    name: str
    kind: str
    level: str
    unit_code: str
    manager_id: UUID | None
    left_on: date
    days_since_leaving: int
    left_reason: str | None
    left_competitor: str | None
    lost_monthly_charge_fen: int
    attempts: int = Field(description="Since the customer left.")
    last_at: datetime | None
    last_result: AttemptResult | None
    next_due: date | None
    version: int


class WorklistPage(BaseModel):
    """A page of the worklist."""

    items: list[WorklistItem]
    next: str | None
    count: int | None = None


class RateDimension(StrEnum):
    """By what success is told apart."""

    REASON = "reason"
    COMPETITOR = "competitor"
    UNIT = "unit"
    CHANNEL = "channel"


class RateOut(BaseModel):
    """What came of the attempts of one reason, competitor, unit or channel."""

    value: str | None = Field(description="`null` where it is not known.")
    departures: int = Field(description="Departures about which an attempt was made.")
    attempts: int
    returned: int
    success_rate: float = Field(description="Returned, as a part of departures.")
    lost_monthly_charge_fen: int
    regained_monthly_charge_fen: int


class RateList(BaseModel):
    """Success rates."""

    items: list[RateOut]
