"""The queries about imports that were made."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import ChangeAction, CustomerChange
from services.city_node.customer_import.models import (
    CustomerImport,
    CustomerImportKept,
    CustomerImportReject,
    ImportState,
)
from shared.kernel.listing import Listing, Sort
from shared.organisation.models import OrganisationUnit

_FIELDS = [
    "id",
    "at",
    "finished_at",
    "by",
    "unit_code",
    "file_name",
    "sha256",
    "mapping",
    "state",
    "rows",
    "created",
    "changed",
    "unchanged",
    "rejected",
    "records",
    "dry_run",
    "allow_erased",
    "rejects_deleted_at",
    "final_at",
    "size",
    "position",
    "problem",
    "undone_at",
    "undone_by",
    "undone",
    "kept",
]

imports = Listing(
    source="customer_import i JOIN organisation_unit u ON u.code = i.unit_code",
    key=Sort("i.id", "uuid"),
    columns={name: f'i."{name}"' for name in _FIELDS},
    sorts={"id": Sort("i.id", "uuid"), "at": Sort("i.at", "timestamptz")},
    filters={
        "scope": "starts_with(u.path, {})",
        "mapping": "i.mapping = {}",
        "sha256": "i.sha256 = {}",
        "state": "i.state = {}",
        "records": "i.records = {}",
    },
)
"""The imports of a node."""


async def begin(session: AsyncSession, row: CustomerImport) -> CustomerImport:
    """Add the row of an import that begins, and read what the database gives it."""
    session.add(row)
    await session.flush()  # rows of the import refer to it
    await session.refresh(row)
    return row


async def locked(session: AsyncSession, import_id: UUID) -> CustomerImport | None:
    """Return an import, which nobody else changes until the end of the transaction."""
    found: CustomerImport | None = await session.scalar(
        select(CustomerImport)
        .where(CustomerImport.id == import_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return found


async def unit_path(session: AsyncSession, code: str) -> str:
    """Return the path of a unit."""
    return (
        await session.execute(select(OrganisationUnit.path).where(OrganisationUnit.code == code))
    ).scalar_one()


async def waiting(session: AsyncSession) -> Sequence[tuple[UUID, str]]:
    """Return the imports that the node has to go on with by itself, and their states, the oldest first."""
    found = await session.execute(
        select(CustomerImport.id, CustomerImport.state)
        .where(
            (
                CustomerImport.stored
                & CustomerImport.state.in_([ImportState.QUEUED.value, ImportState.LOADING.value])
            )
            | (CustomerImport.state == ImportState.UNDOING.value)
        )
        .order_by(CustomerImport.at, CustomerImport.number)
    )
    return [(row.id, row.state) for row in found]


async def stored_before(session: AsyncSession, moment: datetime) -> Sequence[UUID]:
    """Return the imports that ended before ``moment`` and whose file the node still keeps."""
    ended = [ImportState.CANCELLED.value, ImportState.FAILED.value]
    return (
        await session.scalars(
            select(CustomerImport.id).where(
                CustomerImport.stored,
                CustomerImport.state.in_(ended),
                CustomerImport.finished_at < moment,
            )
        )
    ).all()


async def stored(session: AsyncSession) -> frozenset[UUID]:
    """Return the imports whose file the node keeps."""
    return frozenset(await session.scalars(select(CustomerImport.id).where(CustomerImport.stored)))


async def note_discarded(session: AsyncSession, import_id: UUID) -> None:
    """Note that the node does not keep the file of an import any more."""
    await session.execute(
        update(CustomerImport).where(CustomerImport.id == import_id).values(stored=False)
    )


async def rejected_lines(session: AsyncSession, import_id: UUID) -> frozenset[int]:
    """Return the lines that an import has rejected so far."""
    found = await session.scalars(
        select(CustomerImportReject.line).where(CustomerImportReject.import_id == import_id)
    )
    return frozenset(found)


async def forget_rejects(session: AsyncSession, import_id: UUID) -> None:
    """Delete the reasons of an import that begins again."""
    await session.execute(
        delete(CustomerImportReject).where(CustomerImportReject.import_id == import_id)
    )


async def samples(session: AsyncSession, import_id: UUID, limit: int) -> list[dict[str, Any]]:
    """Return the first changes that an import makes to customers, some of each kind."""
    found = list[dict[str, Any]]()
    for action in ChangeAction:
        rows = await session.scalars(
            select(CustomerChange)
            .where(CustomerChange.cause_id == import_id, CustomerChange.action == action.value)
            .order_by(CustomerChange.id)
            .limit(limit)
        )
        found += [{"action": action.value, "changes": row.changes} for row in rows]
    return found


async def import_in_scope(
    session: AsyncSession, import_id: UUID, unit_path: str
) -> CustomerImport | None:
    """Return an import made in a unit at or below the one with ``unit_path``."""
    found: CustomerImport | None = await session.scalar(
        select(CustomerImport)
        .join(OrganisationUnit, OrganisationUnit.code == CustomerImport.unit_code)
        .where(CustomerImport.id == import_id, func.starts_with(OrganisationUnit.path, unit_path))
    )
    return found


async def first_kept(
    session: AsyncSession, import_id: UUID, limit: int
) -> Sequence[CustomerImportKept]:
    """Return the first records that the undo of an import left as they are."""
    return (
        await session.scalars(
            select(CustomerImportKept)
            .where(CustomerImportKept.import_id == import_id)
            .order_by(CustomerImportKept.id)
            .limit(limit)
        )
    ).all()


async def first_rejects(
    session: AsyncSession, import_id: UUID, limit: int
) -> Sequence[CustomerImportReject]:
    """Return the first reasons of an import, in the order of the file."""
    return (
        await session.scalars(
            select(CustomerImportReject)
            .where(CustomerImportReject.import_id == import_id)
            .order_by(CustomerImportReject.line, CustomerImportReject.id)
            .limit(limit)
        )
    ).all()


async def all_rejects(
    session: AsyncSession, import_id: UUID
) -> AsyncIterator[CustomerImportReject]:
    """Give every reason of an import, in the order of the file, without holding them all."""
    stream = await session.stream_scalars(
        select(CustomerImportReject)
        .where(CustomerImportReject.import_id == import_id)
        .order_by(CustomerImportReject.line, CustomerImportReject.id)
        .execution_options(yield_per=1000)
    )
    async for reject in stream:
        yield reject
