"""The stock of loan handsets over HTTP."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.answers import JSON
from services.city_node.loan_handset import repository, service
from services.city_node.loan_handset.access import Keeper, Reader
from services.city_node.loan_handset.models import HandsetState
from services.city_node.loan_handset.problems import LoanHandsetNotFound
from services.city_node.loan_handset.schemas import (
    LoanHandsetOut,
    LoanHandsetPage,
    LoanHandsetsIn,
    LoanHandsetsLoaded,
)
from shared.access import OnceDependency, Principal
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, NodeDatabase, Now, Page, Transaction
from shared.kernel.preconditions import entity_tag
from shared.organisation.schemas import UnitCode

router = APIRouter(prefix="/loan-handsets")


@router.post(
    "",
    status_code=201,
    summary="Load handsets into a hall's stock",
    response_model=LoanHandsetsLoaded,
)
async def load_handsets(
    body: LoanHandsetsIn, keeper: Keeper, session: Transaction, now: Now, once: OnceDependency
) -> Response:
    """Put handsets into stock, all or none; those that the unit has already are left as they are."""
    unit = body.unit or keeper.unit
    loaded = await service.load(session, unit, body.handsets, unit_path=keeper.unit_path, now=now)
    content = {"unit": loaded.unit, "loaded": loaded.loaded, "known": loaded.known}
    return await once.answer(201, content, Location=f"{router.prefix}?unit={unit}")


@router.get("", summary="Handsets of this node's stock", response_model=LoanHandsetPage)
async def list_handsets(
    database: NodeDatabase,
    principal: Reader,
    page: Page,
    state: Annotated[HandsetState | None, Query(description="State of the handset.")] = None,
    unit: Annotated[
        UnitCode | None, Query(description="Unit that has it.", examples=["440300"])
    ] = None,
    due_before: Annotated[
        date | None, Query(description="Lent, and to come back before this day.")
    ] = None,
) -> Response:
    """List the handsets of the caller's units, by IMEI unless sorted otherwise."""
    filters = {
        "unit_path": principal.unit_path,
        "state": state,
        "unit": unit,
        "due_before": due_before,
    }
    body = await repository.STOCK.page(await database.pool(), page, filters)
    return Response(body, media_type=JSON)


@router.get(
    "/{handset_id}",
    summary="Read a loan handset",
    response_model=LoanHandsetOut,
)
async def read_handset(handset_id: UUID, database: NodeDatabase, principal: Reader) -> Response:
    """Return one handset, with the request that it is lent for."""
    found = await repository.read(await database.pool(), handset_id, principal.unit_path)
    if found is None:
        raise LoanHandsetNotFound(handset_id)
    return Response(found[0], media_type=JSON, headers={"ETag": entity_tag(found[1])})


@router.post(
    "/{handset_id}/restock",
    summary="Put a handset back into stock",
    response_model=LoanHandsetOut,
)
async def restock_handset(
    handset_id: UUID, keeper: Keeper, session: Transaction, expected: ExpectedVersion, now: Now
) -> Response:
    """Lend a handset again that was damaged and mended, lost and found, or withdrawn too early."""
    await service.restock(session, keeper, handset_id, expected=expected, now=now)
    return await _shown(session, keeper, handset_id)


@router.post(
    "/{handset_id}/withdraw",
    summary="Lend a handset no more",
    response_model=LoanHandsetOut,
)
async def withdraw_handset(
    handset_id: UUID, keeper: Keeper, session: Transaction, expected: ExpectedVersion, now: Now
) -> Response:
    """Take a handset that is not lent out of stock for good."""
    await service.withdraw(session, keeper, handset_id, expected=expected, now=now)
    return await _shown(session, keeper, handset_id)


async def _shown(session: AsyncSession, principal: Principal, handset_id: UUID) -> Response:
    await session.flush()  # the statement below goes past the session
    found = await repository.read(await driver_connection(session), handset_id, principal.unit_path)
    if found is None:
        raise LoanHandsetNotFound(handset_id)
    return Response(found[0], media_type=JSON, headers={"ETag": entity_tag(found[1])})
