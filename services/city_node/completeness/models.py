"""Tables of weights and scores."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.city_node.customer.models import CustomerKind, Level
from shared.kernel.database import Base, one_of


class CompletenessRule(Base):
    """What an element weighs for a kind of customer at a level; nothing if it does not count."""

    __tablename__ = "completeness_rule"
    __table_args__ = (
        one_of("kind", CustomerKind, "kind"),
        one_of("level", Level, "level"),
        CheckConstraint("weight BETWEEN 0 AND 100", name="weight"),
    )

    kind: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[str] = mapped_column(primary_key=True)
    element: Mapped[str] = mapped_column(primary_key=True)
    weight: Mapped[int]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]


class CustomerCompleteness(Base):
    """How complete a profile was when it was last looked at."""

    __tablename__ = "customer_completeness"
    __table_args__ = (
        CheckConstraint("score BETWEEN 0 AND 100", name="score"),
        Index("customer_completeness_by_score", "score", "customer_id"),
        Index("customer_completeness_computed_at_idx", "computed_at"),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    score: Mapped[int]
    missing: Mapped[list[str]] = mapped_column(JSONB)
    """Elements that are not there, what weighs most first."""
    computed_at: Mapped[datetime]
