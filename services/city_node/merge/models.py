"""Tables of merges."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of

UNDO_DAYS = 180
"""For so long a merge can be undone; then the copies that it needs are deleted."""


class MergeState(StrEnum):
    """What became of a merge."""

    DONE = "done"
    UNDONE = "undone"
    FINAL = "final"


class CustomerMerge(Base):
    """One merge: who, when, which profiles, and what the survivor took over."""

    __tablename__ = "customer_merge"
    __table_args__ = (
        one_of("state", MergeState, "state"),
        Index("customer_merge_survivor_id_idx", "survivor_id"),
        Index("customer_merge_merged_id_idx", "merged_id"),
        Index("customer_merge_at_idx", "at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    survivor_id: Mapped[UUID]
    merged_id: Mapped[UUID]
    merged_number: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=text("'done'"))
    note: Mapped[str | None]
    chosen: Mapped[dict[str, str]] = mapped_column(JSONB)
    """Whose value stays, by field, as the person chose."""
    profile: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The merged profile, whole, for the undo."""
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The survivor's fields that the merge set, as they were."""
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The same, as the merge set them."""
    moved: Mapped[int] = mapped_column(server_default=text("0"))
    set_aside: Mapped[int] = mapped_column(server_default=text("0"))
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]


class CustomerMergeRow(Base):
    """One row that a merge moved or set aside."""

    __tablename__ = "customer_merge_row"
    __table_args__ = (Index("customer_merge_row_merge_id_idx", "merge_id", "id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    merge_id: Mapped[UUID] = mapped_column(ForeignKey("customer_merge.id", ondelete="CASCADE"))
    table_name: Mapped[str]
    column_name: Mapped[str]
    key: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The row's primary key, after the move."""
    before: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """Marks that it gave up to the survivor's own, such as being the preferred contact."""
    digest: Mapped[str | None]
    """Of the row as the merge left it: another one now tells that it was changed since."""
    row: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The whole row, if it was set aside."""
