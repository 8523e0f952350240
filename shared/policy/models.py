"""Tables of policies: what was published and withdrawn, which is only added to, and this node's own drafts."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class DraftState(StrEnum):
    """What became of a draft."""

    DRAFT = "draft"
    PUBLISHED = "published"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class PolicyVersion(Base):
    """A version that a node published: its own, or one that another signed and that came here."""

    __tablename__ = "policy_version"
    __table_args__ = (
        Index("policy_version_in_force_idx", "kind", "publisher", "effective_from"),
        CheckConstraint("number > 0", name="number"),
        {"comment": "append-only: published versions of policies, as their publishers signed them"},
    )

    digest: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of ``content`` in hexadecimal digits."""
    kind: Mapped[str]
    """Also one that this release does not know yet."""
    publisher: Mapped[str]
    number: Mapped[int]
    effective_from: Mapped[date]
    document: Mapped[Any] = mapped_column(JSONB)
    bounds: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    note: Mapped[str | None]
    drafted_by: Mapped[str]
    published_at: Mapped[datetime]
    published_by: Mapped[str]
    content: Mapped[str]
    """The exact text that was signed, of which the columns above are made."""
    statement: Mapped[str]
    """Detached JWS by the publisher over ``content``."""
    received_at: Mapped[datetime]


class PolicyWithdrawal(Base):
    """That a publisher withdrew one of its versions; it may come before the version does."""

    __tablename__ = "policy_withdrawal"
    __table_args__ = (
        Index("policy_withdrawal_version_idx", "version"),
        {"comment": "append-only: withdrawals of policies, as their publishers signed them"},
    )

    digest: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of ``content`` in hexadecimal digits."""
    version: Mapped[str]
    """Digest of the version that is withdrawn."""
    kind: Mapped[str]
    publisher: Mapped[str]
    reason: Mapped[str]
    withdrawn_at: Mapped[datetime]
    withdrawn_by: Mapped[str]
    content: Mapped[str]
    """The exact text that was signed."""
    statement: Mapped[str]
    """Detached JWS by the publisher over ``content``."""
    received_at: Mapped[datetime]


class PolicyDraft(Base):
    """What somebody would have this node publish."""

    __tablename__ = "policy_draft"
    __table_args__ = (
        one_of("state", DraftState, "state"),
        CheckConstraint("(state = 'draft') = (decided_at IS NULL)", name="decided"),
        CheckConstraint("(state = 'published') = (number IS NOT NULL)", name="published"),
        Index("policy_draft_kind_idx", "kind", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    document: Mapped[Any] = mapped_column(JSONB)
    """HQ's whole document, or another's merge patch."""
    bounds: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    effective_from: Mapped[date]
    retroactive: Mapped[bool]
    """Whether it may take effect on a day that is over."""
    note: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default=text("'draft'"))
    drafted_by: Mapped[str]
    drafter_id: Mapped[UUID | None]
    """``None`` for an operator at the command line."""
    drafted_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    """Why it was rejected."""
    number: Mapped[int | None]
    """The version that it became."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
