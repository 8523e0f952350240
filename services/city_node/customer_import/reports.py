"""The report of an import: its summary, and its rejected rows as CSV."""

import contextlib
import csv
import io
from collections.abc import AsyncIterator
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer_import import repository
from services.city_node.customer_import.models import CustomerImport
from services.city_node.customer_import.schemas import ImportOut, ImportSummary, RejectOut

REJECTS_SHOWN = 100
_HEADER = ("line", "column", "value", "reason")
_FORMULA = ("=", "+", "-", "@")


async def report(session: AsyncSession, loaded: CustomerImport) -> ImportOut:
    """Return the summary of an import and its first reasons."""
    rejects = await repository.first_rejects(session, loaded.id, REJECTS_SHOWN)
    summary = ImportSummary.model_validate(loaded)
    return ImportOut(
        **summary.model_dump(), rejects=[RejectOut.model_validate(reject) for reject in rejects]
    )


async def rejects_as_csv(session: AsyncSession, import_id: UUID) -> AsyncIterator[str]:
    """Give the reasons of an import as lines of CSV, the header first."""
    yield _csv_line(_HEADER)
    async for reject in repository.all_rejects(session, import_id):
        yield _csv_line((reject.line, reject.column, _harmless(reject.value), reject.reason))


@contextlib.asynccontextmanager
async def rehearsal(session: AsyncSession, *, dry_run: bool) -> AsyncIterator[None]:
    """Undo at the end what is done within, if it is only a rehearsal."""
    if not dry_run:
        yield
        return
    nested = await session.begin_nested()
    try:
        yield
    finally:
        await nested.rollback()


def _harmless(text: str | None) -> str:
    """Return a value that a spreadsheet shows and does not compute."""
    return f"'{text}" if text and text.startswith(_FORMULA) else text or ""


def _csv_line(cells: tuple[object, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()
