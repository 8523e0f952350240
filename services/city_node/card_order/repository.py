"""Every query of orders of cards."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.card_order.models import (
    IS_OPEN,
    CardLoss,
    CardOrder,
    ConsignedCard,
    LossState,
    ReorderLevel,
)
from services.city_node.card_replacement.models import CardState, SimCard
from shared.kernel.listing import Listing, Sort
from shared.organisation.models import OrganisationUnit

_CARDS = "FROM card_order_card k JOIN sim_card_stock c USING (iccid) WHERE k.order_id = o.id"

ORDERS = Listing(
    source="card_order o JOIN organisation_unit u ON u.code = o.unit_code",
    key=Sort("o.id", "uuid"),
    columns={
        "id": "o.id",
        "unit": "o.unit_code",
        "number": "o.number",
        "state": "o.state",
        "quantity": "o.quantity",
        "consignments": "o.consignments",
        "received": f"(SELECT count(*) {_CARDS} AND c.state NOT IN ('in_transit', 'lost'))",
        "in_transit": f"(SELECT count(*) {_CARDS} AND c.state = 'in_transit')",
        "lost": f"(SELECT count(*) {_CARDS} AND c.state = 'lost')",
        "reference": "o.reference",
        "refusal": "o.refusal",
        "created_at": "o.created_at",
        "updated_at": "o.updated_at",
        "version": "o.version",
    },
    sorts={"created_at": Sort("o.created_at", "timestamptz")},
    filters={
        "unit_path": "starts_with(u.path, {})",
        "id": "o.id = {}",
        "state": "o.state = {}",
        "open": f"(o.{IS_OPEN}) = {{}}",
        "unit": "o.unit_code = {}",
    },
)
"""Orders, with what came of them."""

CARDS = Listing(
    source="card_order_card k JOIN sim_card_stock c USING (iccid)",
    key=Sort("c.iccid", "text"),
    columns={
        "iccid": "c.iccid",
        "imsi": "c.imsi",
        "consignment": "k.consignment",
        "state": "c.state",
    },
    sorts={"iccid": Sort("c.iccid", "text")},
    filters={"order": "k.order_id = {}", "state": "c.state = {}"},
)
"""The cards of an order, as far as they were advised."""


LOSSES = Listing(
    source="card_loss s JOIN card_order o ON o.id = s.order_id JOIN organisation_unit u ON u.code = o.unit_code",
    key=Sort("s.id", "uuid"),
    columns={
        "id": "s.id",
        "order": "s.order_id",
        "unit": "o.unit_code",
        "cards": "s.cards",
        **{
            name: f"s.{name}"
            for name in (
                *("reason", "state", "lost", "proposed_at", "proposed_by"),
                *("decided_at", "decided_by", "decision", "version"),
            )
        },
    },
    sorts={"proposed_at": Sort("s.proposed_at", "timestamptz")},
    filters={
        "unit_path": "starts_with(u.path, {})",
        "id": "s.id = {}",
        "order": "s.order_id = {}",
        "state": "s.state = {}",
    },
)
"""Losses, proposed and decided."""


def _count(state: CardState) -> str:
    return f"(SELECT count(*) FROM sim_card_stock c WHERE c.unit_code = u.code AND c.state = '{state.value}')"  # noqa: S608 - a declared state


STOCKS = Listing(
    source="organisation_unit u LEFT JOIN card_reorder_level l ON l.unit_code = u.code",
    key=Sort("u.code", "text"),
    columns={
        "unit": "u.code",
        "in_stock": _count(CardState.IN_STOCK),
        "in_transit": _count(CardState.IN_TRANSIT),
        "level": "coalesce(l.level, 0)",
        "quantity": "l.quantity",
        "version": "coalesce(l.version, 0)",
    },
    sorts={"unit": Sort("u.code", "text")},
    filters={"unit_path": "u.active AND starts_with(u.path, {})", "unit": "u.code = {}"},
)
"""What the halls have, and when they order."""

_LOW = text(f"""
    SELECT l.unit_code, l.quantity,
           coalesce((SELECT max(o.number) FROM card_order o WHERE o.unit_code = l.unit_code), 0) + 1 AS number
    FROM card_reorder_level l JOIN organisation_unit u ON u.code = l.unit_code
    WHERE u.active AND l.level > 0 AND l.unit_code = coalesce(CAST(:unit AS text), l.unit_code)
      AND NOT EXISTS (SELECT FROM card_order o WHERE o.unit_code = l.unit_code AND o.{IS_OPEN})
      AND l.level > (SELECT count(*) FROM (
          SELECT FROM sim_card_stock c WHERE c.unit_code = l.unit_code AND c.state = 'in_stock' LIMIT l.level) s)
    ORDER BY l.unit_code LIMIT :most""")  # noqa: S608 - declared states


@dataclass(frozen=True, slots=True)
class Low:
    """A hall whose stock is under its level, with no order open: what it orders, and as which of its orders."""

    unit: str
    quantity: int
    number: int


async def low_stocks(session: AsyncSession, *, unit: str | None, most: int) -> list[Low]:
    """Return halls that are to order, or the one asked for if it is."""
    rows = await session.execute(_LOW, {"unit": unit, "most": most})
    return [Low(row.unit_code, row.quantity, row.number) for row in rows]


async def add_orders(session: AsyncSession, orders: Sequence[dict[str, Any]]) -> set[UUID]:
    """Add orders; returns which, without those of halls that have got an open one meanwhile."""
    query = insert(CardOrder).values(list(orders)).on_conflict_do_nothing()
    return set(await session.scalars(query.returning(CardOrder.id)))


async def lock(session: AsyncSession, order_id: UUID, unit_path: str = "") -> CardOrder | None:
    """Return and lock an order if it is of a unit at or below ``unit_path``."""
    query = (
        select(CardOrder)
        .join(OrganisationUnit, OrganisationUnit.code == CardOrder.unit_code)
        .where(CardOrder.id == order_id, func.starts_with(OrganisationUnit.path, unit_path))
    )
    return await session.scalar(
        query.with_for_update(of=CardOrder).execution_options(populate_existing=True)
    )


async def due_to_ask(session: AsyncSession, *, now: datetime, most: int) -> Sequence[CardOrder]:
    """Return and lock orders of which the supplier is to be asked what it has shipped."""
    query = select(CardOrder).where(CardOrder.ask_at <= now).order_by(CardOrder.ask_at)
    found = await session.scalars(
        query.limit(most)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return found.all()


async def add_consigned(
    session: AsyncSession, order_id: UUID, consignment: int, iccids: Iterable[str]
) -> None:
    """Note by which consignment cards come."""
    rows = [{"iccid": each, "order_id": order_id, "consignment": consignment} for each in iccids]
    if rows:
        await session.execute(insert(ConsignedCard), rows)


async def in_transit(session: AsyncSession, order_id: UUID) -> set[str]:
    """Return the cards of an order that are on their way."""
    return await _in_state(session, order_id, CardState.IN_TRANSIT)


async def lost(session: AsyncSession, order_id: UUID) -> set[str]:
    """Return the cards of an order that were written off."""
    return await _in_state(session, order_id, CardState.LOST)


async def _in_state(session: AsyncSession, order_id: UUID, state: CardState) -> set[str]:
    query = (
        select(SimCard.iccid)
        .join(ConsignedCard, ConsignedCard.iccid == SimCard.iccid)
        .where(ConsignedCard.order_id == order_id, SimCard.state == state)
    )
    return set(await session.scalars(query))


async def cards(session: AsyncSession, iccids: Sequence[str]) -> Sequence[SimCard]:
    """Return those of a few cards that the stock knows."""
    return (await session.scalars(select(SimCard).where(SimCard.iccid.in_(iccids)))).all()


async def lock_level(session: AsyncSession, unit: str, *, by: str, now: datetime) -> ReorderLevel:
    """Return and lock a hall's reorder level, made in its version 0 if it has had none."""
    first = {"level": 0, "quantity": 1, "updated_at": now, "updated_by": by, "version": 0}
    await session.execute(
        insert(ReorderLevel).values(unit_code=unit, **first).on_conflict_do_nothing()
    )
    query = select(ReorderLevel).where(ReorderLevel.unit_code == unit).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def proposed_loss(session: AsyncSession, order_id: UUID) -> UUID | None:
    """Return the loss of an order's cards that waits for a decision."""
    query = select(CardLoss.id).where(CardLoss.order_id == order_id)
    return await session.scalar(query.where(CardLoss.state == LossState.PROPOSED))


async def order_of_loss(session: AsyncSession, loss_id: UUID) -> UUID | None:
    """Return the order whose cards a loss is about: it is locked before the loss."""
    return await session.scalar(select(CardLoss.order_id).where(CardLoss.id == loss_id))


async def lock_loss(session: AsyncSession, loss_id: UUID) -> CardLoss:
    """Return and lock a loss."""
    query = select(CardLoss).where(CardLoss.id == loss_id).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one()
