"""Tables of repairs: the visited node's ticket and estimates, the home node's promise and record, and satisfaction."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.city_node.customer.models import Level
from shared.kernel.database import Base, one_of


class RepairResult(StrEnum):
    """How a repair ended."""

    FIXED = "fixed"
    NOT_REPAIRABLE = "not_repairable"
    REPLACED = "replaced"
    """The customer was given another handset."""


class Decision(StrEnum):
    """What the customer said to an estimate."""

    AGREED = "agreed"
    DECLINED = "declined"


class PromiseState(StrEnum):
    """What became of the home node's promise."""

    HELD = "held"
    USED = "used"
    RELEASED = "released"


class RepairTicket(Base):
    """The visited node's ticket: the handset, what home promised, what was done, and who bears what."""

    __tablename__ = "repair_ticket"
    __table_args__ = (
        one_of("level", Level, "level"),
        one_of("result", RepairResult, "result"),
        CheckConstraint(
            "num_nulls(level, in_warranty, imei_matches, home_share_permille, cap_fen, deposit_fen, loan_days)"
            " IN (0, 7)",
            name="terms",
        ),
        CheckConstraint(
            "num_nulls(result, parts, labour_fen, total_fen, repaired_at, repaired_by) IN (0, 6)",
            name="repaired",
        ),
        CheckConstraint("goodwill_fen >= 0", name="goodwill"),
        CheckConstraint(
            "num_nulls(customer_fen, home_fen, visited_fen, days, returned_at, returned_by) IN (0, 6)",
            name="returned",
        ),
        CheckConstraint("customer_fen + home_fen + visited_fen = total_fen", name="shared"),
        CheckConstraint("customer_fen >= 0 AND home_fen >= 0 AND visited_fen >= 0", name="parts"),
        Index(
            "repair_ticket_differs_idx",
            "request_id",
            postgresql_where=text("promised_fen <> home_fen"),
        ),
    )

    request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"), primary_key=True)
    make: Mapped[str]
    model: Mapped[str]
    imei_masked: Mapped[str]
    fault: Mapped[str]
    purchased_on: Mapped[date | None]
    """As the invoice has it."""
    level: Mapped[str | None]
    in_warranty: Mapped[bool | None]
    imei_matches: Mapped[bool | None]
    home_share_permille: Mapped[int | None]
    cap_fen: Mapped[int | None]
    deposit_fen: Mapped[int | None]
    loan_days: Mapped[int | None]
    result: Mapped[str | None]
    parts: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    labour_fen: Mapped[int | None]
    total_fen: Mapped[int | None]
    repaired_at: Mapped[datetime | None]
    repaired_by: Mapped[str | None]
    replacement: Mapped[str | None]
    """Make and model of the handset that the customer was given instead."""
    replacement_masked: Mapped[str | None]
    replacement_sealed: Mapped[str | None]
    """The same with its IMEI, as only the home node can read it."""
    goodwill_fen: Mapped[int] = mapped_column(server_default=text("0"))
    """What the visited city lets the customer off."""
    customer_fen: Mapped[int | None]
    home_fen: Mapped[int | None]
    visited_fen: Mapped[int | None]
    days: Mapped[int | None]
    receipt: Mapped[str | None]
    returned_at: Mapped[datetime | None]
    returned_by: Mapped[str | None]
    promised_fen: Mapped[int | None]
    """What this node took home's part for, before home said it itself."""
    business_day: Mapped[date | None]
    """The day on which home recorded it: what the cities owe each other is counted by it."""
    told: Mapped[int] = mapped_column(server_default=text("0"))
    """How many messages this node has told home: by it a restored node knows which of its own words are newer."""


