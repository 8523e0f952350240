"""Usage as it is answered."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel

from services.city_node.usage.models import TimeBand, UsageKind


class UsageOut(BaseModel):
    """What one line used in one month, of one kind, in one band of hours."""

    subscription_id: UUID
    period: date
    kind: UsageKind
    band: TimeBand
    quantity: int
    charge_fen: int


class UsagePage(BaseModel):
    """A page of usage, the latest month first."""

    items: list[UsageOut]
    next: str | None
    count: int | None = None
