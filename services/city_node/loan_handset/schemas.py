"""Loan handsets as they are taken and answered."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from services.city_node.customer.schemas import Body, Imei, Line
from services.city_node.loan_handset.models import HandsetState, LoanEnding
from shared.organisation.schemas import UnitCode

MOST_HANDSETS = 500
"""Handsets in one loading."""

HANDSET_EXAMPLE: dict[str, JsonValue] = {
    "id": "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a30",
    "imei": "490154203237518",
    "make": "Huawei",
    "model": "Enjoy 70",
    "unit": "440300",
    "state": "lent",
    "request_id": "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a11",
    "due_on": "2026-03-17",
    "created_at": "2026-03-01T01:00:00+00:00",
    "updated_at": "2026-03-02T02:00:00+00:00",
    "version": 2,
}
LOAN_EXAMPLE: dict[str, JsonValue] = {
    "handset_id": HANDSET_EXAMPLE["id"],
    "imei": HANDSET_EXAMPLE["imei"],
    "make": "Huawei",
    "model": "Enjoy 70",
    "deposit_fen": 20000,
    "due_on": "2026-03-17",
    "lent_at": "2026-03-02T02:30:00+00:00",
    "lent_by": "li.na",
    "ending": None,
    "ended_at": None,
    "ended_by": None,
    "refunded_fen": None,
    "kept_fen": None,
    "note": None,
}


class LoanHandsetIn(Body):
    """One handset."""

    imei: Imei
    make: Annotated[Line, Field(max_length=40, examples=["Huawei"])]
    model: Annotated[Line, Field(max_length=60, examples=["Enjoy 70"])]


class LoanHandsetsIn(BaseModel):
    """Handsets to load into a hall's stock."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "unit": "440300",
                    "handsets": [
                        {"imei": "490154203237518", "make": "Huawei", "model": "Enjoy 70"}
                    ],
                }
            ]
        },
    )

    unit: UnitCode | None = Field(
        default=None, description="Hall that has them; the caller's own unit without it."
    )
    handsets: list[LoanHandsetIn] = Field(min_length=1, max_length=MOST_HANDSETS)


class LoanHandsetsLoaded(BaseModel):
    """What a loading did."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"unit": "440300", "loaded": 10, "known": 0}]}
    )

    unit: str
    loaded: int = Field(description="Handsets that are new in the stock.")
    known: int = Field(description="Handsets that this unit's stock had already, left as they are.")


class LoanHandsetOut(BaseModel):
    """A handset of the stock."""

    model_config = ConfigDict(json_schema_extra={"examples": [HANDSET_EXAMPLE]})

    id: UUID
    imei: str
    make: str
    model: str
    unit: str
    state: HandsetState
    request_id: UUID | None = Field(description="The request that it is lent for.")
    due_on: date | None = Field(description="The day by which it is to come back.")
    created_at: datetime
    updated_at: datetime
    version: int


class LoanHandsetPage(BaseModel):
    """A page of the stock."""

    items: list[LoanHandsetOut]
    next: str | None = Field(description="The cursor of the following page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class LoanOut(BaseModel):
    """A loan of a handset."""

    model_config = ConfigDict(json_schema_extra={"examples": [LOAN_EXAMPLE]})

    handset_id: UUID
    imei: str
    make: str
    model: str
    deposit_fen: int
    due_on: date
    lent_at: datetime
    lent_by: str
    ending: LoanEnding | None
    ended_at: datetime | None
    ended_by: str | None
    refunded_fen: int | None = Field(description="What of the deposit was given back.")
    kept_fen: int | None = Field(description="What of the deposit was kept.")
    note: str | None
