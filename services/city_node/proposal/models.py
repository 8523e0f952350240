"""Tables of sensitive fields and proposals."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.city_node.customer.models import CustomerKind
from shared.kernel.database import Base, one_of


class SensitiveName(StrEnum):
    """A field that may be listed as sensitive."""

    NAME = "name"
    DOCUMENT = "document"
    BIRTH_DATE = "birth_date"
    LEVEL = "level"
    SEX = "sex"
    UNIT_CODE = "unit_code"
    MANAGER_ID = "manager_id"
    CONTRACT_TERM = "contract_term"
    PAYMENT_METHOD = "payment_method"
    ENTRY_DATE = "entry_date"


class ProposalState(StrEnum):
    """What became of a proposal."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class SensitiveField(Base):
    """Whether a field of a kind of customer needs a second person."""

    __tablename__ = "sensitive_field"
    __table_args__ = (
        one_of("kind", CustomerKind, "kind"),
        one_of("field", SensitiveName, "field"),
    )

    kind: Mapped[str] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    sensitive: Mapped[bool]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]


class CustomerProposal(Base):
    """What somebody proposes to change about a customer."""

    __tablename__ = "customer_proposal"
    __table_args__ = (
        one_of("state", ProposalState, "state"),
        CheckConstraint("(state = 'pending') = (decided_at IS NULL)", name="decided"),
        CheckConstraint("(state = 'pending') = (sealed IS NOT NULL)", name="sealed"),
        Index("customer_proposal_customer_id_idx", "customer_id", "id"),
        Index(
            "customer_proposal_pending_key",
            "customer_id",
            unique=True,
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "customer_proposal_due_idx",
            "expires_at",
            postgresql_where=text("state = 'pending'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    state: Mapped[str]
    changes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """``[{"field", "old", "new"}]`` as history has it; document numbers masked."""
    sealed: Mapped[bytes | None]
    """The patch, encrypted, until it is decided."""
    seen: Mapped[str]
    """Digest of the fields' values that the proposer saw."""
    seen_version: Mapped[int]
    proposed_at: Mapped[datetime]
    proposed_by: Mapped[str]
    proposer_id: Mapped[UUID]
    expires_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    decision: Mapped[str | None]
    """The reason of a rejection."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
