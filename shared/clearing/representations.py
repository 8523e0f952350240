"""What clearing looks like to staff."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from shared.clearing.models import DisputeState, ItemKind, StatementState

Note = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\S[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$",
    ),
]
Account = Annotated[
    str,
    Field(
        pattern=r"^([0-9]{6}|customers|cash|repairs)$",
        description="A neighbour's division code, `customers`, `cash` or `repairs`.",
        examples=["440000"],
    ),
]
NodeCode = Annotated[str, Field(pattern=r"^[0-9]{6}$", examples=["440300"])]

_NEXT = Field(description="The cursor of the following page; null on the last.")
_COUNT = Field(default=None, description="How many there are in all, if asked for.")
_REQUEST = "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a11"


def _example(**values: JsonValue) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


_POSITION: dict[str, JsonValue] = {
    "account": "440000",
    "items": 12,
    "debit_fen": 120000,
    "credit_fen": 20000,
    "net_fen": 100000,
}


class PositionOut(BaseModel):
    """What one account comes to."""

    model_config = _example(**_POSITION)

    account: str = Field(
        description="A neighbour's division code, `customers`, `cash` or `repairs`."
    )
    items: int
    debit_fen: int = Field(description="What it owes.")
    credit_fen: int = Field(description="What is due to it.")
    net_fen: int = Field(description="The first less the second.")


class PositionsOut(BaseModel):
    """What every account of this node comes to."""

    model_config = _example(node="000000", accounts=[_POSITION], sum_fen=0)

    node: str
    accounts: list[PositionOut]
    sum_fen: int = Field(description="Of all nets: zero, whatever happens.")


class TransferOut(BaseModel):
    """Money that settles part of what is owed."""

    model_config = _example(payer="440000", payee="110000", amount_fen=100000)

    payer: str
    payee: str
    amount_fen: int


class NettingOut(BaseModel):
    """What each neighbour owes on balance, and the transfers that settle it."""

    model_config = _example(
        node="000000",
        net_fen={"440000": 100000, "110000": -100000},
        transfers=[{"payer": "440000", "payee": "110000", "amount_fen": 100000}],
    )

    node: str
    net_fen: dict[str, int] = Field(description="By account; less than nothing is due to it.")
    transfers: list[TransferOut]


class EntryOut(BaseModel):
    """An item as this node booked it."""

    model_config = _example(
        id=1,
        request_id=_REQUEST,
        kind="payment",
        at="2026-03-02T02:00:02.118000+00:00",
        business_day="2026-03-02",
        booked_on="2026-03-02",
        debit="440000",
        credit="110000",
        amount_fen=10000,
        home="110100",
        visited="440300",
    )

    id: int
    request_id: UUID
    kind: ItemKind
    at: datetime
    business_day: date = Field(description="The day on which the home city credited it.")
    booked_on: date = Field(
        description="The day to which this node counts it: later if its month was closed."
    )
    debit: str = Field(description="The account that owes.")
    credit: str = Field(description="The account that it is due to.")
    amount_fen: int
    home: str
    visited: str


class EntryPage(BaseModel):
    """A page of entries."""

    items: list[EntryOut]
    next: str | None = _NEXT
    count: int | None = _COUNT


class StatementOut(BaseModel):
    """What this node and a neighbour say of one day."""

    model_config = _example(
        neighbour="440300",
        day="2026-03-02",
        revision=1,
        state="agreed",
        items=12,
        net_fen=100000,
        digest="5f" * 32,
        their_items=12,
        their_net_fen=100000,
        stated_at="2026-03-02T16:10:00+00:00",
        compared_at="2026-03-02T16:10:01+00:00",
        differences=0,
    )

    neighbour: str
    day: date
    revision: int = Field(description="Of the child's statement; 0 while it is awaited.")
    state: StatementState
    items: int
    net_fen: int = Field(description="What the neighbour owes for the day by this node's books.")
    digest: str
    their_items: int | None
    their_net_fen: int | None = Field(description="The same by the neighbour's books.")
    stated_at: datetime | None
    compared_at: datetime | None
    differences: int = Field(description="Items that the two do not have alike.")


class StatementPage(BaseModel):
    """A page of statements."""

    items: list[StatementOut]
    next: str | None = _NEXT
    count: int | None = _COUNT


class DifferenceOut(BaseModel):
    """An item that the two ends of a link do not have alike, or had not."""

    model_config = _example(
        neighbour="440300",
        day="2026-03-02",
        request_id=_REQUEST,
        kind="payment",
        our_fen=10000,
        their_fen=None,
        found_at="2026-03-02T16:10:01+00:00",
        settled_at=None,
    )

    neighbour: str
    day: date
    request_id: UUID
    kind: ItemKind
    our_fen: int | None = Field(
        description="What the neighbour owes for it by this node's books; null if it is not in them."
    )
    their_fen: int | None = Field(description="The same by the neighbour's books.")
    found_at: datetime
    settled_at: datetime | None = Field(description="When the two had it alike.")


class DifferencePage(BaseModel):
    """A page of differences."""

    items: list[DifferenceOut]
    next: str | None = _NEXT
    count: int | None = _COUNT


class DisputeIn(BaseModel):
    """What is disputed, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "neighbour": "440300",
                    "day": "2026-03-02",
                    "request_id": _REQUEST,
                    "reason": "The till has no such payment.",
                }
            ]
        },
    )

    neighbour: NodeCode
    day: date
    request_id: UUID | None = Field(
        default=None, description="The item; without it the day as a whole."
    )
    reason: Note


class ResolutionIn(BaseModel):
    """How a dispute is to be settled."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"resolution": "The message was parked; retried."}]},
    )

    resolution: Note


class DisputeOut(BaseModel):
    """A dispute."""

    model_config = _example(
        id="0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a31",
        neighbour="440300",
        day="2026-03-02",
        request_id=_REQUEST,
        reason="The till has no such payment.",
        state="open",
        opened_by="chen.jie",
        opened_at="2026-03-03T01:00:00+00:00",
        resolution=None,
        proposed_by=None,
        proposed_at=None,
        resolved_by=None,
        resolved_at=None,
        version=1,
    )

    id: UUID
    neighbour: str
    day: date
    request_id: UUID | None
    reason: str
    state: DisputeState
    opened_by: str
    opened_at: datetime
    resolution: str | None
    proposed_by: str | None
    proposed_at: datetime | None
    resolved_by: str | None
    resolved_at: datetime | None
    version: int


class DisputePage(BaseModel):
    """A page of disputes."""

    items: list[DisputeOut]
    next: str | None = _NEXT
    count: int | None = _COUNT


class ClosingIn(BaseModel):
    """Why a month is closed although days of it are not agreed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    reason: Note | None = Field(
        default=None, description="Needed only if days of the month are not agreed."
    )


class MonthOut(BaseModel):
    """A month that is closed, or proposed to be."""

    model_config = _example(
        month="2026-02",
        proposed_by="chen.jie",
        proposed_at="2026-03-01T01:00:00+00:00",
        reason=None,
        closed_by="lin.tao",
        closed_at="2026-03-01T02:00:00+00:00",
        positions=[_POSITION],
    )

    month: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}$")
    proposed_by: str
    proposed_at: datetime
    reason: str | None
    closed_by: str | None
    closed_at: datetime | None
    positions: list[PositionOut] | None = Field(description="What each account came to.")


class MonthPage(BaseModel):
    """A page of months."""

    items: list[MonthOut]
    next: str | None = _NEXT
    count: int | None = _COUNT
