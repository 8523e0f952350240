"""Ports and their calls over the wire."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.port.models import CallState

_CALL: dict[str, Any] = {
    "id": "5f3c8a52-6b1e-5d8e-9a40-4c3e0d1f7a11",
    "number": 17,
    "port": "network",
    "operation": "sim-switches",
    "effect": "card-replacement.switch",
    "cause_id": "019ac0de-7000-7000-8000-000000000002",
    "ordering_key": "019ac0de-7000-7000-8000-000000000003",
    "state": "handed_over",
    "attempts": 2,
    "due_at": None,
    "last_error": "Refused: Card unknown",
    "refusal": {
        "type": "urn:example:problem:card-unknown",
        "title": "Card unknown",
        "detail": "The register has no such card.",
    },
    "answer": None,
    "created_at": "2026-11-23T04:00:00Z",
    "ended_at": None,
    "discard_reason": None,
    "discard_proposed_by": None,
    "discard_proposed_at": None,
    "discarded_by": None,
}


class RefusalOut(BaseModel):
    """Why a port refused."""

    type: str
    title: str
    detail: str


class CallOut(BaseModel):
    """One call of a port; what was sent is shown to nobody."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_CALL]})

    id: UUID = Field(description="Also the `Idempotency-Key` that the port sees.")
    number: int
    port: str
    operation: str
    effect: str = Field(description="What declares it and what follows.")
    cause_id: UUID = Field(description="What it was made for: a request's id, say.")
    ordering_key: str | None = Field(description="What has to stay in order.")
    state: CallState
    attempts: int
    due_at: datetime | None = Field(description="When it is tried next, or counts as lost.")
    last_error: str | None
    refusal: RefusalOut | None
    answer: dict[str, Any] | None
    created_at: datetime
    ended_at: datetime | None
    discard_reason: str | None
    discard_proposed_by: str | None
    discard_proposed_at: datetime | None
    discarded_by: str | None


class CallPage(BaseModel):
    """A page of calls; with `fields`, only those of each."""

    items: list[CallOut]
    next: str | None = Field(description="Cursor of the next page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class PortOut(BaseModel):
    """A port of the node, and how it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "network",
                "title": {"en": "Network register (HLR)", "zh": "网络侧用户数据库（HLR）"},
                "state": "up",
                "waiting": 0,
                "oldest_seconds": 0.0,
                "handed_over": 0,
                "failures": 0,
                "retry_at": None,
                "last_error": None,
            }
        }
    )

    name: str
    title: dict[str, str]
    state: str = Field(
        description="`off`: it has no address, and nothing is queued. `down`: it does not answer. `up` otherwise."
    )
    waiting: int = Field(description="Calls that are to be sent or under way.")
    oldest_seconds: float = Field(description="The age of the oldest of them.")
    handed_over: int = Field(description="Calls that wait for a person.")
    failures: int = Field(description="Attempts that failed since it last answered.")
    retry_at: datetime | None = Field(description="When it is tried again.")
    last_error: str | None


class CallDiscardProposal(BaseModel):
    """Why a call shall be given up."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"reason": "Switched by hand with the network's operator."}},
    )

    reason: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$"
        ),
    ]
