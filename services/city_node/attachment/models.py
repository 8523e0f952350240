"""Tables of attachments."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class AttachmentKind(StrEnum):
    """What an attachment shows."""

    DOCUMENT_PHOTO = "document_photo"
    SIGNATURE = "signature"
    FORM = "form"
    OTHER = "other"


class AttachmentState(StrEnum):
    """What a node has of an attachment."""

    EXPECTED = "expected"
    """Announced; its content is on the way."""
    HELD = "held"
    SPOILED = "spoiled"
    """What came is not what was announced."""
    ERASED = "erased"


class Attachment(Base):
    """One attachment, under the same id at both ends."""

    __tablename__ = "attachment"
    __table_args__ = (
        one_of("kind", AttachmentKind, "kind"),
        one_of("state", AttachmentState, "state"),
        CheckConstraint("size > 0 AND chunks > 0", name="size"),
        CheckConstraint("(state = 'erased') = (erased_at IS NOT NULL)", name="erased"),
        Index("attachment_digest_key", "request_id", "node", "sha256", unique=True),
        Index(
            "attachment_kept_idx", "request_id", "id", postgresql_where=text("erased_at IS NULL")
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"))
    node: Mapped[str]
    """Which end added it."""
    kind: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    """In hexadecimal."""
    chunks: Mapped[int]
    state: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    held_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]
    sent_to: Mapped[str | None]
    """Which node was told of it, of what was added here."""


class AttachmentChunk(Base):
    """A piece of an attachment's content; it may come before the attachment is announced."""

    __tablename__ = "attachment_chunk"
    __table_args__ = (
        Index("attachment_chunk_number_key", "attachment_id", "source", "number", unique=True),
        Index("attachment_chunk_received_at_idx", "received_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    attachment_id: Mapped[UUID]
    source: Mapped[str]
    """The node that it comes from: this one, for what was added here."""
    number: Mapped[int]
    content_cipher: Mapped[bytes]
    received_at: Mapped[datetime]
