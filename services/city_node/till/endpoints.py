"""The till over HTTP: shifts, cashing up, and what went in and out."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.till import repository, service
from services.city_node.till.models import EntryKind, ShiftState
from services.city_node.till.problems import ShiftNotFound
from services.city_node.till.schemas import (
    ConfirmIn,
    CountIn,
    ShiftIn,
    ShiftOut,
    ShiftPage,
    TillEntryPage,
)
from shared.access import OnceDependency, Principal, require
from shared.kernel.clock import Moment
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, NodeDatabase, Now, Page, Transaction
from shared.kernel.preconditions import entity_tag
from shared.organisation.schemas import UnitCode

router = APIRouter(prefix="/tills")

Cashier = Annotated[Principal, Depends(require("till:work"))]
Confirmer = Annotated[Principal, Depends(require("till:confirm"))]
Reader = Annotated[Principal, Depends(require("till:read"))]


@router.post("/shifts", status_code=201, summary="Open a shift", response_model=ShiftOut)
async def open_shift(
    body: ShiftIn, principal: Cashier, session: Transaction, now: Now, once: OnceDependency
) -> Response:
    """Begin to work at a till, with the float that was counted into its drawer."""
    shift_id = await service.open_shift(session, principal, body.unit, body.float_fen, now=now)
    shown, version = await _read(session, principal, shift_id)
    location = f"{router.prefix}/shifts/{shift_id}"
    return await once.answer(201, shown, Location=location, ETag=entity_tag(version))


@router.get("/shifts", summary="Shifts of the caller's units", response_model=ShiftPage)
async def list_shifts(
    database: NodeDatabase,
    principal: Reader,
    page: Page,
    state: Annotated[ShiftState | None, Query(description="How far the shift is.")] = None,
    cashier: Annotated[
        str | None, Query(max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["li.na"])
    ] = None,
    unit: Annotated[UnitCode | None, Query(examples=["440300"])] = None,
    opened_from: Annotated[Moment | None, Query(description="Opened then or later.")] = None,
    opened_before: Annotated[Moment | None, Query(description="Opened before.")] = None,
) -> Response:
    """Return a page of shifts with what should be in their drawers, the latest first."""
    filters: dict[str, str | datetime | None] = {
        "unit_path": principal.unit_path,
        "state": state,
        "cashier": cashier,
        "unit": unit,
        "opened_from": opened_from,
        "opened_before": opened_before,
    }
    latest_first = replace(page, sort=page.sort or "-opened_at")
    body = await repository.SHIFTS.page(await database.pool(), latest_first, filters)
    return Response(body, media_type="application/json")


@router.get("/shifts/{shift_id}", summary="Read a shift", response_model=ShiftOut)
async def read_shift(shift_id: UUID, session: Transaction, principal: Reader) -> Response:
    """Return a shift with what should be in its drawer."""
    shown, version = await _read(session, principal, shift_id)
    return Response(shown, media_type="application/json", headers={"ETag": entity_tag(version)})


@router.post("/shifts/{shift_id}/cash-up", summary="Cash up a shift", response_model=ShiftOut)
async def cash_up(
    shift_id: UUID,
    body: CountIn,
    principal: Cashier,
    session: Transaction,
    now: Now,
    expected: ExpectedVersion,
) -> Response:
    """End one's own shift with what was counted. If it differs from what should be there, a second person confirms."""
    await service.cash_up(
        session, principal, shift_id, body.counted_fen, expected_version=expected, now=now
    )
    return await _answer(session, principal, shift_id)


@router.post("/shifts/{shift_id}/confirm", summary="Confirm a difference", response_model=ShiftOut)
async def confirm(
    shift_id: UUID,
    body: ConfirmIn,
    principal: Confirmer,
    session: Transaction,
    now: Now,
    expected: ExpectedVersion,
) -> Response:
    """Confirm the difference of a shift that somebody else counted, and say why."""
    await service.confirm(
        session, principal, shift_id, body.note, expected_version=expected, now=now
    )
    return await _answer(session, principal, shift_id)


@router.get("/entries", summary="Cash that went in and out", response_model=TillEntryPage)
async def list_entries(
    database: NodeDatabase,
    principal: Reader,
    page: Page,
    shift: Annotated[UUID | None, Query(description="Of one shift.")] = None,
    payment: Annotated[UUID | None, Query(description="Of one payment.")] = None,
    kind: EntryKind | None = None,
) -> Response:
    """Return a page of what went into the tills of the caller's units and out of them, oldest first."""
    filters = {
        "unit_path": principal.unit_path,
        "shift": shift,
        "payment": payment,
        "kind": kind,
    }
    body = await repository.ENTRIES.page(await database.pool(), page, filters)
    return Response(body, media_type="application/json")


async def _answer(session: AsyncSession, principal: Principal, shift_id: UUID) -> Response:
    shown, version = await _read(session, principal, shift_id)
    return Response(shown, media_type="application/json", headers={"ETag": entity_tag(version)})


async def _read(session: AsyncSession, principal: Principal, shift_id: UUID) -> tuple[bytes, int]:
    connection = await driver_connection(session)
    filters = {"unit_path": principal.unit_path, "id": shift_id}
    shown = await repository.SHIFTS.one(connection, filters)
    if shown is None:
        raise ShiftNotFound(shift=shift_id)
    return shown, ShiftOut.model_validate_json(shown).version
