"""The stock of blank cards: what comes into it, and what becomes of a card."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.card_replacement import repository
from services.city_node.card_replacement.models import CardState, SimCard
from services.city_node.service_request import repository as requests
from services.city_node.service_request.problems import UnitNotYours
from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem

MOST_FAULTS = 20
"""Faults named in one answer: whoever loads the wrong file sees so after the first."""

_NOT_YOURS = Text("no active unit of yours", "不是您所辖的有效单位")
_TWICE = Text("{iccid} or its IMSI is twice in this list", "{iccid} 或其 IMSI 在清单中重复")
_IMSI_TAKEN = Text("the stock has this IMSI on card {iccid}", "该 IMSI 在库存中属于卡 {iccid}")
_OTHER_IMSI = Text(
    "the stock has card {iccid} with another IMSI", "库存中卡 {iccid} 的 IMSI 与此不同"
)
_SHIPPED = Text(
    "card {iccid} was shipped to {unit} by an order: receive it there",
    "卡 {iccid} 已由订购单发往 {unit}，请在该订购单收货",
)
_ELSEWHERE = Text("card {iccid} is in the stock of {unit}", "卡 {iccid} 在 {unit} 的库存中")
_ON_LINE = Text(
    "card {iccid} is or was the SIM of a line here", "卡 {iccid} 是或曾是本地号码的用户卡"
)


class NoCardInStock(Problem):
    """The hall has no card left."""

    status = 409
    title = Text("No card in stock", "无可用卡")
    sentence = Text(
        "Unit {unit} has no card in stock. Load cards (`POST /sim-cards`), or name a unit that has some.",
        "单位 {unit} 的卡库存为空，请先入库（POST /sim-cards）或改用有库存的单位。",
    )


class CardTaken(Exception):
    """The card of a request that is recalled is another's by now."""


