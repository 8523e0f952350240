"""Tables of prospects: each with the steps of its plan, and everything that happened."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.city_node.customer.models import Level
from shared.kernel.database import Base, one_of


class State(StrEnum):
    """Where a prospect is in its life; :mod:`~services.city_node.prospect.life` says what leads where."""

    FOUND = "found"
    QUALIFIED = "qualified"
    NURTURED = "nurtured"
    CONVERTED = "converted"
    DISQUALIFIED = "disqualified"
    DROPPED = "dropped"
    LAPSED = "lapsed"


class Signal(StrEnum):
    """Why somebody is a prospect."""

    NEAR = "near"
    GROWING = "growing"
    COMPETITOR = "competitor"
    ENTITLED = "entitled"
    """The rule of levels grants the level by now, and a review is to give it: kept until then, never found by it."""


class Act(StrEnum):
    """What happens to a prospect."""

    FIND = "find"
    QUALIFY = "qualify"
    DISQUALIFY = "disqualify"
    NURTURE = "nurture"
    DROP = "drop"
    REOPEN = "reopen"
    CONVERT = "convert"
    LAPSE = "lapse"
    ASSIGN = "assign"
    STEP = "step"


class Ending(StrEnum):
    """Why a prospect was closed without success."""

    ONE_OFF = "one_off"
    WRONG_FIGURES = "wrong_figures"
    POOR_CREDIT = "poor_credit"
    NOT_INTERESTED = "not_interested"
    STAYS_WITH_COMPETITOR = "stays_with_competitor"
    UNREACHABLE = "unreachable"
    OTHER = "other"
    LEFT = "left"
    MERGED = "merged"


class Outcome(StrEnum):
    """What came of a step."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


class Prospect(Base):
    """A customer who may reach a level, from when that was found until it is closed.

    There is no foreign key to the customer: it is of the profile that was judged, as results are.
    """

    __tablename__ = "prospect"
    __table_args__ = (
        one_of("state", State, "state"),
        one_of("target", Level, "target"),
        one_of("ending", Ending, "ending"),
        CheckConstraint("target <> 'standard'", name="key_level"),
        CheckConstraint("(state IN ('found', 'qualified', 'nurtured')) = (closed_at IS NULL)", name="closed"),
        CheckConstraint("ending IS NOT NULL OR state NOT IN ('disqualified', 'dropped')", name="because"),
        CheckConstraint("ending IS NULL OR state IN ('disqualified', 'dropped', 'lapsed')", name="reason"),
        Index("prospect_open_key", "customer_id", unique=True, postgresql_where=text("closed_at IS NULL")),
        Index("prospect_customer_id_idx", "customer_id", "found_at"),
        Index("prospect_by_score", "score", "id", postgresql_where=text("closed_at IS NULL")),
        Index("prospect_by_state", "state", "score", "id"),
        Index("prospect_manager_idx", "manager_id", postgresql_where=text("manager_id IS NOT NULL")),
        Index("prospect_due_idx", "next_due_on", "id", postgresql_where=text("next_due_on IS NOT NULL")),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    state: Mapped[str]
    target: Mapped[str]
    """The level to be reached."""
    score: Mapped[int]
    signals: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """The reasons that hold; none any more, if somebody works on it all the same."""
    used: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The figures, and what the policies made of them."""
    as_of: Mapped[date]
    """The day whose facts were used."""
    policy: Mapped[str]
    """Which versions of the two policies."""
    found_at: Mapped[datetime]
    manager_id: Mapped[UUID | None]
    """Who was assigned to it; without anybody it is for the customer's manager."""
    next_due_on: Mapped[date | None]
    """When the next step of the plan is due."""
    closed_at: Mapped[datetime | None]
    ending: Mapped[str | None]
    note: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))


class ProspectStep(Base):
    """One step of the plan by which a prospect is nurtured, as the policy had it when the plan began."""

    __tablename__ = "prospect_step"
    __table_args__ = (
        one_of("outcome", Outcome, "outcome"),
        CheckConstraint("responsible IN ('manager', 'supervisor')", name="responsible"),
        CheckConstraint("num_nulls(outcome, done_at, done_by) IN (0, 3)", name="done"),
    )

    prospect_id: Mapped[UUID] = mapped_column(ForeignKey("prospect.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    title_zh: Mapped[str]
    title_en: Mapped[str]
    responsible: Mapped[str]
    due_on: Mapped[date]
    outcome: Mapped[str | None]
    done_at: Mapped[datetime | None]
    done_by: Mapped[str | None]
    note: Mapped[str | None]


class ProspectEvent(Base):
    """One thing that happened to a prospect: its history, and what statistics count."""

    __tablename__ = "prospect_event"
    __table_args__ = (
        one_of("act", Act, "act"),
        one_of("from_state", State, "from_state"),
        one_of("to_state", State, "to_state"),
        Index("prospect_event_prospect_id_idx", "prospect_id", "id"),
        Index("prospect_event_customer_id_idx", "customer_id"),
        Index("prospect_event_at_idx", "at"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    prospect_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    at: Mapped[datetime]
    by: Mapped[str]
    act: Mapped[str]
    from_state: Mapped[str | None]
    to_state: Mapped[str]
    unit_code: Mapped[str]
    """Who looked after the customer then."""
    target: Mapped[str]
    score: Mapped[int]
    signals: Mapped[list[str]] = mapped_column(ARRAY(Text))
    ending: Mapped[str | None]
    days: Mapped[int | None]
    """For how many days it had been open, when it was closed."""
    policy: Mapped[str | None]
    """By which it was found."""
    used: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The figures with which it was found."""
    note: Mapped[str | None]
