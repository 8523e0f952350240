"""What the till looks like over the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from services.city_node.customer.schemas import Line
from services.city_node.till.models import EntryKind, ShiftState
from shared.organisation.schemas import UnitCode

MOST_FEN = 10**12
"""Ten thousand million yuan: more is a slip of the pen."""

Fen = Annotated[
    int, Field(ge=0, le=MOST_FEN, strict=True, description="Fen, a hundredth of a yuan.")
]

_SHIFT: dict[str, JsonValue] = {
    "id": "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a20",
    "unit": "440300",
    "cashier": "li.na",
    "state": "open",
    "float_fen": 50000,
    "taken_fen": 10000,
    "given_back_fen": 0,
    "expected_fen": 60000,
    "counted_fen": None,
    "difference_fen": None,
    "opened_at": "2026-03-02T01:00:00+00:00",
    "closed_at": None,
    "confirmed_at": None,
    "confirmed_by": None,
    "note": None,
    "version": 1,
}


class ShiftIn(BaseModel):
    """What a cashier begins with."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"float_fen": 50000}]}
    )

    float_fen: Annotated[Fen, Field(description="What was counted into the drawer, in fen.")]
    unit: UnitCode | None = Field(
        default=None, description="Hall where the till stands; the caller's own unit without it."
    )


class CountIn(BaseModel):
    """What a cashier counted at the end."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"counted_fen": 60000}]}
    )

    counted_fen: Annotated[Fen, Field(description="What lies in the drawer, float included.")]


class ConfirmIn(BaseModel):
    """How the second person explains a difference."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"note": "One note of 10 yuan was false."}]}
    )

    note: Annotated[Line, Field(max_length=200)]


class ShiftOut(BaseModel):
    """A shift, with what should be in its drawer."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHIFT]})

    id: UUID
    unit: str
    cashier: str
    state: ShiftState
    float_fen: int = Field(description="What was in the drawer at the beginning.")
    taken_fen: int = Field(description="Payments taken.")
    given_back_fen: int = Field(description="Cash handed out: refused and reversed payments.")
    expected_fen: int = Field(description="What should be in the drawer.")
    counted_fen: int | None
    difference_fen: int | None = Field(description="Counted less expected; null until counted.")
    opened_at: datetime
    closed_at: datetime | None
    confirmed_at: datetime | None
    confirmed_by: str | None = Field(description="Who confirmed the difference.")
    note: str | None
    version: int


class ShiftPage(BaseModel):
    """A page of shifts."""

    items: list[ShiftOut]
    next: str | None = Field(description="The cursor of the following page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class TillEntryOut(BaseModel):
    """Cash that went in or out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 41,
                    "shift_id": _SHIFT["id"],
                    "at": "2026-03-02T02:00:00+00:00",
                    "kind": "taken",
                    "amount_fen": 10000,
                    "payment_id": "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a11",
                    "cause_id": "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a11",
                    "by": "li.na",
                }
            ]
        }
    )

    id: int
    shift_id: UUID
    at: datetime
    kind: EntryKind
    amount_fen: int = Field(description="Less than nothing went out.")
    payment_id: UUID | None = Field(description="None of a deposit for a loan handset.")
    cause_id: UUID = Field(description="The payment, the reversal or the loan.")
    by: str


class TillEntryPage(BaseModel):
    """A page of what went in and out."""

    items: list[TillEntryOut]
    next: str | None = Field(description="The cursor of the following page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")
