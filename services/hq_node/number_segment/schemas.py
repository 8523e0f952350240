"""What changes of the number segments look like over the wire."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from services.hq_node.number_segment.models import ChangeState
from shared.number_segment.edition import Home, Prefix

MOST_SEGMENTS = 5000
"""In one request; a file may have any number."""
Note = Annotated[str, Field(min_length=1, max_length=500, examples=["New numbers of 2026"])]


class SegmentIn(BaseModel):
    """A segment and the home that it is to have."""

    model_config = ConfigDict(extra="forbid")

    prefix: Prefix
    home: Home | None = Field(description="Null: nobody's any more.")


class ChangeIn(BaseModel):
    """A change of the table."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"note": "New numbers of 2026", "segments": [{"prefix": "1990", "home": "110100"}]}
            ]
        },
    )

    note: Note
    segments: list[SegmentIn] = Field(min_length=1, max_length=MOST_SEGMENTS)


class RejectIn(BaseModel):
    """Why a change is rejected."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "1380013 stays Beijing's"}]}
    )

    reason: Note


class ConflictOut(BaseModel):
    """What a change contradicts."""

    prefix: str
    home: str | None = Field(description="The home that is asked for.")
    other: str = Field(description="The segment that stands against it.")
    present: str = Field(description="The home of that segment at present.")
    kind: str = Field(
        description="`moved`, `withdrawn`, `within` or `around` a segment of another city."
    )


_EXAMPLE: dict[str, JsonValue] = {
    "id": "0198f2b4-8a00-7d3a-9a44-1f0c5e7b2a33",
    "state": "waiting",
    "note": "New numbers of 2026",
    "segment_count": 1,
    "conflicts": [
        {"prefix": "1990", "home": "110100", "other": "199", "present": "440300", "kind": "within"}
    ],
    "conflict_count": 1,
    "made_by": "zhao.lei",
    "made_at": "2026-03-02T02:00:00+00:00",
    "decided_by": None,
    "decided_at": None,
    "reason": None,
    "first_edition": None,
    "last_edition": None,
    "version": 1,
}


class ChangeOut(BaseModel):
    """A change and what became of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: UUID
    state: ChangeState
    note: str
    segment_count: int
    conflicts: list[ConflictOut] = Field(description="The first of them; `conflict_count` has all.")
    conflict_count: int
    made_by: str
    made_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    first_edition: int | None = Field(description="The first of the editions that published it.")
    last_edition: int | None
    version: int

    @classmethod
    def of(cls, change: Any) -> "ChangeOut":
        """Return it as it is."""
        values = {
            name: getattr(change, name) for name in cls.model_fields if name != "segment_count"
        }
        return cls(**values, segment_count=len(change.segments))


class ChangePage(BaseModel):
    """A page of changes."""

    items: list[ChangeOut]
    next: str | None = Field(description="The cursor of the following page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")
