"""Every query of card replacement: the visited node's stock, the home node's lines and promises."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, any_, func, literal, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.city_node.card_replacement.models import (
    CardState,
    ReservationState,
    SimCard,
    SwitchReservation,
)
from services.city_node.customer.models import (
    Sim,
    SimState,
    Subscription,
)
from services.city_node.service_request.repository import WITH_TRAIL
from shared.kernel.listing import Listing, Sort

WITH_CARD = Listing(
    WITH_TRAIL.source,
    WITH_TRAIL.key,
    {
        **WITH_TRAIL.columns,
        "card": "(SELECT json_build_object('iccid', c.iccid, 'imsi', c.imsi, 'state', c.state) "
        "FROM sim_card_stock c WHERE c.request_id = r.id)",
    },
    WITH_TRAIL.sorts,
    WITH_TRAIL.filters,
)

STOCK = Listing(
    source="sim_card_stock c JOIN organisation_unit u ON u.code = c.unit_code",
    key=Sort("c.iccid", "text"),
    columns={
        "iccid": "c.iccid",
        "imsi": "c.imsi",
        "unit": "c.unit_code",
        "state": "c.state",
        "request_id": "c.request_id",
        "created_at": "c.created_at",
        "updated_at": "c.updated_at",
        "version": "c.version",
    },
    sorts={"iccid": Sort("c.iccid", "text"), "updated_at": Sort("c.updated_at", "timestamptz")},
    filters={
        "unit_path": "starts_with(u.path, {})",
        "state": "c.state = {}",
        "unit": "c.unit_code = {}",
    },
)


# The visited node


async def pick_card(session: AsyncSession, unit: str) -> SimCard | None:
    """Return and lock one card of the unit's stock that nobody else is taking at this moment."""
    query = select(SimCard).where(SimCard.unit_code == unit, SimCard.state == CardState.IN_STOCK)
    return await session.scalar(
        query.order_by(SimCard.iccid).limit(1).with_for_update(skip_locked=True)
    )


async def lock_card(session: AsyncSession, iccid: str, imsi: str) -> SimCard | None:
    """Return and lock the card with these numbers."""
    query = select(SimCard).where(SimCard.iccid == iccid, SimCard.imsi == imsi)
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))


async def card_of(session: AsyncSession, request_id: UUID) -> SimCard:
    """Return and lock the card that a request has."""
    query = select(SimCard).where(SimCard.request_id == request_id)
    return (
        await session.scalars(query.with_for_update().execution_options(populate_existing=True))
    ).one()


async def add_cards(
    session: AsyncSession,
    unit: str,
    cards: Sequence[tuple[str, str]],
    *,
    state: CardState = CardState.IN_STOCK,
    now: datetime,
) -> set[str]:
    """Put cards, as ICCID and IMSI, into a unit's stock; returns the ICCIDs of those that are new there.

    Two loadings of the same card at the same time: one waits here for the other, and finds it known.
    """
    added = await session.scalars(
        text(
            """
            INSERT INTO sim_card_stock (iccid, imsi, unit_code, state, created_at, updated_at)
            SELECT card.iccid, card.imsi, :unit, :state, :now, :now
            FROM unnest(CAST(:iccids AS text[]), CAST(:imsis AS text[])) AS card (iccid, imsi)
            ON CONFLICT DO NOTHING RETURNING iccid
            """
        ),
        {
            "unit": unit,
            "state": state,
            "now": now,
            "iccids": [iccid for iccid, _ in cards],
            "imsis": [imsi for _, imsi in cards],
        },
    )
    return set(added)


async def arrive(session: AsyncSession, iccids: Sequence[str], *, now: datetime) -> int:
    """Put those cards into stock that are in transit, or were written off as lost; returns how many."""
    shipped = (CardState.IN_TRANSIT, CardState.LOST)
    return await _turn(session, iccids, shipped, CardState.IN_STOCK, now=now)


async def lose(session: AsyncSession, iccids: Sequence[str], *, now: datetime) -> int:
    """Write off those cards that are in transit; returns how many."""
    return await _turn(session, iccids, (CardState.IN_TRANSIT,), CardState.LOST, now=now)


