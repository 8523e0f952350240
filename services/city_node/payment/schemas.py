"""What payments look like over the wire: to staff, and between the two ends."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from services.city_node.customer.schemas import Line
from services.city_node.service_request.schemas import (
    REQUEST_EXAMPLE,
    TRAIL_EXAMPLE,
    Answered,
    DivisionCode,
    Msisdn,
    RefusalOut,
    Sealed,
    ServiceRequestOut,
    Told,
)
from services.city_node.till.service import Drawer
from shared.clearing.schemas import Cleared

MOST_FEN = 5_000_000
"""Fifty thousand yuan in cash: more is a matter for a bank."""

Amount = Annotated[
    int,
    Field(
        gt=0, le=MOST_FEN, strict=True, description="Fen, a hundredth of a yuan.", examples=[10000]
    ),
]
_MEMO = Field(default=None, max_length=16 * 1024)

_PAYMENT: dict[str, JsonValue] = {
    "amount_fen": 10000,
    "receipt_number": "440300260302473829105647",
    "shift_id": "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a20",
    "taken_at": "2026-03-02T02:00:00+00:00",
    "credited_at": "2026-03-02T02:00:02.118000+00:00",
    "business_day": "2026-03-02",
    "given_back_at": None,
    "reversal_id": None,
    "reversed_at": None,
    "allocated": None,
}
_REQUEST: dict[str, JsonValue] = {
    **REQUEST_EXAMPLE,
    "kind": "payment",
    "state": "credited",
    "awaiting": None,
    "data": {"amount_fen": 10000},
    "ended_at": "2026-03-02T02:00:02.118000+00:00",
}
_REVERSAL: dict[str, JsonValue] = {
    **REQUEST_EXAMPLE,
    "kind": "payment-reversal",
    "state": "asked",
    "awaiting": "home",
    "data": {"amount_fen": 10000},
    "payment_id": "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a12",
    "amount_fen": 10000,
    "reason": "The customer gave a wrong number.",
    "given_back_at": None,
}


class PaymentIn(BaseModel):
    """Money over the counter, for a number of another city."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"msisdn": "13800005678", "home": "110100", "amount_fen": 10000}]
        },
    )

    msisdn: Msisdn
    home: DivisionCode | None = Field(
        default=None,
        description="Division code of the number's home city; found by the number's segment without it.",
    )
    amount_fen: Amount


class ReversalIn(BaseModel):
    """Why a payment is reversed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "The customer gave a wrong number."}]},
    )

    reason: Annotated[Line, Field(max_length=200)]


class AllocationIn(BaseModel):
    """The line that a payment belongs to."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"subscription_id": "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a40"}]
        },
    )

    subscription_id: UUID


class PaymentFacts(BaseModel):
    """What a payment has beside what every request has."""

    amount_fen: int
    receipt_number: str | None = Field(description="At the visited city.")
    shift_id: UUID | None = Field(description="The till's shift that took it, at the visited city.")
    taken_at: datetime | None = Field(description="When it was taken, at the visited city.")
    credited_at: datetime | None = Field(description="When the home city credited it.")
    business_day: date | None = Field(description="The day on which it is cleared.")
    given_back_at: datetime | None = Field(
        description="When the cash of a refused payment went back over the counter."
    )
    reversal_id: UUID | None = Field(description="The reversal under way or done.")
    reversed_at: datetime | None = Field(description="When the home city took it back.")
    allocated: bool | None = Field(
        description="At the home city: whether the line is known; false only after a restore that has lost it."
    )


