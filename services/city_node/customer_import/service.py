"""Loading one file, portion by portion.

An import is a row, and its counts are its cursor. Each portion is one transaction: the rows of the file, the reasons
of those that are rejected, and the counts, so that whoever goes on with it goes on behind the last row that is done.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.custom_attribute.declarations import declarations
from services.city_node.customer_import import repository
from services.city_node.customer_import.audited import IMPORTED, record_import
from services.city_node.customer_import.columns import Converter
from services.city_node.customer_import.line_loading import LineLoader
from services.city_node.customer_import.loading import CustomerLoader, Loader
from services.city_node.customer_import.mapping import ImportMapping, read_mapping
from services.city_node.customer_import.models import CustomerImport, ImportState, Records
from services.city_node.customer_import.portions import Portion, Reader
from services.city_node.customer_import.problems import (
    FileDiffers,
    FileUnusable,
    ImportDisturbed,
    ImportOver,
    ImportStateUnfit,
)
from services.city_node.customer_import.reading import digest, open_rows
from services.city_node.customer_import.rejecting import Rejecter
from services.city_node.customer_import.staging import Run, Staging
from services.city_node.departure.catalogue import Catalogue
from services.city_node.personal_data.service import hold_keys_for_run
from shared.kernel.clock import Clock, business_day
from shared.kernel.database import Database, driver_connection
from shared.kernel.encryption import Cipher
from shared.kernel.ids import new_id
from shared.kernel.language import Language
from shared.kernel.problems import Problem

Progress = Callable[[int], None]
"""Told how many bytes of the file are done."""
Transactions = Callable[[], AbstractAsyncContextManager[AsyncSession]]

TURN = 0x696D706F7274
"""Key of the advisory lock that imports take turns under: ``import`` in ASCII."""
_ATTEMPTS = 3
_SAMPLES = 10
RESUMABLE = (ImportState.QUEUED, ImportState.LOADING, ImportState.CANCELLED, ImportState.FAILED)
CANCELLABLE = (ImportState.QUEUED, ImportState.LOADING)


@dataclass(frozen=True, slots=True)
class Importer:
    """Who imports, into which node.

    Attributes:
        by: username, or how the history names whoever ran the command.
        unit_code: unit of the importer, to which customers go for whom the mapping names none.
        unit_path: its path: the customers that the import reaches.
        node: division code of the node.
        cipher: the node's keys for personal numbers.
    """

    by: str
    unit_code: str
    unit_path: str
    node: str
    cipher: Cipher


@dataclass(frozen=True, slots=True)
class Desk:
    """What an import is loaded with.

    Attributes:
        database: the node's.
        clock: read once for each portion.
        cipher: the node's keys for personal numbers.
        node: division code of the node.
        portion: rows in a portion: what the import holds in memory, and what a crash may cost; else by their kind.
        strict: whether attributes that the node does not declare are refused.
    """

    database: Database
    clock: Clock
    cipher: Cipher
    node: str
    portion: int | None = None
    strict: bool = False


async def begin(
    session: AsyncSession,
    importer: Importer,
    file: BinaryIO,
    *,
    name: str,
    mapping: ImportMapping,
    now: datetime,
    dry_run: bool = False,
    allow_erased: bool = False,
    stored_as: UUID | None = None,
) -> CustomerImport:
    """Register the import of a file that looks as its mapping says.

    Args:
        session: the transaction.
        importer: who imports, into which node.
        file: the file, open from its beginning.
        name: how the report calls it.
        mapping: how it is read.
        now: when.
        dry_run: whether it is only tried.
        allow_erased: whether it may make customers anew who were erased.
        stored_as: id under which the node keeps the file, if it does.

    Raises:
        FileUnusable: if it is empty, or lacks a column that the mapping names.
    """
    sha256 = await asyncio.to_thread(digest, file)
    size = file.seek(0, 2)
    opened = await asyncio.to_thread(open_rows, file, name, mapping)
    row = CustomerImport(
        id=stored_as or new_id(), at=now, by=importer.by, unit_code=importer.unit_code, file_name=name, sha256=sha256,
        mapping=mapping.source, state=ImportState.QUEUED.value, rows=0, created=0, changed=0, unchanged=0, rejected=0,
        records=mapping.records.value, mapping_text=mapping.text, parameters=dict(mapping.parameters), dry_run=dry_run,
        stored=stored_as is not None, size=size, header=opened.header, allow_erased=allow_erased,
    )  # fmt: skip
    return await repository.begin(session, row)


async def load(
    desk: Desk,
    import_id: UUID,
    file: BinaryIO,
    on_progress: Progress = lambda _bytes: None,
) -> CustomerImport:
    """Load a file from where its import stands to its end; a dry run is rolled back then.

    Raises:
        FileDiffers: if it is not the file that the import began with.
        FileUnusable: where the file cannot be read; what stands before is loaded.
        ImportStateUnfit: if the import is finished, or somebody ends it meanwhile.
        ImportDisturbed: if numbers of the file are taken by others again and again.
        KeysRotating, ValuesInClear: while personal values are sealed anew.
    """
    async with desk.database.reserved() as transactions:
        async with transactions() as session:
            # One file at a time: two that name the same customer would overwrite one another piece by piece.
            await session.execute(text(f"SELECT pg_advisory_lock({TURN})"))
            await hold_keys_for_run(session)
        row = await _take_up(desk, import_id, file)
        try:
            return await _load(desk, transactions, row, file, on_progress)
        except (FileUnusable, ImportDisturbed) as problem:
            await _fail(desk, import_id, problem)
            raise


async def _take_up(desk: Desk, import_id: UUID, file: BinaryIO) -> CustomerImport:
    sha256 = await asyncio.to_thread(digest, file)
    async with desk.database.transaction() as session:
        row = await in_state(session, import_id, RESUMABLE, "resumed")
        if row.sha256 != sha256:
            raise FileDiffers(id=import_id, expected=row.sha256, found=sha256)
        if row.dry_run:  # of an attempt that was interrupted nothing is left
            row.rows = row.created = row.changed = row.unchanged = row.rejected = 0
            await repository.forget_rejects(session, import_id)
        row.state, row.problem, row.finished_at = ImportState.LOADING.value, None, None
        return row


async def in_state(
    session: AsyncSession, import_id: UUID, states: Sequence[ImportState], action: str
) -> CustomerImport:
    """Lock an import that is in one of these states.

    Raises:
        ImportStateUnfit: if it is in another.
        ImportOver: if what it would take was deleted.
    """
    row = await repository.locked(session, import_id)
    if row is None or row.state not in states:
        raise ImportStateUnfit(
            id=import_id,
            state=row.state if row else "gone",
            expected=", ".join(states),
            action=action,
        )
    gone = {"undone": row.final_at, "resumed": row.rejects_deleted_at or row.final_at}.get(action)
    if gone is not None:
        raise ImportOver(id=import_id, action=action, day=business_day(gone))
    return row


async def _fail(desk: Desk, import_id: UUID, problem: Problem) -> None:
    async with desk.database.transaction() as session:
        row = await repository.locked(session, import_id)
        if row is not None and row.state == ImportState.LOADING:
            row.state, row.finished_at = ImportState.FAILED.value, desk.clock.now()
            row.problem = problem.speak(Language.ENGLISH)


async def _load(
    desk: Desk,
    transactions: Transactions,
    row: CustomerImport,
    file: BinaryIO,
    on_progress: Progress,
) -> CustomerImport:
    mapping = read_mapping(row.mapping_text, row.parameters)
    opened = await asyncio.to_thread(open_rows, file, row.file_name, mapping)
    run = await _run_of(desk, row, mapping)
    loader = LineLoader(run) if mapping.records in _ON_LINES else CustomerLoader(run, row.unit_code)
    reader = Reader(
        opened, Converter(mapping, opened.header), loader, file, desk.clock, desk.portion
    )
    staging = Staging(run, reader.go_on)
    async with transactions() as session:
        staging.begin(session, desk.clock.now())
        await loader.prepare(staging)
        rejected = await repository.rejected_lines(session, row.id)
        await loader.resume(staging, reader.skip(row.rows), rejected)
    rejecter = Rejecter(row.id, mapping, opened.header, desk.cipher)
    work = _Work(desk, transactions, staging, loader, rejecter, row.id, dry_run=row.dry_run)
    async with work.rehearsal():
        async with contextlib.aclosing(reader):
            while (portion := await reader.next()) is not None:
                await work.do(portion)
                on_progress(portion.position)
        samples = await work.samples()
    async with desk.database.transaction() as session:
        row = await in_state(session, row.id, (ImportState.LOADING,), "completed")
        row.state = (ImportState.REHEARSED if row.dry_run else ImportState.COMPLETED).value
        row.finished_at, row.position, row.samples = desk.clock.now(), row.size, samples
        if not row.dry_run:
            record_import(session, IMPORTED, row, row.by, run.unit_path, at=desk.clock.now())
        return row


_ON_LINES = (Records.BILLS, Records.USAGE, Records.INTERACTIONS)


async def _run_of(desk: Desk, row: CustomerImport, mapping: ImportMapping) -> Run:
    async with desk.database.transaction() as session:
        path = await repository.unit_path(session, row.unit_code)
        declared = await declarations(await driver_connection(session), strict=desk.strict)
        departures = await Catalogue.read(session)
    return Run(
        id=row.id, number=row.number, began=row.at, by=row.by, unit_path=path, whole_node=row.unit_code == desk.node,
        node=desk.node, cipher=desk.cipher.pinned(), mapping=mapping, header=row.header, declared=declared,
        departures=departures, allow_erased=row.allow_erased,
    )  # fmt: skip


class _Work:
    """Writes portions: each in its transaction, or, in a dry run, all in one that is rolled back."""

    def __init__(  # noqa: PLR0917 - the parts of one run
        self,
        desk: Desk,
        transactions: Transactions,
        staging: Staging,
        loader: Loader,
        rejecter: Rejecter,
        import_id: UUID,
        *,
        dry_run: bool,
    ) -> None:
        self._desk, self._transactions, self._staging, self._loader = (
            desk,
            transactions,
            staging,
            loader,
        )
        self._rejecter, self._import_id, self._dry_run = rejecter, import_id, dry_run
        self._rehearsing: AsyncSession | None = None

    @contextlib.asynccontextmanager
    async def rehearsal(self) -> AsyncIterator[None]:
        """Undo at the end what is done within, if it is only a rehearsal."""
        if not self._dry_run:
            yield
            return
        async with self._transactions() as session:
            self._rehearsing = session
            nested = await session.begin_nested()
            try:
                yield
            finally:
                await nested.rollback()

    async def samples(self) -> list[dict[str, Any]]:
        """Return what a dry run would change."""
        if self._rehearsing is None:
            return []
        return await repository.samples(self._rehearsing, self._import_id, _SAMPLES)

    async def do(self, portion: Portion) -> None:
        """Load a portion; if somebody takes one of its numbers at the same moment, once more."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._try(portion)
            except (IntegrityError, asyncpg.UniqueViolationError, ImportDisturbed) as error:
                if attempt == _ATTEMPTS or self._rehearsing is not None:
                    raise ImportDisturbed(constraint=_constraint(error)) from error
            else:
                return

    async def _try(self, portion: Portion) -> None:
        async with contextlib.AsyncExitStack() as stack:
            keeping = await stack.enter_async_context(
                self._transactions()
                if self._rehearsing is None
                else self._desk.database.transaction()
            )
            writing = self._rehearsing or keeping
            row = await in_state(keeping, self._import_id, (ImportState.LOADING,), "loaded")
            self._staging.begin(writing, self._desk.clock.now())
            loaded, contradicted = await self._loader.load(self._staging, portion.rows)
            faults = sorted([*portion.faults, *contradicted], key=lambda fault: fault.line)
            await self._rejecter.keep(keeping, faults, portion.cells)
            row.created += loaded.created
            row.changed += loaded.changed
            row.unchanged += loaded.unchanged
            row.rejected += len({fault.line for fault in faults})
            row.rows += len(portion.cells)
            row.position = portion.position


def _constraint(error: BaseException) -> str | None:
    # A COPY fails with the driver's own error, a statement with it inside two others.
    driver_error = (
        getattr(error.orig, "__cause__", None) if isinstance(error, IntegrityError) else error
    )
    return getattr(driver_error, "constraint_name", None)
