"""Clearing over HTTP: what is owed, what the neighbours say of it, disputes, and months."""

from dataclasses import asdict, replace
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from shared.access import OnceDependency, Principal, require
from shared.capability import Context
from shared.clearing import dispute, netting, repository
from shared.clearing import month as months
from shared.clearing.dispute import DISPUTES
from shared.clearing.models import (
    CASH,
    CUSTOMERS,
    REPAIRS,
    DisputeState,
    ItemKind,
    StatementState,
)
from shared.clearing.month import MONTHS
from shared.clearing.problems import DisputeNotFound
from shared.clearing.representations import (
    Account,
    ClosingIn,
    DifferencePage,
    DisputeIn,
    DisputeOut,
    DisputePage,
    EntryPage,
    MonthOut,
    MonthPage,
    NettingOut,
    NodeCode,
    PositionOut,
    PositionsOut,
    ResolutionIn,
    StatementPage,
    TransferOut,
)
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, NodeDatabase, Now, Page, Transaction
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix="/clearing")

JSON = "application/json"
Reader = Annotated[Principal, Depends(require("clearing:read"))]
Disputer = Annotated[Principal, Depends(require("clearing:dispute"))]
Closer = Annotated[Principal, Depends(require("clearing:close"))]
DayFrom = Annotated[date | None, Query(description="Counted to that day or later.")]
DayBefore = Annotated[date | None, Query(description="Counted to a day before.")]
Month = Annotated[
    str, Path(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="Month.", examples=["2026-02"])
]


@router.get("/positions", summary="What every account comes to")
async def read_positions(
    _: Reader,
    context: Context,
    day_from: DayFrom = None,
    day_before: DayBefore = None,
) -> PositionsOut:
    """Return what each neighbour owes and is owed, and this city's own accounts; all add up to zero."""
    pool = await context.database.pool()
    found = await repository.positions(pool, day_from, day_before)
    return PositionsOut(
        node=context.settings.code,
        accounts=[PositionOut(**asdict(position)) for position in found],
        sum_fen=sum(position.net_fen for position in found),
    )


@router.get("/netting", summary="The transfers that settle what is owed")
async def read_netting(
    _: Reader,
    context: Context,
    day_from: DayFrom = None,
    day_before: DayBefore = None,
) -> NettingOut:
    """Net what the neighbours owe one another: who pays whom how much. A city's own accounts settle with its parent."""
    pool = await context.database.pool()
    found = await repository.positions(pool, day_from, day_before)
    owed: dict[str, int] = {}
    for position in found:
        own = position.account in {CASH, CUSTOMERS, REPAIRS}
        account = context.settings.code if own else position.account
        owed[account] = owed.get(account, 0) + position.net_fen
    return NettingOut(
        node=context.settings.code,
        net_fen=owed,
        transfers=[TransferOut(**asdict(transfer)) for transfer in netting.net(owed)],
    )


@router.get("/entries", summary="What this node has booked", response_model=EntryPage)
async def list_entries(
    database: NodeDatabase,
    _: Reader,
    page: Page,
    request_id: UUID | None = None,
    kind: ItemKind | None = None,
    business_day: Annotated[date | None, Query(description="Credited at home on that day.")] = None,
    booked_on: Annotated[date | None, Query(description="Counted to that day here.")] = None,
    account: Annotated[Account | None, Query()] = None,
    late: Annotated[
        bool | None, Query(description="Whether it came after its month was closed.")
    ] = None,
) -> Response:
    """Return a page of entries, in the order in which they were booked."""
    filters = {
        "request_id": request_id,
        "kind": kind,
        "business_day": business_day,
        "booked_on": booked_on,
        "account": account,
        "late": late,
    }
    body = await repository.ENTRIES.page(await database.pool(), page, filters)
    return Response(body, media_type=JSON)


@router.get(
    "/statements", summary="What the neighbours say of each day", response_model=StatementPage
)
async def list_statements(
    database: NodeDatabase,
    _: Reader,
    page: Page,
    neighbour: NodeCode | None = None,
    day: date | None = None,
    day_from: date | None = None,
    day_before: date | None = None,
    state: StatementState | None = None,
) -> Response:
    """Return a page of statements, this node's figures beside the neighbour's; the latest day first."""
    filters = {
        "neighbour": neighbour,
        "day": day,
        "day_from": day_from,
        "day_before": day_before,
        "state": state,
    }
    latest_first = replace(page, sort=page.sort or "-day")
    body = await repository.STATEMENTS.page(await database.pool(), latest_first, filters)
    return Response(body, media_type=JSON)


@router.get("/differences", summary="Items not had alike", response_model=DifferencePage)
async def list_differences(
    database: NodeDatabase,
    _: Reader,
    page: Page,
    neighbour: NodeCode | None = None,
    day: date | None = None,
    request_id: UUID | None = None,
    settled: Annotated[bool | None, Query(description="Whether the two have it alike now.")] = None,
) -> Response:
    """Return a page of items that this node and a neighbour do not have alike, or had not."""
    filters = {"neighbour": neighbour, "day": day, "request_id": request_id, "settled": settled}
    body = await repository.DIFFERENCES.page(await database.pool(), page, filters)
    return Response(body, media_type=JSON)


