"""The queries about imports that were made."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer_import.models import (
    CustomerImport,
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
    },
)
"""The imports of a node."""


def begin(
    session: AsyncSession,
    *,
    import_id: UUID,
    now: datetime,
    by: str,
    unit_code: str,
    file_name: str,
    mapping: str,
) -> CustomerImport:
    """Add the row of an import that begins, written with the next flush."""
    row = CustomerImport(
        id=import_id, at=now, by=by, unit_code=unit_code, file_name=file_name, sha256="", mapping=mapping,
        state=ImportState.LOADING.value, rows=0, created=0, changed=0, unchanged=0, rejected=0,
    )  # fmt: skip
    session.add(row)
    return row


async def write(session: AsyncSession) -> None:
    """Write what was changed so far: rows of the import refer to it."""
    await session.flush()


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