class RepairEstimate(Base):
    """An estimate of the cost, and what the customer said to it."""

    __tablename__ = "repair_estimate"
    __table_args__ = (
        one_of("decision", Decision, "decision"),
        CheckConstraint("labour_fen >= 0 AND total_fen >= labour_fen", name="cost"),
        CheckConstraint("customer_fen + home_fen = total_fen", name="shared"),
        CheckConstraint("num_nulls(decision, decided_at, decided_by) IN (0, 3)", name="decided"),
    )

    request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    parts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    labour_fen: Mapped[int]
    total_fen: Mapped[int]
    customer_fen: Mapped[int]
    home_fen: Mapped[int]
    estimated_at: Mapped[datetime]
    estimated_by: Mapped[str]
    decision: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    """The clerk to whom the customer said it."""


class RepairPromise(Base):
    """The home node's promise: what it bears of one repair, and on what terms a handset may be lent."""

    __tablename__ = "repair_promise"
    __table_args__ = (
        one_of("level", Level, "level"),
        one_of("state", PromiseState, "state"),
        CheckConstraint("(state = 'held') = (settled_at IS NULL)", name="settled"),
        Index(
            "repair_promise_imei_held_key",
            "imei",
            unique=True,
            postgresql_where=text("state = 'held'"),
        ),
        Index("repair_promise_customer_id_idx", "customer_id"),
        Index("repair_promise_subscription_id_idx", "subscription_id"),
    )

    request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"), primary_key=True)
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id"))
    """Empty where this node was restored from a backup that does not have the line it had made the promise for."""
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscription.id"))
    make: Mapped[str]
    model: Mapped[str]
    imei: Mapped[str]
    fault: Mapped[str]
    purchased_on: Mapped[date | None]
    level: Mapped[str]
    in_warranty: Mapped[bool]
    imei_matches: Mapped[bool]
    home_share_permille: Mapped[int]
    cap_fen: Mapped[int]
    deposit_fen: Mapped[int]
    loan_days: Mapped[int]
    policy: Mapped[str]
    """Which versions of the policy it was made by."""
    state: Mapped[str] = mapped_column(server_default=text("'held'"))
    settled_at: Mapped[datetime | None]


class RepairRecord(Base):
    """A repair on the record of the home node's customer: written once."""

    __tablename__ = "repair_record"
    __table_args__ = (
        one_of("level", Level, "level"),
        one_of("result", RepairResult, "result"),
        CheckConstraint("customer_fen + home_fen + visited_fen = total_fen", name="shared"),
        CheckConstraint("customer_fen >= 0 AND home_fen >= 0 AND visited_fen >= 0", name="parts"),
        Index("repair_record_customer_id_idx", "customer_id", "recorded_at"),
        Index("repair_record_subscription_id_idx", "subscription_id"),
        Index("repair_record_business_day_idx", "business_day"),
        Index(
            "repair_record_differs_idx",
            "request_id",
            postgresql_where=text("claimed_fen <> home_fen"),
        ),
    )

    request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"), primary_key=True)
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id"))
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscription.id"))
    visited: Mapped[str]
    handset: Mapped[str]
    """Make and model."""
    imei: Mapped[str]
    fault: Mapped[str]
    level: Mapped[str]
    in_warranty: Mapped[bool]
    result: Mapped[str]
    replacement: Mapped[str | None]
    replacement_imei: Mapped[str | None]
    parts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    labour_fen: Mapped[int]
    total_fen: Mapped[int]
    customer_fen: Mapped[int]
    home_fen: Mapped[int]
    visited_fen: Mapped[int]
    claimed_fen: Mapped[int]
    """What the visited node took this node's part for."""
    days: Mapped[int]
    recorded_at: Mapped[datetime]
    business_day: Mapped[date]


class RepairSatisfaction(Base):
    """What the customer said about a repair, at either end; the words are kept at home alone."""

    __tablename__ = "repair_satisfaction"
    __table_args__ = (
        one_of("level", Level, "level"),
        CheckConstraint("score BETWEEN 1 AND 5", name="score"),
        Index("repair_satisfaction_unit_code_idx", "unit_code", "answered_at"),
    )

    request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"), primary_key=True)
    score: Mapped[int]
    comment: Mapped[str | None]
    level: Mapped[str]
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    """Whose it is at this end: the hall that did the work, or the unit that the customer belongs to."""
    answered_at: Mapped[datetime]
