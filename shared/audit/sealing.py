"""Sealing: the records that were committed since the last seal become the next link of the chain.

Which those are, a snapshot says and no number does. Identities are given before the commit and become visible out of
order, so that "everything above the last id" would skip what commits late. A seal keeps the snapshot that it was made
with, and covers exactly the records of transactions that the snapshot saw as over and the one before did not. A
transaction that takes an hour holds up nobody: it is in progress in the seals of that hour, and in the first one after
it.

One process seals at a time, under an advisory lock; whoever writes records never waits for it.
"""

import asyncio
from datetime import datetime
from pathlib import Path

import asyncpg
import structlog

from shared.audit import chain, repository
from shared.audit.head import Head, note, noted
from shared.audit.repository import BEGINNING, SEAL_COLUMNS, Range, Snapshot
from shared.capability import NodeContext
from shared.federation.keys import NodeKey

LOCK = 0x61756469740001
"""Key of the advisory lock of whoever seals."""
MOST_RECORDS = 10_000
"""Records in a seal, unless one transaction wrote more."""

log = structlog.get_logger("audit")


async def seal(context: NodeContext, *, now: datetime, most: int = MOST_RECORDS) -> int:
    """Seal what is committed and not sealed yet; returns how many records that were.

    Args:
        context: the node's.
        now: the time that the seals bear.
        most: how many records a seal covers.
    """
    sealed = 0
    pool = await context.database.pool()
    async with pool.acquire() as connection:
        while True:
            async with connection.transaction():
                made = await _seal_once(connection, context.post.key, now=now, most=most)
            if made is None:
                return sealed
            await _note_head(connection, context.settings.directory, made)
            log.info(
                "audit log sealed",
                number=made["number"],
                records=made["records"],
                link=made["link"].hex(),
            )
            sealed += made["records"]


async def _seal_once(
    connection: asyncpg.Connection, key: NodeKey, *, now: datetime, most: int
) -> asyncpg.Record | None:
    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
    newest = await repository.newest_seal(connection)
    era = await repository.present_era(connection)
    # Before the records are read, each in a statement of its own: what it calls over is visible to them.
    present = await repository.present_snapshot(connection)
    if newest is None or newest["era"] != era:
        closing = await _closing(connection, era)
        if closing is not None:
            return await _append(connection, newest, closing, key, now)
    after = snapshot_of(await repository.newest_seal(connection, era))
    covered = await _cut(connection, Range(era, after, present), most)
    return await _append(connection, newest, covered, key, now)


async def _note_head(connection: asyncpg.Connection, directory: Path, made: asyncpg.Record) -> None:
    before = await asyncio.to_thread(noted, directory)
    if before and await repository.link_at(connection, before.number) != before.link:
        log.error(
            "the audit log no longer holds the seal that was noted as its head: restored from a backup, or cut off",
            noted=str(before),
            directory=str(directory),
        )
    elif before is None or before.number < made["number"]:
        await asyncio.to_thread(note, directory, Head(made["number"], made["link"]))


def snapshot_of(seal: asyncpg.Record | None) -> Snapshot:
    """Return the snapshot that a seal was made with."""
    return Snapshot(seal["until_xid"], tuple(seal["in_progress"])) if seal else BEGINNING


async def _closing(connection: asyncpg.Connection, present_era: int) -> Range | None:
    """Return what an era that is over left unsealed: its database was dumped between a commit and its seal."""
    left = await repository.first_unsealed_elsewhere(connection, present_era)
    if left is None:
        return None
    era = left["era"]
    after = snapshot_of(await repository.newest_seal(connection, era))
    highest = await repository.highest_xid(connection, era)
    return Range(era, after, Snapshot(max(after.xmax, highest + 1)))


async def _cut(connection: asyncpg.Connection, covered: Range, most: int) -> Range:
    """Return the first part of a range, of about ``most`` records and at least one transaction."""
    beyond = await repository.xid_at(connection, covered, most)
    if beyond is None:
        return covered
    if beyond == await repository.xid_at(connection, covered, 0):
        beyond += 1
    return Range(covered.era, covered.after, covered.until.before(beyond))


async def _append(
    connection: asyncpg.Connection,
    newest: asyncpg.Record | None,
    covered: Range,
    key: NodeKey,
    now: datetime,
) -> asyncpg.Record | None:
    digests = bytearray()
    first_at: datetime | None = None
    last_at: datetime | None = None
    async for row in repository.records_in(connection, covered):
        digests += chain.digest_of(row).packed
        first_at = row["at"] if first_at is None else min(first_at, row["at"])
        last_at = row["at"] if last_at is None else max(last_at, row["at"])
    if not digests:
        return None
    number = newest["number"] + 1 if newest else 1
    previous = newest["link"] if newest else chain.FIRST
    records, sealed = len(digests) // chain.ENTRY_BYTES, bytes(digests)
    running, public = list(covered.until.in_progress), key.public.to_text()
    link = chain.link_of(
        previous, number, now, covered.era, covered.until.xmax, running, records, (first_at, last_at), sealed, public
    )  # fmt: skip
    return await connection.fetchrow(
        f"INSERT INTO audit_seal ({SEAL_COLUMNS})"  # noqa: S608 - names of columns
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING number, records, link",
        number, now, covered.era, covered.until.xmax, running, records, first_at, last_at, sealed, previous, link,
        public, key.signing.sign(link),
    )  # fmt: skip
