"""Tables of transfers: what each end knows of a case beside its request, and a record that is on the way."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class TransferCase(Base):
    """What an end of a transfer knows beside its request: whom it is about, and what is on the way."""

    __tablename__ = "transfer_case"
    __table_args__ = (Index("transfer_case_customer_id_idx", "customer_id"),)

    request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"), primary_key=True)
    customer_id: Mapped[UUID | None]
    """No reference: the new home hears of the customer before there is a profile."""
    epoch: Mapped[int | None]
    """In which the old home has the customer."""
    chunks: Mapped[int | None]
    """Pieces of the record."""
    sha256: Mapped[str | None]
    memo: Mapped[str | None]
    """What the new home has to know of its own question, sealed for itself; forgotten when the transfer has ended."""
    had_prepared: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the new home said so before it was restored from a backup: from then on HQ decides, and no clock."""
    word: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """HQ's word, where it came before the record was here: at a node that was restored from a backup."""


class TransferChunk(Base):
    """A piece of a record that came, as it came: sealed, and nobody's profile until ownership has moved."""

    __tablename__ = "transfer_chunk"
    __table_args__ = (CheckConstraint("number > 0", name="number"),)

    request_id: Mapped[UUID] = mapped_column(
        ForeignKey("transfer_case.request_id"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    sealed: Mapped[str]
    came_at: Mapped[datetime]
