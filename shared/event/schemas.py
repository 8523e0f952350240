"""What events look like over the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class CloudEvent(BaseModel):
    """One event, in the structured form of CloudEvents 1.0."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "specversion": "1.0",
                    "id": "4711",
                    "source": "440300",
                    "type": "guanxi.level.changed.v1",
                    "time": "2026-03-02T02:00:00+00:00",
                    "subject": "/customers/0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a11",
                    "datacontenttype": "application/json",
                    "data": {"from": "silver", "to": "gold"},
                }
            ]
        }
    )

    specversion: Literal["1.0"]
    id: str = Field(description="Its position: unique together with `source`.")
    source: str = Field(description="Division code of the node.")
    type: str
    time: datetime
    subject: str = Field(description="Path of what it is about in this API.")
    datacontenttype: Literal["application/json"]
    data: dict[str, Any]


class EventPage(BaseModel):
    """Events that follow one another."""

    items: list[CloudEvent]
    next: str = Field(description="Give it as `after` to go on; there is always one.")
    more: bool = Field(description="Whether there are more already.")