class CardsInConflict(Problem):
    """Cards that are to be loaded are known already as something else."""

    status = 409
    title = Text("Cards in conflict", "卡号冲突")
    sentence = Text(
        "{count} of the cards cannot be loaded; `errors` names up to {most} of them. None was loaded.",
        "有 {count} 张卡无法入库，errors 列出其中至多 {most} 张；未入库任何卡。",
    )


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a loading did."""

    unit: str
    loaded: int
    known: int


async def load(
    session: AsyncSession,
    unit: str,
    cards: Sequence[tuple[str, str]],
    *,
    unit_path: str,
    now: datetime,
) -> Loaded:
    """Put cards into a unit's stock, all or none; those that it has already are left as they are.

    Args:
        session: the caller's transaction.
        unit: the unit that has the cards.
        cards: ICCID and IMSI of each.
        unit_path: the part of the organisation that the caller may load cards for.
        now: the present moment.

    Raises:
        UnitNotYours: if the unit is not active, or not the caller's (422).
        CardsInConflict: if a card or its IMSI is twice among them, in another stock or on a line here (409).
    """
    if await requests.active_unit(session, unit, unit_path) is None:
        raise UnitNotYours(faults=[Fault.of("/unit", _NOT_YOURS)], unit=unit)
    added = await repository.add_cards(session, unit, cards, now=now)
    faults = await _conflicts(session, unit, cards, added)
    if faults:
        raise CardsInConflict(faults=faults[:MOST_FAULTS], count=len(faults), most=MOST_FAULTS)
    return Loaded(unit, len(added), len(cards) - len(added))


async def _conflicts(
    session: AsyncSession, unit: str, cards: Sequence[tuple[str, str]], added: set[str]
) -> list[Fault]:
    stocked = await repository.stock_cards(session, cards)
    by_iccid = {card.iccid: card for card in stocked}
    by_imsi = {card.imsi: card for card in stocked}
    sims = await repository.known_sims(session, cards)
    on_lines = {number for sim in sims for number in (sim.iccid, sim.imsi)}
    faults: list[Fault] = []
    seen: set[str] = set()
    for place, (iccid, imsi) in enumerate(cards):
        card = by_iccid.get(iccid)
        if iccid in seen or imsi in seen:
            faults.append(Fault.of(f"/cards/{place}", _TWICE, iccid=iccid))
        elif card is None:
            faults.append(Fault.of(f"/cards/{place}/imsi", _IMSI_TAKEN, iccid=by_imsi[imsi].iccid))
        elif card.imsi != imsi:
            faults.append(Fault.of(f"/cards/{place}/imsi", _OTHER_IMSI, iccid=iccid))
        elif card.state in {CardState.IN_TRANSIT, CardState.LOST}:
            faults.append(
                Fault.of(f"/cards/{place}/iccid", _SHIPPED, iccid=iccid, unit=card.unit_code)
            )
        elif card.unit_code != unit:
            faults.append(
                Fault.of(f"/cards/{place}/iccid", _ELSEWHERE, iccid=iccid, unit=card.unit_code)
            )
        elif iccid in added and {iccid, imsi} & on_lines:
            faults.append(Fault.of(f"/cards/{place}/iccid", _ON_LINE, iccid=iccid))
        seen |= {iccid, imsi}
    return faults


async def announce(
    session: AsyncSession, unit: str, cards: Sequence[tuple[str, str]], *, now: datetime
) -> set[str]:
    """Note that cards are on their way to a unit; returns the ICCIDs of those that were not known here."""
    sims = await repository.known_sims(session, cards)
    on_lines = {number for sim in sims for number in (sim.iccid, sim.imsi)}
    new = [card for card in cards if on_lines.isdisjoint(card)]
    return await repository.add_cards(session, unit, new, state=CardState.IN_TRANSIT, now=now)


async def receive(session: AsyncSession, iccids: Sequence[str], *, now: datetime) -> int:
    """Put cards into stock that were on their way, or lost on it; returns how many there were."""
    return await repository.arrive(session, iccids, now=now)


async def lose(session: AsyncSession, iccids: Sequence[str], *, now: datetime) -> int:
    """Write off cards that are on their way; returns how many there were."""
    return await repository.lose(session, iccids, now=now)


async def reserve(session: AsyncSession, unit: str, request_id: UUID, *, now: datetime) -> SimCard:
    """Set a card of the unit aside for a request.

    Raises:
        NoCardInStock: if the unit has none (409).
    """
    card = await repository.pick_card(session, unit)
    if card is None:
        raise NoCardInStock(unit=unit)
    card.request_id = request_id
    _become(card, CardState.RESERVED, now)
    return card


_FREE = frozenset({CardState.IN_STOCK, CardState.IN_TRANSIT, CardState.LOST, CardState.RESERVED})
"""Of a card on which nothing is written."""


async def take_again(
    session: AsyncSession, unit: str, card: tuple[str, str], request_id: UUID, *, now: datetime
) -> None:
    """Set that very card aside for a request that had it before, if no other request has written it.

    A card that the backup does not have, or has in transit or lost, came after it, and the request proves that it did.
    Clerks go on while a restored node recalls: a request that was given the card meanwhile gets another, as long as
    nothing is written on it.

    Raises:
        CardTaken: if another request has written it, or there is no other card.
    """
    await repository.add_cards(session, unit, [card], now=now)
    known = await repository.lock_card(session, *card)
    if known is None or known.state not in _FREE:
        raise CardTaken(f"Card {card[0]} is written already, so request {request_id} has none.")
    given_to = known.request_id
    known.request_id = request_id
    _become(known, CardState.RESERVED, now)
    await session.flush()  # the next news of the request looks for it
    if given_to is not None:
        try:
            await reserve(session, known.unit_code, given_to, now=now)
        except NoCardInStock:
            raise CardTaken(
                f"Card {card[0]} is request {given_to}'s, and {known.unit_code} has no other, so request {request_id} has none."
            ) from None


async def write(session: AsyncSession, request_id: UUID, *, now: datetime) -> SimCard:
    """Note that the request's card is being made out to the customer."""
    card = await repository.card_of(session, request_id)
    _become(card, CardState.WRITTEN, now)
    return card


async def issue(session: AsyncSession, request_id: UUID, *, now: datetime) -> None:
    """Note that the request's card is the customer's SIM now."""
    _become(await repository.card_of(session, request_id), CardState.ISSUED, now)


async def give_back(session: AsyncSession, request_id: UUID, *, now: datetime) -> None:
    """Take the card back from a request that was given up: into the stock, or spoiled if it was written."""
    card = await repository.card_of(session, request_id)
    if card.state == CardState.WRITTEN:
        _become(card, CardState.SPOILED, now)
    else:
        card.request_id = None
        _become(card, CardState.IN_STOCK, now)


def _become(card: SimCard, state: CardState, now: datetime) -> None:
    card.state = state
    card.updated_at = now
    card.version += 1
