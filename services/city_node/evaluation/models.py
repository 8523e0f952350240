"""Tables of evaluations: results, what is to be evaluated, what was, and what drafts would give."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class Result(Base):
    """What a rule found about a customer, from ``since`` up to ``until``; the one without an end holds.

    A result has no foreign key: it is of the profile that was judged, and to check one takes longer than to write it.
    """

    __abstract__ = True

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    until: Mapped[datetime | None]
    as_of: Mapped[date]
    """The day whose facts were used."""
    policy: Mapped[str]
    """Which versions of which policy it was found by."""
    used: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The facts, and what the policy made of them on the way."""


def of_each_customer(table: str) -> Index:
    """Return the index by which the result that holds is found; a customer has one."""
    return Index(
        f"{table}_present_key",
        "customer_id",
        unique=True,
        postgresql_where=text("until IS NULL"),
    )


class Scope(StrEnum):
    """Whom an evaluation was of."""

    CITY = "city"
    CHANGED = "changed"


class Evaluation(Base):
    """One evaluation of a city by a rule, whole or of those whose facts changed."""

    __tablename__ = "evaluation"
    __table_args__ = (
        one_of("scope", Scope, "scope"),
        Index("evaluation_rule_idx", "rule", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Ordered by time."""
    rule: Mapped[str]
    scope: Mapped[str]
    as_of: Mapped[date]
    policy: Mapped[str]
    customers: Mapped[int]
    """How many were looked at."""
    changed: Mapped[int]
    """How many have another result."""
    at: Mapped[datetime]
    by: Mapped[str]


evaluation_mark = Table(
    "evaluation_mark", Base.metadata, Column("customer_id", Uuid, nullable=False)
)
"""Customers whose facts changed: written by triggers, as often as that happens, and therefore without any index."""


class EvaluationDue(Base):
    """A customer whom a rule has to look at again."""

    __tablename__ = "evaluation_due"

    rule: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)


class EvaluationTrial(Base):
    """What a draft of a policy would give: a dry run."""

    __tablename__ = "evaluation_trial"
    __table_args__ = (Index("evaluation_trial_unit_code_idx", "unit_code"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Of its work, too."""
    rule: Mapped[str]
    draft: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """As it was given."""
    publisher: Mapped[str]
    """Who would publish it: HQ a whole document, another node a merge patch (RFC 7396)."""
    document: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What would be in force."""
    as_of: Mapped[date]
    policy: Mapped[str | None]
    """What it was compared with."""
    unit_code: Mapped[str]
    """Of whose customers: those of the unit and below."""
    requested_by: Mapped[str]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    summary: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    """By unit: customers from what to what, and cost before and after."""


class EvaluationTrialChange(Base):
    """A customer whose result would be another."""

    __tablename__ = "evaluation_trial_change"
    __table_args__ = (
        Index("evaluation_trial_change_label_idx", "trial_id", "label", "was_label"),
        Index("evaluation_trial_change_customer_id_idx", "customer_id"),
    )

    trial_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    unit_code: Mapped[str] = mapped_column(Text)
    was_label: Mapped[str | None]
    label: Mapped[str]
    was_cost_fen: Mapped[int]
    cost_fen: Mapped[int]
    used: Mapped[dict[str, Any]] = mapped_column(JSONB)
