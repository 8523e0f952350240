"""Points as they are taken and answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, field_validator

from services.city_node.customer.models import Level
from services.city_node.customer.schemas import Body, Prose
from services.city_node.points.chart import EntryKind
from services.city_node.points.models import AdjustmentState
from shared.kernel.language import Text
from shared.kernel.wording import Unfit

Points = Annotated[int, Field(ge=1, le=2**53, description="How many points.")]


class Reason(Body):
    """Why something is done."""

    reason: Prose = Field(examples=["疑似盗用，待核实"])


class AdjustmentCreate(Body):
    """Points to add or take away."""

    points: int = Field(
        ge=-(2**53), le=2**53, description="Less than nothing takes away.", examples=[200, -50]
    )
    reason: Prose = Field(examples=["投诉补偿"])

    @field_validator("points")
    @classmethod
    def _some(cls, points: int) -> int:
        if not points:
            raise Unfit(Text("must not be 0", "不得为 0"))
        return points


class TransferCreate(Body):
    """Points to give to another customer."""

    receiver_id: UUID
    points: Points
    note: Prose | None = None


class Scope(StrEnum):
    """Which bills are judged."""

    CITY = "city"
    CHANGED = "changed"


class AccrualAsk(Body):
    """Which bills are to be judged now."""

    scope: Scope = Field(
        default=Scope.CHANGED,
        description="`city`: all bills; `changed`: those that came or changed since they were judged.",
    )


class ExpiryPart(BaseModel):
    """Points that expire on one day."""

    expires_on: date = Field(description="The first day on which they cannot be used.")
    points: int


class PointsOut(BaseModel):
    """What a customer has."""

    customer_id: UUID
    balance: int = Field(description="What the ledger says.")
    available: int = Field(description="What can be used now: nothing while frozen.")
    frozen: bool
    frozen_at: datetime | None
    frozen_by: str | None
    frozen_reason: str | None
    expiries: list[ExpiryPart] = Field(description="The next that expire, twelve at most.")


class EntryOut(BaseModel):
    """One line of the statement."""

    id: int
    at: datetime
    kind: EntryKind
    points: int = Field(description="Less than nothing if they went.")
    balance: int = Field(description="After this line.")
    expires_on: date
    bill_id: int | None
    cause_id: UUID | None = Field(description="The redemption, adjustment or transfer.")


class EntryPage(BaseModel):
    """A page of the statement, the latest first."""

    items: list[EntryOut]
    next: str | None
    count: int | None = None


class Explained(BaseModel):
    """A sentence in both languages."""

    zh: str
    en: str


class AccrualOut(BaseModel):
    """What a bill earned, and why."""

    bill_id: int
    period: date
    charge_fen: int = Field(description="What counted.")
    points: int
    waived: int = Field(description="What had been used when the bill became smaller.")
    level: Level
    rate_permille: int = Field(description="By level, tenure and credit.")
    campaign: str | None
    expires_on: date
    policy: str
    explanation: Explained


class AccrualPage(BaseModel):
    """A page of bills with what they earned, the latest month first."""

    items: list[AccrualOut]
    next: str | None
    count: int | None = None


class AdjustmentOut(BaseModel):
    """An adjustment."""

    id: UUID
    customer_id: UUID
    points: int
    reason: str
    state: AdjustmentState
    requested_at: datetime
    requested_by: str
    decided_at: datetime | None
    decided_by: str | None
    decision: str | None
    version: int


class AdjustmentPage(BaseModel):
    """A page of adjustments, the latest first."""

    items: list[AdjustmentOut]
    next: str | None
    count: int | None = None


class TransferOut(BaseModel):
    """A transfer."""

    id: UUID
    giver_id: UUID
    receiver_id: UUID
    points: int
    at: datetime


class LiabilityMonth(BaseModel):
    """Points that expire in one month."""

    month: date
    points: int


class LiabilityOut(BaseModel):
    """What a unit's customers had at the end of a day."""

    unit_code: str
    on: date
    accounts: int = Field(description="Accounts with points.")
    points: int
    months: list[LiabilityMonth]
