"""From settings to a working node context: database found or started, migrated, keys at hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from shared.capability import NodeContext
from shared.federation.keyring import KeyRing
from shared.federation.post import PostOffice
from shared.kernel.clock import Clock, SystemClock
from shared.kernel.database import Database
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.encryption import Cipher
from shared.kernel.migrations import upgrade
from shared.kernel.settings import Settings

log = structlog.get_logger("startup")

SUPERVISION_SECONDS = 1.0


@contextlib.asynccontextmanager
async def database_url(settings: Settings) -> AsyncIterator[str]:
    """Give the address of the node's database for as long as it is used.

    With ``database_url`` set that is all. Without it the machine's embedded PostgreSQL is started if it does not
    run, watched and started again after a crash, and stopped when its last user leaves.
    """
    if settings.database_url:
        yield settings.database_url
        return
    server = EmbeddedPostgres(settings.home / "postgres")
    await asyncio.to_thread(server.start)
    name = f"guanxi_{settings.code}"
    supervision = asyncio.create_task(_supervise(server))
    try:
        await asyncio.to_thread(server.create_database, name)
        yield server.database_url(name)
    finally:
        supervision.cancel()
        await asyncio.gather(supervision, return_exceptions=True)
        await asyncio.to_thread(server.release)


async def _supervise(server: EmbeddedPostgres) -> None:
    while True:
        await asyncio.sleep(SUPERVISION_SECONDS)
        try:
            if await asyncio.to_thread(server.ensure_running):
                log.warning("embedded PostgreSQL was down and has been started again")
        except Exception:
            log.exception("embedded PostgreSQL is down and cannot be started")


@contextlib.asynccontextmanager
async def open_context(
    settings: Settings, clock: Clock | None = None
) -> AsyncIterator[NodeContext]:
    """Open what a node of these settings works with: a migrated database, its keys, its post office."""
    async with database_url(settings) as url:
        await upgrade(url)
        keys = settings.directory / "keys"
        database = Database(url, settings.database_pool)
        try:
            yield NodeContext(
                settings=settings,
                clock=clock or SystemClock(),
                database=database,
                cipher=Cipher.load_or_create(keys),
                post=PostOffice(settings.code, KeyRing.load_or_create(keys)),
            )
        finally:
            await database.close()