@router.post("/disputes", status_code=201, summary="Open a dispute", response_model=DisputeOut)
async def open_dispute(
    body: DisputeIn, principal: Disputer, session: Transaction, now: Now, once: OnceDependency
) -> Response:
    """Dispute a day with a neighbour, or one item of it that differs."""
    dispute_id = await dispute.open_dispute(
        session,
        principal,
        neighbour=body.neighbour,
        day=body.day,
        request_id=body.request_id,
        reason=body.reason,
        now=now,
    )
    shown, version = await _dispute(session, dispute_id)
    location = f"{router.prefix}/disputes/{dispute_id}"
    return await once.answer(201, shown, Location=location, ETag=entity_tag(version))


@router.get("/disputes", summary="Disputes", response_model=DisputePage)
async def list_disputes(
    database: NodeDatabase,
    _: Reader,
    page: Page,
    neighbour: NodeCode | None = None,
    day: date | None = None,
    state: DisputeState | None = None,
    request_id: UUID | None = None,
) -> Response:
    """Return a page of disputes, the latest first."""
    filters = {"neighbour": neighbour, "day": day, "state": state, "request_id": request_id}
    latest_first = replace(page, sort=page.sort or "-opened_at")
    body = await DISPUTES.page(await database.pool(), latest_first, filters)
    return Response(body, media_type=JSON)


@router.get("/disputes/{dispute_id}", summary="Read a dispute", response_model=DisputeOut)
async def read_dispute(dispute_id: UUID, session: Transaction, _: Reader) -> Response:
    """Return a dispute with its ETag."""
    return await _answer(session, dispute_id)


@router.post(
    "/disputes/{dispute_id}/propose", summary="Propose a resolution", response_model=DisputeOut
)
async def propose_resolution(
    dispute_id: UUID,
    body: ResolutionIn,
    principal: Disputer,
    session: Transaction,
    now: Now,
    expected: ExpectedVersion,
) -> Response:
    """Say how a dispute is to be settled; a second person has to agree."""
    await dispute.propose(
        session, principal, dispute_id, body.resolution, expected=expected, now=now
    )
    return await _answer(session, dispute_id)


@router.post(
    "/disputes/{dispute_id}/resolve", summary="Agree to a resolution", response_model=DisputeOut
)
async def resolve_dispute(
    dispute_id: UUID,
    principal: Disputer,
    session: Transaction,
    now: Now,
    expected: ExpectedVersion,
) -> Response:
    """Agree to what somebody else has proposed; the dispute is over."""
    await dispute.resolve(session, principal, dispute_id, expected=expected, now=now)
    return await _answer(session, dispute_id)


@router.get(
    "/months", summary="Months that are closed, or proposed to be", response_model=MonthPage
)
async def list_months(database: NodeDatabase, _: Reader, page: Page) -> Response:
    """Return a page of months with what each account came to, the latest first."""
    latest_first = replace(page, sort=page.sort or "-month")
    body = await MONTHS.page(await database.pool(), latest_first, {})
    return Response(body, media_type=JSON)


@router.post("/months/{month}/propose", summary="Propose to close a month", response_model=MonthOut)
async def propose_closing(
    month: Month, body: ClosingIn, principal: Closer, session: Transaction, now: Now
) -> Response:
    """Propose to close a month that is over; a second person closes it."""
    await months.propose(session, principal, _first_of(month), body.reason, now=now)
    return await _month(session, month)


@router.post("/months/{month}/close", summary="Close a month", response_model=MonthOut)
async def close_month(month: Month, principal: Closer, session: Transaction, now: Now) -> Response:
    """Close a month that somebody else has proposed to close: what comes late is counted to the next one."""
    await months.close(session, principal, _first_of(month), now=now)
    return await _month(session, month)


def _first_of(name: str) -> date:
    return date.fromisoformat(f"{name}-01")


async def _month(session: AsyncSession, name: str) -> Response:
    connection = await driver_connection(session)
    shown = await MONTHS.one(connection, {"month": _first_of(name)})
    return Response(shown, media_type=JSON)


async def _answer(session: AsyncSession, dispute_id: UUID) -> Response:
    shown, version = await _dispute(session, dispute_id)
    return Response(shown, media_type=JSON, headers={"ETag": entity_tag(version)})


async def _dispute(session: AsyncSession, dispute_id: UUID) -> tuple[bytes, int]:
    shown = await DISPUTES.one(await driver_connection(session), {"id": dispute_id})
    if shown is None:
        raise DisputeNotFound(dispute=dispute_id)
    return shown, DisputeOut.model_validate_json(shown).version
