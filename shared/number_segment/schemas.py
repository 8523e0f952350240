"""What number segments look like over the wire."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from shared.number_segment.edition import Home, Prefix


class HomeOut(BaseModel):
    """Where a number is at home."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"msisdn": "13800138000", "home": "110100", "home_name": {"en": "Beijing", "zh": "北京市"}, "version": 12}]
        }
    )  # fmt: skip

    msisdn: str
    home: Home
    home_name: dict[str, str] = Field(description="Name of the city, `en` and `zh`.")
    version: int = Field(description="Version of the table at this node.")


class SegmentOut(BaseModel):
    """A segment and what the table says of it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"prefix": "1380013", "home": "110100", "edition": 12}]}
    )

    prefix: Prefix
    home: Home | None = Field(description="Null: nobody's any more.")
    edition: int = Field(description="The edition that said so last.")


class SegmentPage(BaseModel):
    """A page of segments."""

    items: list[SegmentOut]
    next: str | None = Field(description="The cursor of the following page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class EditionOut(BaseModel):
    """An edition of the table, without its segments."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "number": 12,
                    "segments": 340,
                    "published_at": "2026-03-02T02:00:00+00:00",
                    "published_by": "zhao.lei",
                    "note": "New numbers of 2026",
                    "received_at": "2026-03-02T02:00:03+00:00",
                }
            ]
        }
    )

    number: int
    segments: int = Field(description="How many segments it is about.")
    published_at: datetime
    published_by: str
    note: str
    received_at: datetime


class EditionPage(BaseModel):
    """A page of editions."""

    items: list[EditionOut]
    next: str | None = Field(description="The cursor of the following page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")
