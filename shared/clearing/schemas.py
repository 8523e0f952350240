"""What clearing reads of the messages that pass: the answers by which a home city credits, takes back or bears."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel, Field

CREDITED = "guanxi.payment.credited.v1"
"""The home city's answer to a payment."""
REVERSED = "guanxi.payment-reversal.reversed.v1"
"""The home city's answer to a reversal."""

RECORDED = "guanxi.repair.recorded.v1"
"""The home city's answer to a repair: it is recorded, and what that city bears of it."""


class Cleared(BaseModel):
    """The part of those answers that every node on the way reads: no personal data is in it."""

    request_id: UUID
    amount_fen: int = Field(gt=0, strict=True)
    business_day: date


class Borne(BaseModel):
    """The part of the answer to a repair that every node on the way reads; it may bear nothing."""

    request_id: UUID
    home_fen: int = Field(ge=0, strict=True)
    business_day: date
