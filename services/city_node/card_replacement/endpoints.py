"""Card replacement over HTTP, for the clerk at the visited node; and the stock of cards."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from services.city_node.card_replacement import repository, stock, visited
from services.city_node.card_replacement.kind import KIND
from services.city_node.card_replacement.models import CardState
from services.city_node.card_replacement.schemas import (
    CardReplacementIn,
    CardReplacementOut,
    CardsIn,
    CardsLoaded,
    StockPage,
)
from services.city_node.service_request.answers import answered
from services.city_node.service_request.repository import read
from services.city_node.service_request.schemas import CancelIn
from services.city_node.service_request.service import RequestNotFound
from shared.access import OnceDependency, Principal, require
from shared.capability import Context
from shared.kernel.edge import NodeDatabase, Now, Page, Transaction
from shared.kernel.preconditions import entity_tag
from shared.organisation.schemas import UnitCode

router = APIRouter(prefix="/card-replacements")
stock_router = APIRouter(prefix="/sim-cards")

Asker = Annotated[Principal, Depends(require("card-replacement:ask"))]
Writer = Annotated[Principal, Depends(require("card-replacement:write"))]
Reader = Annotated[Principal, Depends(require("service-request:read"))]
StockReader = Annotated[Principal, Depends(require("sim-card:read"))]
StockLoader = Annotated[Principal, Depends(require("sim-card:load"))]


@router.post(
    "",
    status_code=201,
    summary="Ask the home city for a card replacement",
    response_model=CardReplacementOut,
)
async def ask(
    body: CardReplacementIn,
    principal: Asker,
    session: Transaction,
    context: Context,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Set a card aside and ask the customer's home city; the answer comes later, and the trail shows it."""
    request_id = await visited.ask(context, session, principal, body, now=now)
    return await answered(
        session,
        principal,
        once,
        request_id,
        kind=KIND,
        listing=repository.WITH_CARD,
        made_at=router.prefix,
    )


@router.get(
    "/{request_id}",
    summary="A card replacement with its trail and card",
    response_model=CardReplacementOut,
)
async def read_one(
    request_id: UUID,
    database: NodeDatabase,
    principal: Reader,
    fields: Annotated[
        str | None,
        Query(description="Fields to return, separated by commas.", examples=["state,card"]),
    ] = None,
) -> Response:
    """Return this end's record: where the request is, since when, and what it awaits."""
    found = await read(
        await database.pool(),
        request_id,
        unit_path=principal.unit_path,
        kind=KIND.code,
        listing=repository.WITH_CARD,
        fields=fields,
    )
    if found is None:
        raise RequestNotFound(id=request_id)
    return Response(
        found.json, media_type="application/json", headers={"ETag": entity_tag(found.version)}
    )


@router.post(
    "/{request_id}/write-card",
    summary="Write the reserved card",
    response_model=CardReplacementOut,
)
async def write_card(
    request_id: UUID,
    principal: Writer,
    session: Transaction,
    context: Context,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Make the reserved card out to the customer, and have the home city switch to it."""
    await visited.write_card(context, session, principal, request_id, now=now)
    return await answered(
        session, principal, once, request_id, kind=KIND, listing=repository.WITH_CARD
    )


@router.post(
    "/{request_id}/cancel",
    summary="Give up before the card is written",
    response_model=CardReplacementOut,
)
async def cancel(
    request_id: UUID,
    body: CancelIn,
    principal: Asker,
    session: Transaction,
    context: Context,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Release the card and the home city's promise; the old SIM stays in use."""
    await visited.cancel(context, session, principal, request_id, body.note, now=now)
    return await answered(
        session, principal, once, request_id, kind=KIND, listing=repository.WITH_CARD
    )


@stock_router.post(
    "",
    status_code=201,
    summary="Load cards into a hall's stock",
    response_model=CardsLoaded,
)
async def load_cards(
    body: CardsIn, principal: StockLoader, session: Transaction, now: Now, once: OnceDependency
) -> Response:
    """Put blank cards into stock, all or none; those that the unit has already are left as they are."""
    unit = body.unit or principal.unit
    cards = [(card.iccid, card.imsi) for card in body.cards]
    loaded = await stock.load(session, unit, cards, unit_path=principal.unit_path, now=now)
    content = {"unit": loaded.unit, "loaded": loaded.loaded, "known": loaded.known}
    return await once.answer(201, content, Location=f"{stock_router.prefix}?unit={unit}")


@stock_router.get("", summary="Cards of this node's stock", response_model=StockPage)
async def list_cards(
    database: NodeDatabase,
    principal: StockReader,
    page: Page,
    state: Annotated[CardState | None, Query(description="State of the card.")] = None,
    unit: Annotated[
        UnitCode | None, Query(description="Unit that has it.", examples=["440300"])
    ] = None,
) -> Response:
    """List the cards of the caller's units, by number unless sorted otherwise."""
    filters = {"unit_path": principal.unit_path, "state": state, "unit": unit}
    body = await repository.STOCK.page(await database.pool(), page, filters)
    return Response(body, media_type="application/json")
