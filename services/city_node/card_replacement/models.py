"""Tables of card replacement: the visited node's stock, and the home node's promises."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class CardState(StrEnum):
    """What a card of the stock is."""

    IN_STOCK = "in_stock"
    RESERVED = "reserved"
    """Set aside for a request; goes back if that is given up."""
    WRITTEN = "written"
    """Made out to a customer, not in use yet; it can never go back."""
    ISSUED = "issued"
    """The customer's SIM now."""
    SPOILED = "spoiled"
    """Written in vain: to be destroyed."""
    IN_TRANSIT = "in_transit"
    """Shipped to the hall, which has not received it yet."""
    LOST = "lost"
    """Shipped and written off; it is received all the same if it turns up."""


class ReservationState(StrEnum):
    """What became of a promise to switch."""

    HELD = "held"
    USED = "used"
    RELEASED = "released"


def _list(values: type[StrEnum]) -> str:
    return ", ".join(repr(value.value) for value in values)


class SimCard(Base):
    """A card that this node's halls have or had in stock, or are to have."""

    __tablename__ = "sim_card_stock"
    __table_args__ = (
        CheckConstraint(f"state IN ({_list(CardState)})", name="state"),
        CheckConstraint(
            "CASE WHEN state IN ('in_stock', 'in_transit', 'lost') THEN request_id IS NULL "
            "WHEN state = 'spoiled' THEN true ELSE request_id IS NOT NULL END",
            name="request",
        ),
        CheckConstraint("version > 0", name="version"),
        Index(
            "sim_card_stock_available_idx",
            "unit_code",
            "iccid",
            postgresql_where=text("state = 'in_stock'"),
        ),
        Index(
            "sim_card_stock_request_key",
            "request_id",
            unique=True,
            postgresql_where=text("request_id IS NOT NULL"),
        ),
        Index("sim_card_stock_unit_code_idx", "unit_code", "state"),
    )

    iccid: Mapped[str] = mapped_column(primary_key=True)
    imsi: Mapped[str] = mapped_column(unique=True)
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    state: Mapped[str] = mapped_column(server_default=text("'in_stock'"))
    request_id: Mapped[UUID | None] = mapped_column(ForeignKey("service_request.id"))
    """The request that has it, or spoiled it: one card for each request."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(server_default=text("1"))


class SwitchReservation(Base):
    """The home node's promise that one request may switch a subscription's SIM: one at a time for each subscription."""

    __tablename__ = "sim_switch_reservation"
    __table_args__ = (
        CheckConstraint(f"state IN ({_list(ReservationState)})", name="state"),
        CheckConstraint("(state = 'held') = (settled_at IS NULL)", name="settled"),
        Index(
            "sim_switch_reservation_held_key",
            "subscription_id",
            unique=True,
            postgresql_where=text("state = 'held'"),
        ),
        Index("sim_switch_reservation_subscription_id_idx", "subscription_id", "settled_at"),
    )

    request_id: Mapped[UUID] = mapped_column(ForeignKey("service_request.id"), primary_key=True)
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscription.id"))
    state: Mapped[str] = mapped_column(server_default=text("'held'"))
    settled_at: Mapped[datetime | None]