class PaymentSummary(PaymentFacts):
    """One end's record of a payment, in a list."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_REQUEST, **_PAYMENT}]})

    id: UUID
    role: str
    home: DivisionCode
    visited: DivisionCode
    state: str
    awaiting: str | None
    subject: str
    deadline: datetime = Field(description="One that still waits then wants attention.")
    refusal: RefusalOut | None
    unit: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    version: int


class PaymentPage(BaseModel):
    """A page of payments."""

    items: list[PaymentSummary]
    next: str | None = Field(description="The cursor of the following page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class PaymentOut(PaymentFacts, ServiceRequestOut):
    """One end's record of a payment, with its trail."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_REQUEST, "trail": TRAIL_EXAMPLE, **_PAYMENT}]}
    )


class ReversalFacts(BaseModel):
    """What a reversal has beside what every request has."""

    payment_id: UUID
    amount_fen: int
    reason: str | None = Field(description="At the visited city.")
    given_back_at: datetime | None = Field(description="When the cash went back over the counter.")


class ReversalOut(ReversalFacts, ServiceRequestOut):
    """One end's record of a reversal, with its trail."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_REVERSAL, "trail": TRAIL_EXAMPLE}]}
    )


class TillTotals(BaseModel):
    """What the tills took for other cities, by where it stands: the cash is what has not been given back."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "taken_fen": 60000,
                    "handed_out_fen": 10000,
                    "cash_fen": 50000,
                    "waiting_fen": 10000,
                    "credited_fen": 30000,
                    "to_give_back_fen": 10000,
                }
            ]
        }
    )

    taken_fen: int = Field(description="Payments taken.")
    handed_out_fen: int = Field(description="Given back: refused or reversed.")
    cash_fen: int = Field(description="What is left of it: taken less handed out, floats aside.")
    waiting_fen: int = Field(description="Taken, and without the home city's word so far.")
    credited_fen: int = Field(description="Credited, and not reversed.")
    to_give_back_fen: int = Field(description="Refused or reversed, and not given back yet.")


class ReceiptOut(BaseModel):
    """What a receipt is worth."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "number": _PAYMENT["receipt_number"],
                    "payment_id": REQUEST_EXAMPLE["id"],
                    "state": "credited",
                    "amount_fen": 10000,
                    "subject": "138****5678",
                    "home": "110100",
                    "taken_at": _PAYMENT["taken_at"],
                    "credited_at": _PAYMENT["credited_at"],
                    "reversed_at": None,
                }
            ]
        }
    )

    number: str
    payment_id: UUID
    state: str
    amount_fen: int
    subject: str = Field(description="The number that was paid for, masked.")
    home: DivisionCode
    taken_at: datetime
    credited_at: datetime | None
    reversed_at: datetime | None = Field(description="If it is set, the receipt is worth nothing.")


class Taken(Sealed):
    """The visited city has money for a number of the home city."""

    amount_fen: int = Field(gt=0, strict=True)
    taken_at: AwareDatetime | None = None
    """When the money was taken; nothing in messages of nodes that ask the first home alone."""
    memo: str | None = _MEMO


class PaidFor(BaseModel):
    """What is sealed in it."""

    msisdn: Msisdn


class Credited(Answered, Cleared):
    """The home city has credited it."""

    credited_at: datetime


class ReversalAsked(Told):
    """The visited city asks for a payment to be taken back."""

    payment_id: UUID
    amount_fen: int = Field(gt=0, strict=True)
    memo: str | None = _MEMO


class Reversed(Answered, Cleared):
    """The home city has taken it back."""


class GivenBack(Told):
    """The cash went back over the counter."""

    memo: str | None = _MEMO


class TakenMemo(BaseModel):
    """What a visited city seals for itself when it takes money."""

    by: str
    unit: str
    subject: str
    receipt_number: str
    drawer: Drawer
    msisdn: Msisdn | None = None
    """The number, by which the customer can be followed; not in memos of earlier releases."""


class ReversalMemo(BaseModel):
    """What it seals for itself when it asks for a reversal."""

    by: str
    unit: str
    subject: str
    reason: str


class GivenBackMemo(BaseModel):
    """What it seals for itself when it hands cash out."""

    by: str
    drawer: Drawer
