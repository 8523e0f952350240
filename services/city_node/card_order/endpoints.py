"""Orders of cards over HTTP, for the staff of the halls."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.card_order import loss, repository, service
from services.city_node.card_order.access import Canceller, Planner, Reader, Receiver, WriterOff
from services.city_node.card_order.models import LossState, OrderState
from services.city_node.card_order.problems import (
    CardLossNotFound,
    CardOrderNotFound,
    CardStockNotFound,
)
from services.city_node.card_order.schemas import (
    CardLossOut,
    CardLossPage,
    CardOrderOut,
    CardOrderPage,
    CardStockOut,
    CardStockPage,
    LossIn,
    OrderedCardPage,
    ReceiptIn,
    RejectionIn,
    ReorderIn,
)
from services.city_node.card_replacement.models import CardState
from services.city_node.customer.answers import JSON
from shared.access import OnceDependency, Principal
from shared.capability import Context
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, NodeDatabase, Now, Page, Transaction
from shared.kernel.preconditions import entity_tag
from shared.organisation.schemas import UnitCode

router = APIRouter(prefix="/card-orders")
stock_router = APIRouter(prefix="/card-stocks")
loss_router = APIRouter()


@stock_router.get("", summary="Cards in stock, by unit", response_model=CardStockPage)
async def list_stocks(database: NodeDatabase, principal: Reader, page: Page) -> Response:
    """Return a page of the caller's units, with what each has in stock and when it orders."""
    filters = {"unit_path": principal.unit_path}
    return Response(
        await repository.STOCKS.page(await database.pool(), page, filters), media_type=JSON
    )


@stock_router.get("/{unit}", summary="A unit's card stock", response_model=CardStockOut)
async def read_stock(unit: UnitCode, principal: Reader, session: Transaction) -> Response:
    """Return what a unit has in stock and when it orders."""
    return await _stock(session, principal, unit)


@stock_router.put(
    "/{unit}", summary="Say when a unit orders cards, and how many", response_model=CardStockOut
)
async def set_level(
    unit: UnitCode,
    body: ReorderIn,
    principal: Planner,
    session: Transaction,
    context: Context,
    now: Now,
    expected: ExpectedVersion,
) -> Response:
    """Set reorder level and order quantity; a unit that has fewer cards, and no order open, orders at once."""
    await service.set_level(
        context,
        session,
        principal,
        unit,
        level=body.level,
        quantity=body.quantity,
        expected=expected,
        now=now,
    )
    return await _stock(session, principal, unit)


@router.get("", summary="Orders of the caller's units", response_model=CardOrderPage)
async def list_orders(
    database: NodeDatabase,
    principal: Reader,
    page: Page,
    state: Annotated[OrderState | None, Query(description="How far the order is.")] = None,
    is_open: Annotated[
        bool | None, Query(alias="open", description="Whether it keeps its hall from ordering.")
    ] = None,
    unit: Annotated[UnitCode | None, Query(examples=["440300"])] = None,
) -> Response:
    """Return a page of orders with what came of them, the latest first."""
    filters = {"unit_path": principal.unit_path, "state": state, "open": is_open, "unit": unit}
    latest_first = replace(page, sort=page.sort or "-created_at")
    body = await repository.ORDERS.page(await database.pool(), latest_first, filters)
    return Response(body, media_type=JSON)


@router.get("/{order_id}", summary="An order of cards", response_model=CardOrderOut)
async def read_order(order_id: UUID, session: Transaction, principal: Reader) -> Response:
    """Return an order with what came of it."""
    shown, headers = await _order(session, principal, order_id)
    return Response(shown, media_type=JSON, headers=headers)


@router.get("/{order_id}/cards", summary="The cards of an order", response_model=OrderedCardPage)
async def list_cards(
    order_id: UUID,
    session: Transaction,
    principal: Reader,
    page: Page,
    state: Annotated[CardState | None, Query(description="State of the card.")] = None,
) -> Response:
    """Return a page of the cards that the supplier has advised, by number."""
    await _order(session, principal, order_id)
    body = await repository.CARDS.page(
        await driver_connection(session), page, {"order": order_id, "state": state}
    )
    return Response(body, media_type=JSON)


