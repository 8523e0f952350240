"""What the audit log looks like over the wire."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.audit.models import Source
from shared.audit.verification import Tampering, Verification

_RECORD: dict[str, Any] = {
    "id": 4711,
    "at": "2026-11-23T04:00:00Z",
    "by": "zhang.min",
    "user_id": "019ac0de-7000-7000-8000-000000000001",
    "role": "clerk",
    "unit_code": "440300-01",
    "action": "customer.looked",
    "subject_type": "customer",
    "subject_id": "019ac0de-7000-7000-8000-000000000002",
    "fields": ["profile", "contacts"],
    "source": "rest",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "cause_id": None,
    "detail": {},
}
_LINK = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class RecordOut(BaseModel):
    """One action."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RECORD]})

    id: int
    at: datetime
    by: str = Field(
        description="Username; `command:NAME` for a command on the node's machine; a node's code."
    )
    user_id: UUID | None
    role: str | None
    unit_code: str | None = Field(description="The person's unit at the time.")
    action: str
    subject_type: str | None
    subject_id: str | None
    fields: list[str] = Field(description="What was seen or changed: names, never values.")
    source: Source
    trace_id: str | None
    cause_id: UUID | None = Field(description="The import or message that made it happen.")
    detail: dict[str, Any]


class RecordPage(BaseModel):
    """A page of the audit log; with `fields`, only those of each record."""

    items: list[RecordOut]
    next: str | None = Field(description="Cursor of the next page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class SealOut(BaseModel):
    """One link of the chain."""

    number: int
    at: datetime
    records: int
    first_at: datetime
    last_at: datetime
    link: str = Field(description="In hexadecimal.", examples=[_LINK])


class SealPage(BaseModel):
    """A page of seals; with `fields`, only those of each."""

    items: list[SealOut]
    next: str | None = Field(description="Cursor of the next page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class BreakOut(BaseModel):
    """The first place where the log is not what it was."""

    model_config = ConfigDict(from_attributes=True)

    tampering: Tampering
    seal: int | None
    record: int | None
    sentence: str


class DroppedOut(BaseModel):
    """What retention has removed."""

    model_config = ConfigDict(from_attributes=True)

    through_seal: int = Field(description="The last seal whose records are gone.")
    records: int
    at: datetime
    by: str


class VerificationOut(BaseModel):
    """What became of checking the log."""

    intact: bool
    seals: int
    records: int
    unsealed: int = Field(description="Records younger than the newest seal, not checked yet.")
    head: str | None = Field(
        description="The newest seal as NUMBER:LINK, worth noting elsewhere.",
        examples=[f"57:{_LINK}"],
    )
    dropped: DroppedOut | None
    broken: BreakOut | None
    rewritable: list[str] = Field(
        description="Tables of the log that the node's own database role could rewrite; there should be none."
    )

    @classmethod
    def of(cls, found: Verification) -> Self:
        """Return what is told of ``found``."""
        return cls(
            intact=found.broken is None,
            seals=found.seals,
            records=found.records,
            unsealed=found.unsealed,
            head=str(found.head) if found.head else None,
            dropped=DroppedOut.model_validate(found.dropped) if found.dropped else None,
            broken=BreakOut.model_validate(found.broken) if found.broken else None,
            rewritable=list(found.rewritable),
        )
