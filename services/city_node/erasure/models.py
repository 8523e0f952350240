"""The table of proofs that somebody was erased."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class ErasureCause(StrEnum):
    """Why somebody was erased."""

    RETENTION = "retention"
    SUBJECT_REQUEST = "subject_request"


class Erasure(Base):
    """The proof of one erasure: who did it, when, why, and what classes of data went; none of what they were."""

    __tablename__ = "erasure"
    __table_args__ = (one_of("cause", ErasureCause, "cause"), Index("erasure_at_idx", "at"))

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str]
    """A username, ``command:`` and the name of the machine's user, or the job."""
    approved_by: Mapped[str | None]
    """The second person, where one was needed."""
    cause: Mapped[str]
    cause_id: Mapped[UUID | None]
    """The person's request, if that was the cause."""
    left_on: Mapped[date]
    left_reason: Mapped[str | None]
    classes: Mapped[list[str]] = mapped_column(JSONB)
    """The classes of personal data that the register declared on that day."""


class Suppression(Base):
    """A source's key or a document of somebody who was erased, as a blind index: an import does not make them anew."""

    __tablename__ = "suppression"

    index: Mapped[bytes] = mapped_column(primary_key=True)
    erased_on: Mapped[date]
