"""What staff are shown of repairs."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from services.city_node.customer.models import Level
from services.city_node.loan_handset.schemas import LOAN_EXAMPLE, LoanOut
from services.city_node.repair.models import Decision, RepairResult
from services.city_node.repair.schemas import RepairPart
from services.city_node.service_request.schemas import (
    REQUEST_EXAMPLE,
    TRAIL_EXAMPLE,
    DivisionCode,
    RefusalOut,
    ServiceRequestOut,
)

_PART: dict[str, JsonValue] = {
    "code": "LCD-M60",
    "name": "屏幕总成",
    "quantity": 1,
    "unit_fen": 68000,
}
_TERMS: dict[str, JsonValue] = {
    "level": "gold",
    "in_warranty": False,
    "imei_matches": True,
    "home_share_permille": 300,
    "cap_fen": 30000,
    "deposit_fen": 20000,
    "loan_days": 15,
}


class HandsetOut(BaseModel):
    """The handset that is repaired."""

    make: str
    model: str
    imei: str = Field(description="Masked.")
    fault: str
    purchased_on: date | None


class TermsOut(BaseModel):
    """What the home city promised."""

    level: Level
    in_warranty: bool
    imei_matches: bool = Field(
        description="Whether the home city has this IMEI on the record of the line."
    )
    home_share_permille: int
    cap_fen: int
    deposit_fen: int
    loan_days: int


class EstimateOut(BaseModel):
    """An estimate of the cost."""

    number: int
    parts: list[RepairPart]
    labour_fen: int
    total_fen: int
    customer_fen: int
    home_fen: int
    estimated_at: datetime
    estimated_by: str
    decision: Decision | None
    decided_at: datetime | None
    decided_by: str | None = Field(description="The clerk to whom the customer said it.")


class OutcomeOut(BaseModel):
    """What was done, and who bears what."""

    result: RepairResult
    replacement: str | None
    parts: list[RepairPart]
    labour_fen: int
    total_fen: int
    goodwill_fen: int | None
    customer_fen: int | None
    home_fen: int | None
    visited_fen: int | None
    days: int | None
    receipt: str | None
    business_day: date | None = Field(description="The day on which the home city recorded it.")
    differs: bool = Field(
        description="Whether the two cities computed different parts for the home city: its own counts."
    )


class SatisfactionOut(BaseModel):
    """What the customer said."""

    score: int
    comment: str | None
    answered_at: datetime


class RepairOut(ServiceRequestOut):
    """This end's record of a repair."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **REQUEST_EXAMPLE,
                    "kind": "repair",
                    "state": "agreed",
                    "data": {"document_type": "id_card"},
                    "trail": TRAIL_EXAMPLE,
                    "handset": {
                        "make": "Huawei",
                        "model": "Mate 60",
                        "imei": "***********7518",
                        "fault": "屏幕碎裂，触摸失灵",
                        "purchased_on": "2025-06-18",
                    },
                    "terms": _TERMS,
                    "estimates": [
                        {
                            "number": 1,
                            "parts": [_PART],
                            "labour_fen": 5000,
                            "total_fen": 73000,
                            "customer_fen": 51100,
                            "home_fen": 21900,
                            "estimated_at": "2026-03-02T02:10:00+00:00",
                            "estimated_by": "li.na",
                            "decision": "agreed",
                            "decided_at": "2026-03-02T02:20:00+00:00",
                            "decided_by": "li.na",
                        }
                    ],
                    "loans": [LOAN_EXAMPLE],
                    "outcome": None,
                    "satisfaction": None,
                }
            ]
        }
    )

    handset: HandsetOut | None
    terms: TermsOut | None = Field(description="Null until the home city has confirmed.")
    estimates: list[EstimateOut] = Field(description="At the visited city.")
    loans: list[LoanOut] = Field(description="At the visited city.")
    outcome: OutcomeOut | None = Field(description="Null until it is repaired.")
    satisfaction: SatisfactionOut | None


class RepairSummary(BaseModel):
    """One end's record of a repair, in a list."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": REQUEST_EXAMPLE["id"],
                    "role": "visited",
                    "home": "110100",
                    "visited": "440300",
                    "state": "agreed",
                    "awaiting": "visited",
                    "subject": "138****5678",
                    "handset": "Huawei Mate 60",
                    "level": "gold",
                    "result": None,
                    "total_fen": None,
                    "home_fen": None,
                    "differs": False,
                    "refusal": None,
                    "unit": "440300",
                    "created_at": "2026-03-02T02:00:00+00:00",
                    "updated_at": "2026-03-02T02:20:00+00:00",
                    "deadline": "2026-03-05T02:00:00+00:00",
                    "version": 5,
                }
            ]
        }
    )

    id: UUID
    role: str
    home: DivisionCode
    visited: DivisionCode
    state: str
    awaiting: str | None
    subject: str
    handset: str | None
    level: Level | None
    result: RepairResult | None
    total_fen: int | None
    home_fen: int | None
    differs: bool
    refusal: RefusalOut | None
    unit: str
    created_at: datetime
    updated_at: datetime
    deadline: datetime
    version: int


class RepairPage(BaseModel):
    """A page of repairs."""

    items: list[RepairSummary]
    next: str | None = Field(description="The cursor of the following page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class SatisfactionLine(BaseModel):
    """How satisfied customers are, of a level and a unit, or of all."""

    unit: str | None = Field(description="Null: of all units in scope.")
    level: Level | None = Field(description="Null: of all levels.")
    answers: int
    sum: int = Field(description="Of all scores: means of several lines come from sums and counts.")
    mean: float = Field(description="`sum / answers`, to two places.")


class SatisfactionReport(BaseModel):
    """How satisfied customers are with repairs."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {"unit": None, "level": None, "answers": 12, "sum": 54, "mean": 4.5},
                        {"unit": "440300", "level": "gold", "answers": 12, "sum": 54, "mean": 4.5},
                    ]
                }
            ]
        }
    )

    items: list[SatisfactionLine]