@router.post("/{order_id}/receive", summary="Receive cards", response_model=CardOrderOut)
async def receive(
    order_id: UUID,
    body: ReceiptIn,
    principal: Receiver,
    session: Transaction,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Put the cards that arrived into the hall's stock, all or none of those named."""
    await service.receive(session, principal, order_id, body.cards, now=now)
    shown, headers = await _order(session, principal, order_id)
    return await once.answer(200, shown, **headers)


@router.post("/{order_id}/cancel", summary="Cancel an order", response_model=CardOrderOut)
async def cancel(
    order_id: UUID,
    principal: Canceller,
    session: Transaction,
    context: Context,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Give up what has not been shipped or has not arrived; what arrives all the same can be received."""
    await service.cancel(context, session, principal, order_id, now=now)
    shown, headers = await _order(session, principal, order_id)
    return await once.answer(200, shown, **headers)


async def _order(
    session: AsyncSession, principal: Principal, order_id: UUID
) -> tuple[bytes, dict[str, str]]:
    filters = {"unit_path": principal.unit_path, "id": order_id}
    shown = await repository.ORDERS.one(await driver_connection(session), filters)
    if shown is None:
        raise CardOrderNotFound(order=order_id)
    return shown, {"ETag": entity_tag(CardOrderOut.model_validate_json(shown).version)}


async def _stock(session: AsyncSession, principal: Principal, unit: str) -> Response:
    filters = {"unit_path": principal.unit_path, "unit": unit}
    shown = await repository.STOCKS.one(await driver_connection(session), filters)
    if shown is None:
        raise CardStockNotFound(unit=unit)
    version = CardStockOut.model_validate_json(shown).version
    return Response(shown, media_type=JSON, headers={"ETag": entity_tag(version)})


@loss_router.post(
    "/card-orders/{order_id}/losses",
    status_code=201,
    summary="Propose to write off cards",
    response_model=CardLossOut,
)
async def propose_loss(
    order_id: UUID,
    body: LossIn,
    principal: WriterOff,
    session: Transaction,
    now: Now,
    once: OnceDependency,
) -> Response:
    """Say that cards of an order were lost on their way; they stay in transit until somebody else approves."""
    loss_id = await loss.propose(session, principal, order_id, body.cards, body.reason, now=now)
    shown, headers = await _loss(session, principal, loss_id)
    return await once.answer(201, shown, **headers, location=f"/card-losses/{loss_id}")


@loss_router.get("/card-losses", summary="Losses of ordered cards", response_model=CardLossPage)
async def list_losses(
    database: NodeDatabase,
    principal: Reader,
    page: Page,
    order: UUID | None = None,
    state: Annotated[LossState | None, Query(description="What became of it.")] = None,
) -> Response:
    """Return a page of the losses of the caller's units, the latest first."""
    filters = {"unit_path": principal.unit_path, "order": order, "state": state}
    latest_first = replace(page, sort=page.sort or "-proposed_at")
    body = await repository.LOSSES.page(await database.pool(), latest_first, filters)
    return Response(body, media_type=JSON)


@loss_router.get("/card-losses/{loss_id}", summary="A loss of cards", response_model=CardLossOut)
async def read_loss(loss_id: UUID, session: Transaction, principal: Reader) -> Response:
    """Return a loss, with its cards and who decided it."""
    return await _loss_answer(session, principal, loss_id)


@loss_router.post(
    "/card-losses/{loss_id}/approve", summary="Write off cards", response_model=CardLossOut
)
async def approve_loss(
    loss_id: UUID,
    principal: WriterOff,
    session: Transaction,
    now: Now,
    expected: ExpectedVersion,
) -> Response:
    """Write off what somebody else proposed, as far as it has not arrived meanwhile."""
    await loss.approve(session, principal, loss_id, expected, now=now)
    return await _loss_answer(session, principal, loss_id)


@loss_router.post(
    "/card-losses/{loss_id}/reject", summary="Do not write off cards", response_model=CardLossOut
)
async def reject_loss(
    loss_id: UUID,
    body: RejectionIn,
    principal: WriterOff,
    session: Transaction,
    now: Now,
    expected: ExpectedVersion,
) -> Response:
    """Decide that the cards are not written off, and say why; whoever proposed it may take it back so."""
    await loss.reject(session, principal, loss_id, expected, body.reason, now=now)
    return await _loss_answer(session, principal, loss_id)


async def _loss_answer(session: AsyncSession, principal: Principal, loss_id: UUID) -> Response:
    shown, headers = await _loss(session, principal, loss_id)
    return Response(shown, media_type=JSON, headers=headers)


async def _loss(
    session: AsyncSession, principal: Principal, loss_id: UUID
) -> tuple[bytes, dict[str, str]]:
    filters = {"unit_path": principal.unit_path, "id": loss_id}
    shown = await repository.LOSSES.one(await driver_connection(session), filters)
    if shown is None:
        raise CardLossNotFound(loss=loss_id)
    return shown, {"ETag": entity_tag(CardLossOut.model_validate_json(shown).version)}
