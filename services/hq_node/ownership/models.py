"""Tables of the ownership directory."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class Ownership(Base):
    """Whose a customer is, as soon as ownership has moved once."""

    __tablename__ = "ownership"
    __table_args__ = (CheckConstraint("epoch > 1", name="epoch"),)

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    epoch: Mapped[int]
    since: Mapped[datetime]
    transfer_id: Mapped[UUID]
    """By which it came to its owner."""


class OwnershipChange(Base):
    """One move of ownership. Only added to: the comment of the table says so."""

    __tablename__ = "ownership_change"
    __table_args__ = (
        CheckConstraint("epoch > 1", name="epoch"),
        CheckConstraint("owner <> former_owner", name="owners"),
        Index("ownership_change_transfer_id_key", "transfer_id", unique=True),
        {"comment": "append-only: moves of ownership"},
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    """That began: there is one move into each, whatever is asked how often."""
    owner: Mapped[str]
    former_owner: Mapped[str]
    transfer_id: Mapped[UUID]
    at: Mapped[datetime]
