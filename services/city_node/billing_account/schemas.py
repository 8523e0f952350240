"""What billing accounts look like over the wire."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.city_node.billing_account.models import EntryKind

_SUBSCRIPTION = "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a11"


class BillingAccountOut(BaseModel):
    """What a line has paid in advance, and what it owes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "subscription_id": _SUBSCRIPTION,
                    "balance_fen": 1200,
                    "unpaid_fen": 18800,
                    "owed_fen": 17600,
                    "suspended_at": None,
                }
            ]
        }
    )

    subscription_id: UUID
    balance_fen: int = Field(description="Paid, and not used by a bill yet.")
    unpaid_fen: int = Field(description="Charges of the bills that are not paid.")
    owed_fen: int = Field(description="What is left of that beyond the balance.")
    suspended_at: datetime | None = Field(
        description="When the line was suspended for arrears; paying everything resumes it."
    )


class BillingAccountPage(BaseModel):
    """A page of billing accounts."""

    items: list[BillingAccountOut]
    next: str | None = Field(description="The cursor of the following page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class BillingTotals(BaseModel):
    """What was credited, and what became of it: credited less reversed is applied and balance."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "credited_fen": 60000,
                    "reversed_fen": 10000,
                    "applied_fen": 30000,
                    "balance_fen": 20000,
                }
            ]
        }
    )

    credited_fen: int = Field(description="Payments credited.")
    reversed_fen: int = Field(description="Payments taken back.")
    applied_fen: int = Field(description="What bills have used of it.")
    balance_fen: int = Field(description="What is left.")


class BillingEntryOut(BaseModel):
    """One change of a balance."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 7,
                    "at": "2026-03-02T02:00:02.118000+00:00",
                    "kind": "credited",
                    "amount_fen": 10000,
                    "period": None,
                    "cause_id": "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a12",
                }
            ]
        }
    )

    id: int
    at: datetime
    kind: EntryKind
    amount_fen: int = Field(description="Less than nothing takes away.")
    period: date | None = Field(description="Month of the bill that was paid or released.")
    cause_id: UUID | None = Field(description="The payment or reversal.")


class BillingEntryPage(BaseModel):
    """A page of changes of a balance."""

    items: list[BillingEntryOut]
    next: str | None = Field(description="The cursor of the following page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")