async def _turn(
    session: AsyncSession,
    iccids: Sequence[str],
    before: Sequence[CardState],
    after: CardState,
    *,
    now: datetime,
) -> int:
    turned = await session.scalars(
        update(SimCard)
        .where(_any(SimCard.iccid, iccids), SimCard.state.in_(before))
        .values(state=after, updated_at=now, version=SimCard.version + 1)
        .returning(SimCard.iccid)
    )
    return len(turned.all())


async def stock_cards(session: AsyncSession, cards: Sequence[tuple[str, str]]) -> Sequence[SimCard]:
    """Return the cards of the stock that share an ICCID or an IMSI with one of ``cards``."""
    iccids, imsis = [iccid for iccid, _ in cards], [imsi for _, imsi in cards]
    found = await session.scalars(
        select(SimCard).where(or_(_any(SimCard.iccid, iccids), _any(SimCard.imsi, imsis)))
    )
    return found.all()


async def known_sims(session: AsyncSession, cards: Sequence[tuple[str, str]]) -> Sequence[Sim]:
    """Return the SIMs, in use or not, that share an ICCID or an IMSI with one of ``cards``."""
    iccids, imsis = [iccid for iccid, _ in cards], [imsi for _, imsi in cards]
    found = await session.scalars(
        select(Sim).where(or_(_any(Sim.iccid, iccids), _any(Sim.imsi, imsis)))
    )
    return found.all()


def _any(column: InstrumentedAttribute[str], values: Sequence[str]) -> ColumnElement[bool]:
    # One parameter, however many values: a statement may have 32,767 of them at most.
    return column == any_(literal(list(values), ARRAY(Text())))


# The home node


_BEYOND_CREDIT = text("""
    SELECT coalesce((SELECT sum(charge_fen) FROM bill
                     WHERE customer_id = :customer_id AND charge_fen > 0 AND paid_on IS NULL
                       AND period <= date_trunc('month', CAST(:today AS date)) - interval '2 months'), 0)
         - coalesce((SELECT sum(a.balance_fen) FROM subscription s JOIN billing_account a ON a.subscription_id = s.id
                     WHERE s.customer_id = :customer_id), 0)
         > r.limit_fen
    FROM credit_result r WHERE r.customer_id = :customer_id AND r.until IS NULL""")


async def active_sim(session: AsyncSession, subscription_id: UUID) -> Sim | None:
    """Return and lock the SIM that a line uses."""
    query = select(Sim).where(Sim.subscription_id == subscription_id, Sim.state == SimState.ACTIVE)
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))


async def is_held(session: AsyncSession, subscription_id: UUID) -> bool:
    """Tell whether a replacement of the line's SIM is under way."""
    query = select(SwitchReservation.request_id).where(
        SwitchReservation.subscription_id == subscription_id,
        SwitchReservation.state == ReservationState.HELD,
    )
    return await session.scalar(query) is not None


async def count_used(session: AsyncSession, subscription_id: UUID, *, since: datetime) -> int:
    """Return how many replacements of the line's SIM were completed after ``since``."""
    query = select(func.count()).where(
        SwitchReservation.subscription_id == subscription_id,
        SwitchReservation.state == ReservationState.USED,
        SwitchReservation.settled_at > since,
    )
    return await session.scalar(query) or 0


async def is_beyond_credit(session: AsyncSession, customer_id: UUID, *, today: date) -> bool:
    """Tell whether a customer's overdue bills, less what the accounts hold, are more than the rating allows.

    A bill is overdue when the month after its own is over. Whoever has no rating has none to exceed.
    """
    found = await session.scalar(_BEYOND_CREDIT, {"customer_id": customer_id, "today": today})
    return bool(found)


async def reservation_of(session: AsyncSession, request_id: UUID) -> SwitchReservation:
    """Return the promise made to a request."""
    query = select(SwitchReservation).where(SwitchReservation.request_id == request_id)
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def customer_of(session: AsyncSession, request_id: UUID) -> UUID:
    """Return whose line a request switches."""
    query = select(Subscription.customer_id).join(
        SwitchReservation, SwitchReservation.subscription_id == Subscription.id
    )
    return (await session.scalars(query.where(SwitchReservation.request_id == request_id))).one()
