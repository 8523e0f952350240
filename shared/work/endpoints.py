"""Long work over HTTP: see it, follow it, cancel it."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from shared.kernel.edge import NodeDatabase, Now, Page, Speech, Transaction
from shared.work import repository, service
from shared.work.access import Reader
from shared.work.models import WorkState
from shared.work.schemas import WorkOut, WorkPage
from shared.work.service import Viewer

router = APIRouter(prefix="/works")


@router.get(
    "", summary="List long work", responses={200: {"model": WorkPage}}, response_class=Response
)
async def list_works(
    principal: Reader,
    database: NodeDatabase,
    page: Page,
    language: Speech,
    kind: Annotated[
        str | None, Query(max_length=60, pattern=r"^[a-z-]+$", examples=["customer-export"])
    ] = None,
    state: WorkState | None = None,
) -> Response:
    """Return a page of the work that the caller asked for, or may supervise; the latest first."""
    filters = {**Viewer.of(principal).filters(), "kind": kind, "state": state}
    columns = {**repository.LISTING.columns, "error": f"w.error -> '{language.value}'"}
    latest_first = replace(page, sort=page.sort or "-id")
    body = await repository.LISTING.page(
        await database.pool(), latest_first, filters, columns=columns
    )
    return Response(body, media_type="application/json")


@router.get("/{work_id}", summary="Read a piece of work")
async def read_work(
    work_id: UUID, principal: Reader, session: Transaction, language: Speech
) -> WorkOut:
    """Return how far a piece of work is, and how it ended."""
    return WorkOut.of(await service.find(session, Viewer.of(principal), work_id), language)


@router.post("/{work_id}/cancel", summary="Cancel a piece of work")
async def cancel_work(
    work_id: UUID, principal: Reader, session: Transaction, now: Now, language: Speech
) -> WorkOut:
    """Cancel work: at once if it waits, at its next step if it runs. Repeating it changes nothing."""
    work = await service.cancel(session, Viewer.of(principal), work_id, now=now)
    return WorkOut.of(work, language)
