"""From settings to a working node context: database found or started, migrated, keys at hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import structlog

from shared.capability import NodeContext
from shared.federation.high_water import HighWaterMark
from shared.federation.keyring import KeyRing
from shared.federation.post import PostOffice
from shared.kernel.clock import Clock, SystemClock
from shared.kernel.database import Database
from shared.kernel.embedded_postgres import NODE_ROLE, EmbeddedPostgres
from shared.kernel.encryption import Cipher
from shared.kernel.migrations import upgrade
from shared.kernel.privileges import role_of
from shared.kernel.settings import Settings

log = structlog.get_logger("startup")

SUPERVISION_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class DatabaseAddresses:
    """Two ways into a node's database; the same one, if an administrator gave the node one role for both.

    Attributes:
        node: as the role that the node works as.
        owner: as the role that the tables belong to, for migrations and what else only it may do.
    """

    node: str
    owner: str


@contextlib.asynccontextmanager
async def database_addresses(settings: Settings) -> AsyncIterator[DatabaseAddresses]:
    """Give the addresses of the node's database for as long as it is used.

    With ``database_url`` set that is all. Without it the machine's embedded PostgreSQL is started if it does not
    run, watched and started again after a crash, and stopped when its last user leaves.
    """
    if settings.database_url:
        yield DatabaseAddresses(
            settings.database_url, settings.database_owner_url or settings.database_url
        )
        return
    server = EmbeddedPostgres(settings.home / "postgres")
    await asyncio.to_thread(server.start)
    name = f"guanxi_{settings.code}"
    supervision = asyncio.create_task(_supervise(server))
    try:
        await asyncio.to_thread(server.create_database, name)
        yield DatabaseAddresses(server.database_url(name, NODE_ROLE), server.database_url(name))
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


async def migrate(addresses: DatabaseAddresses, revision: str = "head") -> None:
    """Bring the database to ``revision``, and give the node's role what it needs there."""
    if addresses.node == addresses.owner:
        await upgrade(addresses.owner, revision)
        return
    connection = await asyncpg.connect(addresses.node)
    try:
        role = await role_of(connection)
    finally:
        await connection.close()
    await upgrade(addresses.owner, revision, node_role=role)


@contextlib.asynccontextmanager
async def open_context(
    settings: Settings, clock: Clock | None = None
) -> AsyncIterator[NodeContext]:
    """Open what a node of these settings works with: a migrated database, its keys, its post office."""
    async with database_addresses(settings) as addresses:
        await migrate(addresses)
        keys = settings.directory / "keys"
        database = Database(addresses.node, settings.database_pool)
        try:
            yield NodeContext(
                settings=settings,
                clock=clock or SystemClock(),
                database=database,
                cipher=Cipher.load_or_create(keys),
                post=PostOffice(settings.code, KeyRing.load_or_create(keys)),
                high_water=HighWaterMark(settings.directory, database),
            )
        finally:
            await database.close()
