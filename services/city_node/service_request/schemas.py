"""What requests look like over the wire: to staff, and between the two ends."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from services.city_node.customer.schemas import Line
from shared.federation.delivery import Hop
from shared.kernel.language import Text

DivisionCode = Annotated[str, Field(pattern=r"^[0-9]{6}$", examples=["110100"])]

Msisdn = Annotated[
    str, Field(pattern=r"^1[0-9]{10}$", description="Mobile number.", examples=["13800005678"])
]
DocumentNumber = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="Number of the document, as printed on it.",
        examples=["11010519491231002X"],
    ),
]

MOST_HOPS = 16
"""A message between two cities passes five nodes; more than this is nonsense."""

REQUEST_EXAMPLE: dict[str, JsonValue] = {
    "id": "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a11",
    "kind": "card-replacement",
    "role": "visited",
    "home": "110100",
    "visited": "440300",
    "state": "approved",
    "awaiting": "visited",
    "subject": "138****5678",
    "deadline": "2026-03-02T02:30:00+00:00",
    "data": {"reason": "lost", "document_type": "id_card"},
    "refusal": None,
    "unit": "440300",
    "created_by": "li.na",
    "created_at": "2026-03-02T02:00:00+00:00",
    "updated_at": "2026-03-02T02:00:02.118000+00:00",
    "ended_at": None,
    "version": 2,
    "attention": None,
}

TRAIL_EXAMPLE: list[JsonValue] = [
    {
        "id": 101,
        "at": "2026-03-02T02:00:00+00:00",
        "node": "440300",
        "event": "asked",
        "state": "asked",
        "note": {"en": "110100 was asked to verify the customer.", "zh": "已请 110100 核验客户。"},
        "by": "li.na",
    },
    {
        "id": 102,
        "at": "2026-03-02T02:00:00.420000+00:00",
        "node": "440000",
        "event": "carried",
        "state": None,
        "note": {"en": "Passed on", "zh": "已转发"},
        "by": "440000",
    },
    {
        "id": 103,
        "at": "2026-03-02T02:00:02.118000+00:00",
        "node": "440300",
        "event": "approved",
        "state": "approved",
        "note": {"en": "110100 approved: a card may be written.", "zh": "110100 已核准，可写卡。"},
        "by": "110100",
    },
]


class Spoken(BaseModel):
    """Words in both languages."""

    en: str = Field(max_length=1000)
    zh: str = Field(max_length=1000)

    def to_text(self) -> Text:
        """Return them as the kernel has them."""
        return Text(self.en, self.zh)


class RefusalOut(BaseModel):
    """Why a request was refused."""

    code: str = Field(examples=["identity-mismatch"])
    text: Spoken


class AttentionOut(BaseModel):
    """Why a person is called, and since when."""

    code: str = Field(examples=["waiting"])
    text: Spoken
    since: datetime


class AttentionResolveIn(BaseModel):
    """What was done about a request that called for a person."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"note": "Called the home city: its link is up again."}]},
    )

    note: Annotated[Line, Field(max_length=200)]


class TrailEntry(BaseModel):
    """One line of a request's trail: what happened, where, when."""

    id: int = Field(description="Its place: grows along the trail, and names where to read on.")
    at: datetime
    node: DivisionCode
    event: str
    state: str | None = Field(
        description="The state of this end's record from here on; null where it did not change."
    )
    note: Spoken
    by: str


class TrailPage(BaseModel):
    """The lines of a trail past a place."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "state": "approved",
                    "last": 103,
                    "ended": False,
                    "more": False,
                    "items": TRAIL_EXAMPLE[2:],
                }
            ]
        }
    )

    state: str
    last: int = Field(description="The place of the last line: `after` of the next question.")
    ended: bool = Field(description="The request has ended and these are its last lines.")
    more: bool = Field(description="There may be more lines already: ask again at once.")
    items: list[TrailEntry]


class ServiceRequestSummary(BaseModel):
    """One end's record of a request."""

    model_config = ConfigDict(json_schema_extra={"examples": [REQUEST_EXAMPLE]})

    id: UUID = Field(description="The same at both ends.")
    kind: str
    role: str = Field(description="Which end this record is: `visited` or `home`.")
    home: DivisionCode
    visited: DivisionCode
    state: str
    awaiting: str | None = Field(
        description="Whose move it is: `visited`, `home`, or null once it has ended."
    )
    subject: str = Field(description="What it is about, masked.")
    deadline: datetime
    data: dict[str, Any]
    refusal: RefusalOut | None
    unit: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    version: int
    attention: AttentionOut | None = Field(
        description="Why a person is called; null while the request goes on by itself."
    )


class ServiceRequestOut(ServiceRequestSummary):
    """One end's record of a request, with its trail."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**REQUEST_EXAMPLE, "trail": TRAIL_EXAMPLE}]}
    )

    trail: list[TrailEntry]


class ServiceRequestPage(BaseModel):
    """A page of requests."""

    items: list[ServiceRequestSummary]
    next: str | None = Field(description="The cursor of the following page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class HopData(BaseModel):
    """A node that a message passed, inside another message."""

    node: DivisionCode
    at: datetime

    def to_hop(self) -> Hop:
        """Return it as the federation has it."""
        return Hop(self.node, self.at)


class CancelIn(BaseModel):
    """Why the clerk gives up."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"note": "The customer found the old card."}]},
    )

    note: Annotated[Line, Field(max_length=200)]


class Told(BaseModel):
    """What every message about a request says: which request."""

    request_id: UUID


class Answered(Told):
    """What every answer says: also which way the question came, so that the asker can show it."""

    hops: list[HopData] = Field(default=[], max_length=MOST_HOPS)
    deadline: AwareDatetime | None = None
    """Until when home keeps what it promises, by the customer's level."""


class AnsweredNo(Answered):
    """A refusal: why, in a form for programs and one for people."""

    reason: str = Field(pattern=r"^[a-z][a-z-]{0,60}$")
    text: Spoken
    moved_to: DivisionCode | None = None
    """The customer's new home, of one who has moved."""


class Sealed(Told):
    """A message whose personal part only the addressee can read."""

    sealed: str = Field(max_length=64 * 1024)


def sealed_bytes(content: BaseModel) -> bytes:
    """Return what is to be sealed, as bytes."""
    return content.model_dump_json().encode()


def seal_context(kind: str, request_id: UUID, event: str) -> str:
    """Return what a sealed text is bound to, so that it cannot be moved to another message or request."""
    return f"{kind}/{request_id}/{event}"
