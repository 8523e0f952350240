"""The node's database: tables, transactions, bulk copy, hot reads and notifications.

Two ways in, to the same PostgreSQL. Ordinary work goes through SQLAlchemy sessions, one transaction for each
request, message or job, opened and committed by that edge and by nobody else. Hot reads and bulk loads speak to
asyncpg: a pool of its own for reads whose JSON PostgreSQL builds, and the session's own connection for ``COPY``,
so that a bulk load is part of the transaction around it.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg
from sqlalchemy import BigInteger, CheckConstraint, DateTime, MetaData, QueuePool, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry

NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}

SESSION = {"timezone": "UTC"}
"""What every connection is set to, wherever its server stands: times are shown in UTC."""


class Base(DeclarativeBase):
    """The base of every table: times carry their zone, and integers hold a nation's fen."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: DateTime(timezone=True), int: BigInteger()}  # noqa: RUF012 - SQLAlchemy's own name


def one_of(column: str, values: type[StrEnum], name: str) -> CheckConstraint:
    """Return the check that a column holds one of these values."""
    return CheckConstraint(
        f"{column} IN ({', '.join(repr(value.value) for value in values)})", name=name
    )


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """How many connections of a pool are in use, how many are idle, and how many there may be."""

    in_use: int
    idle: int
    most: int


class Database:
    """One node's PostgreSQL.

    Args:
        url: ``postgresql://...`` as asyncpg takes it.
        pool_size: connections kept in each of the two pools.
    """

    def __init__(self, url: str, pool_size: int = 5) -> None:
        self.url = url
        self._pool_size = pool_size
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: asyncpg.connect(url, server_settings=SESSION),
            pool_size=pool_size,
            max_overflow=pool_size,
            hide_parameters=True,  # they hold personal data, and an error is logged and kept
        )
        event.listen(self.engine.sync_engine, "checkin", _note_use)
        event.listen(self.engine.sync_engine, "checkout", _require_open)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._pool: asyncpg.Pool | None = None
        self._pool_lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a session in one transaction: committed at the end, rolled back on any error."""
        try:
            async with self._sessions() as session, session.begin():
                yield session
        except Exception as error:
            # A task that is cancelled just when its connection dies fails in the rollback. Taken for an ordinary error,
            # that would keep alive what was to end.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from error
            raise

    async def pool(self) -> asyncpg.Pool:
        """Return the pool of bare connections for hot reads, made at first use."""
        if self._pool is None:
            async with self._pool_lock:
                if self._pool is None:
                    self._pool = await asyncpg.create_pool(
                        self.url,
                        min_size=1,
                        max_size=self._pool_size,
                        server_settings=SESSION,
                        reset=_leave_as_it_is,
                    )
        return self._pool

    def usage(self) -> dict[str, PoolUsage]:
        """Return how much of each pool is in use: ``sessions`` for ordinary work, ``reads`` for hot reads."""
        sessions, reads = self.engine.pool, self._pool
        most = 2 * self._pool_size
        assert isinstance(sessions, QueuePool)  # noqa: S101 - the engine of asyncpg has no other
        return {
            "sessions": PoolUsage(sessions.checkedout(), sessions.checkedin(), most),
            "reads": PoolUsage(
                reads.get_size() - reads.get_idle_size() if reads else 0,
                reads.get_idle_size() if reads else 0,
                self._pool_size,
            ),
        }

    async def close(self) -> None:
        """Close every connection."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None
        await self.engine.dispose()


IDLE_SECONDS = 20.0
"""A connection that was idle for longer is asked whether it still works before it is used."""


def _note_use(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _require_open(connection: DBAPIConnection, record: ConnectionPoolEntry, _: object) -> None:
    """Replace a connection that is known to be closed, and find out about one that was idle for long.

    The pool's own pre-ping would cost each transaction a round trip. asyncpg knows at once when a server has ended;
    only a connection that vanished without a word, behind a firewall for instance, has to be asked.
    """
    adapted: Any = connection
    if adapted._connection.is_closed():  # noqa: SLF001 - SQLAlchemy's adapter offers no other way
        raise InvalidatePoolError
    if time.monotonic() - record.info.get("used", time.monotonic()) > IDLE_SECONDS:
        try:
            adapted.ping()
        except Exception as error:
            raise InvalidatePoolError from error


async def _leave_as_it_is(connection: asyncpg.Connection) -> None:
    """Spare each hot read the round trip of a reset: nobody sets anything on these connections."""


async def driver_connection(session: AsyncSession) -> asyncpg.Connection:
    """Return the asyncpg connection that ``session``'s open transaction runs on.

    SQLAlchemy's adapter begins the transaction with the first statement, so one is sent first: without it a
    ``COPY`` would commit by itself.
    """
    await session.execute(text("SELECT 1"))
    raw = await (await session.connection()).get_raw_connection()
    connection: asyncpg.Connection = raw.driver_connection
    return connection


async def copy_rows(
    session: AsyncSession, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Load ``rows`` into ``table`` by binary ``COPY`` in the session's transaction; returns how many there were."""
    connection = await driver_connection(session)
    status = await connection.copy_records_to_table(table, columns=list(columns), records=rows)
    return int(status.split()[-1])


async def notify(session: AsyncSession, channel: str, payload: str = "") -> None:
    """Wake whoever listens on ``channel`` when, and only if, the session's transaction commits."""
    await session.execute(
        text("SELECT pg_notify(:channel, :payload)"), {"channel": channel, "payload": payload}
    )


def is_away(error: BaseException) -> bool:
    """Tell whether ``error`` says that the database cannot be reached, rather than that a statement was wrong."""
    if isinstance(error, DBAPIError):
        return bool(error.connection_invalidated) or (
            error.orig is not None and is_away(error.orig)
        )
    cause = error.__cause__
    away = (
        OSError,
        asyncpg.PostgresConnectionError,
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.TooManyConnectionsError,
    )
    if isinstance(error, asyncpg.InterfaceError):
        return "closed" in str(error)
    return isinstance(error, away) or (cause is not None and is_away(cause))


class Listener:
    """Listens for notifications on one connection, and finds it again when it is lost.

    ``on_wake(channel, payload)`` is called for each notification. After a lost connection it is called once for
    every channel with an empty payload, because notifications sent in between are gone.
    """

    def __init__(
        self, url: str, channels: Sequence[str], on_wake: Callable[[str, str], None]
    ) -> None:
        self._url = url
        self._channels = tuple(channels)
        self._on_wake = on_wake

    async def run(self, retry_seconds: float = 1.0) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(retry_seconds)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._url)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            for channel in self._channels:
                await connection.add_listener(
                    channel, lambda _c, _p, name, payload: self._on_wake(name, payload)
                )
            for channel in self._channels:
                self._on_wake(channel, "")
            await lost.wait()
        finally:
            connection.terminate()
