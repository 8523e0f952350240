"""Asking for exports, making their files, handing them out."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.privacy import CONTACT, Sight, is_sealed, sight_among
from services.city_node.export import repository
from services.city_node.export.access import EXPORT, held_now
from services.city_node.export.columns import check_columns, layout, row_sql
from services.city_node.export.copying import copy_selection, one_moment
from services.city_node.export.files import Taking, open_file
from services.city_node.export.models import CustomerExport, Format
from services.city_node.export.opening import opening
from services.city_node.export.problems import (
    ExportGone,
    ExportMasked,
    ExportNotFound,
    ExportNotReady,
    RequesterLeft,
    TooManyExports,
)
from services.city_node.export.schemas import NewExport
from services.city_node.query.bulk_read import Act, record_bulk_read
from services.city_node.query.selection import Selection, read_condition
from services.city_node.query.writing import to_json
from services.city_node.segment.repository import count
from services.city_node.segment.service import Segments
from shared import audit
from shared.access import Principal
from shared.capability import NodeContext, Requester, Role, WorkHandle
from shared.kernel.clock import business_day
from shared.kernel.encryption import Cipher
from shared.kernel.settings import Settings
from shared.kernel.tabular import Layout
from shared.work.service import request_work, requester_of

KIND = "customer-export"
"""How long a file is kept."""
MOST_OPEN = 5
"""Exports of one member of staff that wait or are under way."""


def directory(settings: Settings) -> Path:
    """Return where a node keeps the files of its exports; nobody else of the machine reads there."""
    path = settings.directory / "exports"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def file_of(settings: Settings, export: CustomerExport) -> Path:
    """Return where the file of an export is."""
    return directory(settings) / f"{export.id}.{export.format}"


async def request_export(
    session: AsyncSession,
    new: NewExport,
    principal: Principal,
    cipher: Cipher,
    *,
    id: UUID,  # noqa: A002 - of the export and its work
    now: datetime,
) -> CustomerExport:
    """Ask for an export.

    Raises:
        QueryInvalid: for a column that there is not (400).
        ConditionInvalid, ConditionForbidden: as :func:`~services.city_node.query.selection.read_condition`.
        SegmentNotFound: if the caller sees no such segment (404).
        TooManyExports: with too many under way (429).
    """
    requester = requester_of(principal)
    columns = check_columns(new.columns)
    under_way = await repository.open_exports(session, principal.id, KIND)
    if under_way >= MOST_OPEN:
        raise TooManyExports(open=under_way)
    condition = None
    if new.condition is not None:
        condition = to_json(
            read_condition(new.condition, permissions=principal.permissions, is_kept=True)
        )
    version = None
    if new.segment_id is not None:
        segments = Segments(session, requester, principal.unit_path, cipher, now)
        await segments.members(new.segment_id)  # may they?
        version = (await segments.find(new.segment_id))[0].version
    export = CustomerExport(
        id=id,
        unit_code=principal.unit,
        requester_id=principal.id,
        requested_by=principal.username,
        created_at=now,
        format=new.format,
        columns=columns,
        condition=condition,
        segment_id=new.segment_id,
        segment_version=version,
        with_bom=new.with_bom,
        shows_contacts=False,
    )
    repository.add(session, export)
    await request_work(
        session,
        KIND,
        id=id,
        title=f"{new.format}: {', '.join(columns[:5])}{', ...' if len(columns) > 5 else ''}",  # noqa: PLR2004
        parameters={},
        requester=requester,
        now=now,
    )
    return export


@dataclass(frozen=True, slots=True)
class Source:
    """Whom to export, of what, and who for."""

    selection: Selection
    columns: Sequence[str]
    format: Format
    sight: Sight

    @property
    def layout(self) -> Layout:
        """The columns as whom it is for sees them."""
        return layout(self.columns, self.sight)


async def make_export(context: NodeContext, handle: WorkHandle) -> Mapping[str, Any]:
    """Make the file of an export; the work of :data:`KIND`."""
    now = context.clock.now()
    async with context.database.transaction() as session:
        export = await repository.of_work(session, handle.id)
        if export is None:
            raise ExportNotFound(export=handle.id)
        requester, scope = await _as_of_now(session, handle.requester)
        segments = Segments(session, requester, scope, context.cipher, now)
        source = await _source(segments, export)
    path = file_of(context.settings, export)
    part = path.with_suffix(f".{handle.attempt}.part")
    try:
        part.touch(mode=0o600)
        async with open_file(
            part, source.format, source.layout, with_bom=export.with_bom
        ) as taking:
            rows = await write_rows(context, source, taking, handle.progress)
        digest = await asyncio.to_thread(_sha256, part)
        result = {"row_count": rows, "byte_count": part.stat().st_size, "sha256": digest}
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    kept = timedelta(days=context.settings.export_retention_days)
    made = {**result, "expires_at": context.clock.now() + kept}
    async with context.database.transaction() as session:
        await repository.note_file(
            session,
            export.id,
            {**made, "shows_contacts": CONTACT in source.sight, "shows": sorted(source.sight)},
        )
        actor = audit.Actor(
            export.requested_by, user_id=requester.id, unit_code=export.unit_code, unit_path=scope
        )
        record_bulk_read(session, actor, Act.EXPORT, str(export.id), rows, at=context.clock.now())
        await handle.finish(session, result)
    return result


async def _as_of_now(session: AsyncSession, asked: Requester) -> tuple[Requester, str]:
    """Return the requester with what they hold of what they held, and the path of the unit they are in now."""
    found = None if asked.id is None else await repository.standing(session, asked.id)
    if found is None:
        raise RequesterLeft(requester=asked.name)
    role, unit, path = found
    held = held_now(Role(role)) & (asked.permissions or frozenset())
    if EXPORT not in held:
        raise RequesterLeft(requester=asked.name)
    return replace(asked, permissions=held, unit_code=unit), path


async def _source(segments: Segments, export: CustomerExport) -> Source:
    held = segments.requester.permissions
    if export.segment_id is not None:
        selection = await segments.members(export.segment_id)
    else:
        condition = None
        if export.condition is not None:
            condition = read_condition(export.condition, permissions=held)
        selection = Selection(condition, (segments.scope,), business_day(segments.now))
    return Source(selection, export.columns, Format(export.format), sight_among(held))


async def write_rows(
    context: NodeContext,
    source: Source,
    taking: Taking,
    progress: Callable[[int, int, str], Awaitable[None]],
) -> int:
    """Write every row of ``source``, all of one moment; returns how many there were."""
    async with one_moment(context.database.url) as connection:
        total = await count(connection, source.selection, context.cipher)
        await progress(0, total, "rows")
        lines = 0

        async def take(chunk: bytes) -> None:
            nonlocal lines
            await taking.take(chunk)
            # A row has a line at least, and more if a text has: good enough for a bar.
            lines += chunk.count(b"\n")
            await progress(min(lines, total), total, "rows")

        row = row_sql(source.columns, source.format, source.sight)
        is_harmless = source.format is Format.CSV
        opened = opening(take, context.cipher, is_harmless=is_harmless) if is_sealed(row) else take
        rows = await copy_selection(connection, source.selection, row, context.cipher, opened)
    await progress(rows, total, "rows")
    return rows


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def file_for(
    session: AsyncSession,
    settings: Settings,
    export_id: UUID,
    principal: Principal,
    *,
    now: datetime,
) -> tuple[CustomerExport, Path]:
    """Return an export of the caller's with its file.

    Raises:
        ExportNotFound: if it is not the caller's (404).
        ExportNotReady: if it has no file yet, or never will (409).
        ExportGone: if the file's time is over (410).
        ExportMasked: if it shows more than the caller may see now (403).
    """
    found = await repository.find(session, export_id, principal.id)
    if found is None:
        raise ExportNotFound(export=export_id)
    export, work = found
    if export.sha256 is None:
        raise ExportNotReady(export=export_id, state=work.state if work else "forgotten")
    path = file_of(settings, export)
    if export.deleted_at is not None or not path.is_file():
        raise ExportGone(until=export.deleted_at or export.expires_at)
    if not principal.permissions.issuperset(export.shows):
        raise ExportMasked
    actor = audit.Actor.of(principal)
    record_bulk_read(session, actor, Act.DOWNLOAD, str(export.id), export.row_count, at=now)
    return export, path


async def delete_file(
    session: AsyncSession, settings: Settings, export_id: UUID, principal: Principal, now: datetime
) -> None:
    """Delete the file of an export of the caller's now. Repeating it changes nothing.

    Raises:
        ExportNotFound, ExportNotReady: as :func:`file_for`.
    """
    found = await repository.find(session, export_id, principal.id)
    if found is None:
        raise ExportNotFound(export=export_id)
    export, work = found
    if export.sha256 is None:
        raise ExportNotReady(export=export_id, state=work.state if work else "forgotten")
    file_of(settings, export).unlink(missing_ok=True)
    export.deleted_at = export.deleted_at or now
