"""Tables of orders of cards: reorder levels, orders, and by which consignment a card came."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of

MOST_ORDERED = 10_000
"""Cards in one order: a year of a large hall's."""


class OrderState(StrEnum):
    """How far an order is."""

    PLACED = "placed"
    """The supplier is asked, and has not answered yet."""
    CONFIRMED = "confirmed"
    """The supplier ships it, or what is left of it."""
    SHIPPED = "shipped"
    """Everything that comes has been shipped."""
    RECEIVED = "received"
    """Nothing is in transit any more."""
    REFUSED = "refused"
    """The supplier does not deliver; it stays open until somebody has settled why, and cancels it."""
    CANCELLED = "cancelled"
    """Given up; what was shipped before may still arrive."""


OPEN = (OrderState.PLACED, OrderState.CONFIRMED, OrderState.SHIPPED, OrderState.REFUSED)
"""States in which no other order is placed for the hall."""
IS_OPEN = f"state IN ({', '.join(repr(state.value) for state in OPEN)})"


class ReorderLevel(Base):
    """Under how many cards in stock a hall orders, and how many."""

    __tablename__ = "card_reorder_level"
    __table_args__ = (
        CheckConstraint("level >= 0", name="level"),
        CheckConstraint(f"quantity BETWEEN 1 AND {MOST_ORDERED}", name="quantity"),
        CheckConstraint("version >= 0", name="version"),
    )

    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"), primary_key=True)
    level: Mapped[int]
    """Nothing is ordered by itself if it is 0."""
    quantity: Mapped[int]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]
    version: Mapped[int]
    """0 until it is set for the first time, in the transaction that does."""


class CardOrder(Base):
    """Blank cards that were ordered for a hall."""

    __tablename__ = "card_order"
    __table_args__ = (
        one_of("state", OrderState, "state"),
        CheckConstraint(f"quantity BETWEEN 1 AND {MOST_ORDERED}", name="quantity"),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("consignments >= 0 AND asked >= 0", name="asked"),
        CheckConstraint(
            "state NOT IN ('confirmed', 'shipped') OR reference IS NOT NULL", name="reference"
        ),
        CheckConstraint("state <> 'refused' OR refusal IS NOT NULL", name="refusal"),
        CheckConstraint("version > 0", name="version"),
        Index("card_order_open_key", "unit_code", unique=True, postgresql_where=text(IS_OPEN)),
        Index("card_order_number_key", "unit_code", "number", unique=True),
        Index("card_order_created_at_idx", "created_at", "id"),
        Index("card_order_ask_at_idx", "ask_at", postgresql_where=text("ask_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Follows from hall and number, so that it comes out the same when it is placed again."""
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    number: Mapped[int]
    """The hall's first order is 1."""
    quantity: Mapped[int]
    state: Mapped[str]
    reference: Mapped[str | None]
    """What the supplier calls it."""
    refusal: Mapped[str | None]
    """Why the supplier does not deliver."""
    consignments: Mapped[int] = mapped_column(server_default=text("0"))
    """How many have been advised."""
    asked: Mapped[int] = mapped_column(server_default=text("0"))
    """How often an advice was asked for: each time under another key."""
    ask_at: Mapped[datetime | None]
    """When it is asked for next; null while the supplier is being asked, or no more comes."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(server_default=text("1"))


class ConsignedCard(Base):
    """Which consignment of which order a card of the stock came by, or comes by."""

    __tablename__ = "card_order_card"
    __table_args__ = (
        CheckConstraint("consignment > 0", name="consignment"),
        Index("card_order_card_order_id_idx", "order_id", "iccid"),
    )

    iccid: Mapped[str] = mapped_column(ForeignKey("sim_card_stock.iccid"), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("card_order.id"))
    consignment: Mapped[int]


class LossState(StrEnum):
    """What became of a proposal to write cards off."""

    PROPOSED = "proposed"
    WRITTEN_OFF = "written_off"
    REJECTED = "rejected"


class CardLoss(Base):
    """Cards of an order that somebody says are lost, until somebody else has decided it, and after."""

    __tablename__ = "card_loss"
    __table_args__ = (
        one_of("state", LossState, "state"),
        CheckConstraint(f"cardinality(cards) BETWEEN 1 AND {MOST_ORDERED}", name="cards"),
        CheckConstraint(
            "num_nulls(decided_at, decided_by) = CASE state WHEN 'proposed' THEN 2 ELSE 0 END",
            name="decided",
        ),
        CheckConstraint("(state = 'written_off') = (lost IS NOT NULL)", name="lost"),
        CheckConstraint("(state = 'rejected') = (decision IS NOT NULL)", name="decision"),
        CheckConstraint("version > 0", name="version"),
        Index(
            "card_loss_proposed_key",
            "order_id",
            unique=True,
            postgresql_where=text("state = 'proposed'"),
        ),
        Index("card_loss_order_id_idx", "order_id"),
        Index("card_loss_proposed_at_idx", "proposed_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("card_order.id"))
    cards: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    """Those that were in transit when it was proposed."""
    reason: Mapped[str]
    state: Mapped[str]
    lost: Mapped[int | None]
    """How many were written off: fewer than named if some have arrived meanwhile."""
    proposed_at: Mapped[datetime]
    proposed_by: Mapped[str]
    proposer_id: Mapped[UUID]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    decision: Mapped[str | None]
    """Why it was rejected."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
