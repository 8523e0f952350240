"""The tables of offers, quotas, grants and uses."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.city_node.customer.models import ByteOrder, Level
from services.city_node.interaction.models import Channel
from services.city_node.offer.life import GrantState
from shared.kernel.database import Base, one_of


class ReversalReason(StrEnum):
    """Why a use is taken back."""

    MISTAKE = "mistake"
    NOT_DELIVERED = "not_delivered"
    CUSTOMER_WISH = "customer_wish"


class Offer(Base):
    """An entry of the catalogue."""

    __tablename__ = "offer"
    __table_args__ = (
        CheckConstraint("num_nonnulls(value_fen, value_permille) = 1", name="value"),
        CheckConstraint("value_permille BETWEEN 1 AND 1000", name="value_permille"),
        CheckConstraint("cost_fen >= 0", name="cost"),
        CheckConstraint("valid_until > valid_from", name="valid"),
        CheckConstraint("num_nulls(condition, condition_text) IN (0, 2)", name="condition"),
        CheckConstraint("version > 0", name="version"),
    )

    code: Mapped[str] = mapped_column(ByteOrder, primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    benefit_zh: Mapped[str]
    """What it gives, in words."""
    benefit_en: Mapped[str]
    value_fen: Mapped[int | None]
    value_permille: Mapped[int | None]
    """What a use is worth to the customer: an amount, or a share of what is paid."""
    cost_fen: Mapped[int]
    """What a use costs the operator."""
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    """The first day on which it is not granted any more."""
    units: Mapped[list[str]] = mapped_column(JSONB)
    """For the customers of these units and those below."""
    levels: Mapped[list[str]] = mapped_column(JSONB)
    """For customers of these levels; of any if there are none."""
    condition: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    condition_text: Mapped[str | None]
    approval_above_fen: Mapped[int | None]
    """A grant that may cost more takes a second person, also where the policy does not want one."""
    exclusive_group: Mapped[str | None]
    """A customer has one grant at a time of all the offers of a group."""
    version: Mapped[int]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]


class OfferConflict(Base):
    """Two offers that a customer does not have at once; each pair stands here once."""

    __tablename__ = "offer_conflict"
    __table_args__ = (
        CheckConstraint("one_code < other_code", name="once"),
        Index("offer_conflict_other_code_idx", "other_code"),
    )

    one_code: Mapped[str] = mapped_column(ByteOrder, ForeignKey("offer.code"), primary_key=True)
    other_code: Mapped[str] = mapped_column(ByteOrder, ForeignKey("offer.code"), primary_key=True)


class OfferQuota(Base):
    """How many uses of an offer a unit may grant in a year, and what they may cost."""

    __tablename__ = "offer_quota"
    __table_args__ = (
        CheckConstraint("reserved >= 0 AND reserved <= uses", name="uses"),
        CheckConstraint("reserved_fen >= 0 AND reserved_fen <= budget_fen", name="budget"),
        CheckConstraint("num_nonnulls(uses, budget_fen) > 0", name="limits"),
    )

    offer_code: Mapped[str] = mapped_column(ByteOrder, ForeignKey("offer.code"), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"), primary_key=True)
    uses: Mapped[int | None]
    budget_fen: Mapped[int | None]
    reserved: Mapped[int] = mapped_column(server_default=text("0"))
    """Uses that grants hold, and those that were used of grants that have ended."""
    reserved_fen: Mapped[int] = mapped_column(server_default=text("0"))
    version: Mapped[int]
    """Of what was set: what is reserved does not raise it."""
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]


class OfferGrant(Base):
    """An offer as one customer has it."""

    __tablename__ = "offer_grant"
    __table_args__ = (
        one_of("state", GrantState, "state"),
        one_of("level", Level, "level"),
        CheckConstraint("uses > 0 AND used BETWEEN 0 AND uses", name="uses"),
        CheckConstraint(
            "CASE state WHEN 'used_in_part' THEN used > 0 AND used < uses WHEN 'used_up' THEN used = uses "
            "WHEN 'cancelled' THEN used < uses WHEN 'expired' THEN used < uses ELSE used = 0 END",
            name="used",
        ),
        CheckConstraint("valid_until > granted_on", name="valid"),
        CheckConstraint("num_nulls(decided_at, decided_by) IN (0, 2)", name="decided"),
        ForeignKeyConstraint(
            ["offer_code", "quota_year", "quota_unit"],
            ["offer_quota.offer_code", "offer_quota.year", "offer_quota.unit_code"],
        ),
        Index("offer_grant_customer_id_idx", "customer_id", "id"),
        Index("offer_grant_offer_code_idx", "offer_code", "id"),
        Index(
            "offer_grant_open_idx",
            "valid_until",
            postgresql_where=text("state IN ('proposed', 'granted', 'used_in_part')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Ordered by time."""
    offer_code: Mapped[str] = mapped_column(ByteOrder, ForeignKey("offer.code"))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    """The customer's unit on the day of the grant: it bears the cost, wherever the customer goes."""
    quota_year: Mapped[int | None]
    quota_unit: Mapped[str | None]
    """The quota that it counts against, if there was one."""
    uses: Mapped[int]
    used: Mapped[int]
    cost_fen: Mapped[int]
    """Of one use, on the day of the grant."""
    state: Mapped[str]
    level: Mapped[str]
    """The customer's on the day of the grant."""
    policy: Mapped[str]
    """Which versions said how many uses the customer has."""
    granted_on: Mapped[date]
    """The business day on which it was granted or proposed: the period it counts in."""
    valid_until: Mapped[date]
    """The first day on which it cannot be used any more."""
    granted_at: Mapped[datetime]
    granted_by: Mapped[str]
    granter_id: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    """When a second person decided, or somebody cancelled it."""
    decided_by: Mapped[str | None]
    reason: Mapped[str | None]
    """Why it was refused or cancelled."""
    version: Mapped[int]


class OfferUse(Base):
    """One use of a grant, or the reversal of one, which is a row of its own. The sum of both is what was used."""

    __tablename__ = "offer_use"
    __table_args__ = (
        one_of("channel", Channel, "channel"),
        one_of("reason", ReversalReason, "reason"),
        CheckConstraint("uses = CASE WHEN reverses_id IS NULL THEN 1 ELSE -1 END", name="uses"),
        CheckConstraint("sign(cost_fen) * uses >= 0", name="cost"),
        CheckConstraint("(reverses_id IS NULL) = (reason IS NULL)", name="reversal"),
        Index("offer_use_grant_id_idx", "grant_id", "id"),
        Index("offer_use_used_on_idx", "used_on"),
        {"comment": "append-only: uses of offers, and their reversals"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Ordered by time."""
    grant_id: Mapped[UUID] = mapped_column(ForeignKey("offer_grant.id"))
    offer_code: Mapped[str] = mapped_column(ByteOrder)
    unit_code: Mapped[str]
    """That bears the cost: the grant's."""
    reverses_id: Mapped[UUID | None] = mapped_column(ForeignKey("offer_use.id"), unique=True)
    """The use that is given back: once."""
    uses: Mapped[int]
    cost_fen: Mapped[int]
    """Less than nothing for a reversal."""
    used_on: Mapped[date]
    used_at: Mapped[datetime]
    used_by: Mapped[str]
    place_code: Mapped[str]
    """The unit where it was used."""
    channel: Mapped[str]
    reason: Mapped[str | None]
