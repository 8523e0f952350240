"""Loading one file: read, converted, checked and loaded batch by batch, in the transaction of whoever asks."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

import asyncpg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.custom_attribute.declarations import declarations
from services.city_node.customer_import import repository
from services.city_node.customer_import.changing import Changes
from services.city_node.customer_import.checking import checks, contradicted
from services.city_node.customer_import.loading import LINE, load
from services.city_node.customer_import.mapping import ImportMapping
from services.city_node.customer_import.models import CustomerImport, ImportState
from services.city_node.customer_import.problems import ImportDisturbed
from services.city_node.customer_import.reading import BATCH, Batch, CsvFile
from services.city_node.customer_import.rows import RowBuilder
from services.city_node.customer_import.staging import Run, Staging
from shared.kernel.encryption import Cipher
from shared.kernel.ids import new_id

Progress = Callable[[int, int], None]
"""Told how many rows and how many bytes of the file are done."""


@dataclass(frozen=True, slots=True)
class Importer:
    """Who imports, into which node.

    Attributes:
        by: username, or how the history names whoever ran the command.
        unit_code: unit of the importer, to which customers go for whom the mapping names none.
        unit_path: its path: the customers that the import reaches.
        node: division code of the node.
        cipher: the node's keys for personal numbers.
        strict: whether attributes that the node does not declare are refused.
    """

    by: str
    unit_code: str
    unit_path: str
    node: str
    cipher: Cipher
    strict: bool = False


async def load_file(
    session: AsyncSession,
    importer: Importer,
    file: BinaryIO,
    *,
    name: str,
    mapping: ImportMapping,
    now: datetime,
    on_progress: Progress = lambda _rows, _bytes: None,
    batch_rows: int = BATCH,
) -> CustomerImport:
    """Load a file in the transaction of ``session``: all of it that has no fault, or, after an error, nothing.

    Args:
        session: the transaction.
        importer: who imports, into which node.
        file: the CSV.
        name: how the report calls it.
        mapping: how it is read.
        now: when.
        on_progress: told after each batch.
        batch_rows: rows in a batch: what the import holds in memory.

    Returns:
        The import's row, with its counts.

    Raises:
        FileUnusable: if the file cannot be read to its end.
        ImportDisturbed: if somebody took a number of the file while it was loaded.
    """
    loaded = repository.begin(
        session,
        import_id=new_id(),
        by=importer.by,
        unit_code=importer.unit_code,
        file_name=name,
        mapping=mapping.source,
        now=now,
    )
    await repository.write(session)
    run = Run(loaded.id, now, importer.by, importer.unit_path, mapping)
    staging = Staging(session, run)
    await staging.prepare()
    opened = await asyncio.to_thread(CsvFile, file, name, mapping)
    constants = {
        "unit_code": importer.unit_code,
        "source": mapping.source,
        "now": now,
        "by": importer.by,
        "import_id": loaded.id,
    }
    builder = RowBuilder(
        mapping,
        opened.header,
        importer.cipher,
        now=now,
        constants=constants,
        declared=await declarations(session, strict=importer.strict),
    )
    statement, changes = checks(mapping), Changes(mapping)
    batches = opened.batches(builder, batch_rows)
    reading = _read_ahead(batches)
    try:
        while (batch := await reading) is not None:
            # The next batch is converted while PostgreSQL works on this one.
            reading = _read_ahead(batches)
            await _load_batch(staging, changes, statement, importer.node, batch, loaded)
            on_progress(loaded.rows, opened.bytes)
    except (IntegrityError, asyncpg.UniqueViolationError) as error:
        raise ImportDisturbed(constraint=_constraint(error)) from error
    finally:
        await asyncio.gather(reading, return_exceptions=True)
    loaded.sha256, loaded.finished_at, loaded.state = (
        opened.sha256,
        now,
        ImportState.COMPLETED.value,
    )
    await repository.write(session)
    return loaded


def _constraint(error: BaseException) -> str | None:
    # A COPY fails with the driver's own error, a statement with it inside two others.
    driver_error = (
        getattr(error.orig, "__cause__", None) if isinstance(error, IntegrityError) else error
    )
    return getattr(driver_error, "constraint_name", None)


def _read_ahead(batches: Iterator[Batch]) -> "asyncio.Future[Batch | None]":
    return asyncio.ensure_future(asyncio.to_thread(next, batches, None))


async def _load_batch(  # noqa: PLR0917 - the parts of one run
    staging: Staging,
    changes: Changes,
    statement: str,
    node: str,
    batch: Batch,
    loaded: CustomerImport,
) -> None:
    await staging.reject(loaded.id, batch.faults)
    rows = batch.rows
    if rows:
        await staging.claim(rows)
        faulty = await contradicted(staging, statement)
        rows = [row for row in rows if row[LINE] not in faulty] if faulty else rows
        outcome = await load(staging, changes, node, rows)
        loaded.created += outcome.created
        loaded.changed += outcome.changed
        loaded.unchanged += outcome.unchanged
    loaded.rejected += batch.read - len(rows)
    loaded.rows += batch.read
