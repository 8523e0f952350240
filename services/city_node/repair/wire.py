"""What the two ends of a repair say to each other."""

from datetime import date
from typing import Any, Self

from pydantic import BaseModel, Field, model_validator

from services.city_node.customer.models import DocumentType, Level
from services.city_node.customer.schemas import Line
from services.city_node.repair import cost
from services.city_node.repair.models import RepairResult
from services.city_node.repair.schemas import MOST_PARTS, Amount, Device, RepairPart
from services.city_node.service_request.schemas import (
    Answered,
    DocumentNumber,
    Msisdn,
    Sealed,
    Told,
)

TERMS = frozenset(
    {
        *("level", "in_warranty", "imei_matches", "home_share_permille", "cap_fen"),
        *("deposit_fen", "loan_days"),
    }
)
"""The fields of a promise."""


class Recallable(Told):
    """Whatever the visited node says."""

    memo: str | None = Field(default=None, max_length=256 * 1024)
    """Its whole end of the request, sealed for itself."""


class Asked(Sealed, Recallable):
    """The visited node's question: what do you bear of this person's repair?"""


class Question(Device):
    """What is sealed in the question."""

    msisdn: Msisdn
    document_type: DocumentType
    document_number: DocumentNumber
    fault: Line
    purchased_on: date | None


class Confirmed(Answered):
    """The home node's promise."""

    level: Level
    in_warranty: bool
    imei_matches: bool
    home_share_permille: int = Field(ge=0, le=1000)
    cap_fen: int = Field(ge=0)
    deposit_fen: int = Field(ge=0)
    loan_days: int = Field(ge=1)

    def terms(self) -> dict[str, Any]:
        """Return what was promised."""
        return self.model_dump(include=set(TERMS))


class Progressed(Recallable):
    """What the visited node tells of on the way, and of its giving up."""

    event: str = Field(default="", pattern=r"^[a-z-]{0,60}$")


class Closed(Recallable):
    """The handset is back with the customer."""

    result: RepairResult
    parts: list[RepairPart] = Field(max_length=MOST_PARTS)
    labour_fen: Amount
    total_fen: Amount
    customer_fen: Amount
    home_fen: Amount
    visited_fen: Amount
    days: int = Field(ge=0)
    sealed: str | None = Field(default=None, max_length=64 * 1024)
    """The handset that the customer was given instead."""

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        parts = self.customer_fen + self.home_fen + self.visited_fen
        if not parts == self.total_fen == cost.total(self.parts, self.labour_fen):
            raise ValueError("the parts of the cost do not add up to it")
        return self


class Recorded(Answered):
    """The home node has recorded the repair; in clear, so that it can be cleared on the way."""

    home_fen: int = Field(ge=0)
    business_day: date


class Rated(Recallable):
    """How satisfied the customer is."""

    score: int = Field(ge=1, le=5)
    sealed: str | None = Field(default=None, max_length=64 * 1024)


class Comment(BaseModel):
    """What is sealed in a rating."""

    comment: str = Field(max_length=1000)
