"""What attachments look like over the wire: to staff, and between the two ends."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from services.city_node.attachment.content import MOST_BYTES, MOST_CHUNKS
from services.city_node.attachment.models import AttachmentKind, AttachmentState
from services.city_node.service_request.schemas import DivisionCode, Told

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

EXAMPLE: dict[str, JsonValue] = {
    "id": "0198f2b4-8a00-7d3a-9a44-1f0c5e7b2a22",
    "request_id": "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a11",
    "node": "440300",
    "kind": "document_photo",
    "media_type": "image/jpeg",
    "size": 183211,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "state": "held",
    "created_by": "li.na",
    "created_at": "2026-03-02T02:01:00+00:00",
    "held_at": "2026-03-02T02:01:00+00:00",
    "erased_at": None,
}


class AttachmentOut(BaseModel):
    """One attachment, as this node has it."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [EXAMPLE]})

    id: UUID = Field(description="The same at both ends.")
    request_id: UUID
    node: DivisionCode = Field(description="Which end added it.")
    kind: AttachmentKind
    media_type: str
    size: int = Field(description="In bytes.")
    sha256: Sha256
    state: AttachmentState = Field(
        description="`expected`: announced by the other end, its content on the way."
    )
    created_by: str = Field(description="Who added it; at the other end, its node.")
    created_at: datetime
    held_at: datetime | None
    erased_at: datetime | None


class AttachmentsOut(BaseModel):
    """The attachments of a request, in the order in which they were added."""

    items: list[AttachmentOut]


class Announced(Told):
    """What the other end is told of an attachment, on the lane of requests."""

    attachment_id: UUID
    kind: AttachmentKind
    media_type: str = Field(pattern=r"^(image/jpeg|image/png|application/pdf)$")
    size: int = Field(gt=0, le=MOST_BYTES)
    sha256: Sha256
    chunks: int = Field(gt=0, le=MOST_CHUNKS)


class Chunk(Told):
    """A piece of the content, sealed for the other end, on the bulk lane."""

    attachment_id: UUID
    number: int = Field(ge=0, lt=MOST_CHUNKS)
    sealed: str = Field(max_length=64 * 1024)


class Wanted(Told):
    """The other end lacks the content."""

    attachment_id: UUID


def chunk_context(attachment_id: UUID, number: int) -> str:
    """Return what a sealed chunk is bound to, so that it cannot be taken for another."""
    return f"attachment/{attachment_id}/{number}"
