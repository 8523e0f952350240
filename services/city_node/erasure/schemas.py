"""Proofs of erasure as they are answered."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.city_node.erasure.models import ErasureCause


class ErasureOut(BaseModel):
    """The proof that somebody was erased: nothing of what was erased."""

    model_config = ConfigDict(from_attributes=True)

    customer_id: UUID
    at: datetime
    by: str
    approved_by: str | None = Field(description="The second person, where one was needed.")
    cause: ErasureCause
    cause_id: UUID | None = Field(description="The person's request, if that was the cause.")
    left_on: date
    left_reason: str | None
    classes: list[str] = Field(description="The classes of personal data that were taken away.")


class ErasurePage(BaseModel):
    """A page of proofs."""

    items: list[ErasureOut]
    next: str | None
    count: int | None = None


class DueOut(BaseModel):
    """How many customers are due, of one reason and kind."""

    reason: str
    kind: str
    customers: int
    left_first: date
    left_last: date


class DueList(BaseModel):
    """How many customers the next run would erase."""

    items: list[DueOut]
