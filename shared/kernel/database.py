"""The node's database: tables, transactions, bulk copy, hot reads and writes, group commit and notifications.

Two ways in, to the same PostgreSQL. Ordinary work goes through SQLAlchemy sessions, one transaction for each
request, message or job, opened and committed by that edge and by nobody else. Hot reads, hot writes and bulk loads
speak to asyncpg: a pool of its own for reads whose JSON PostgreSQL builds, another for changes of few statements
that are asked for often, so that no reader waits behind a writer's lock, and the session's own connection for ``COPY``,
so that a bulk load is part of the transaction around it. Rows that a hot read has to leave behind before it is
answered are committed in groups, on one connection more.
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
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidatePoolError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry

from shared.kernel.group_commit import GroupCommit

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


@dataclass(frozen=True, slots=True)
class Insert:
    """How rows are added to a table: a row alone is the commonest, and a third cheaper without arrays.

    Attributes:
        one: adds one row, a parameter for each value.
        many: adds any number, a parameter for each array of values: ``INSERT ... SELECT ... FROM unnest(...)``.
    """

    one: str
    many: str


class Database:
    """One node's PostgreSQL.

    Args:
        url: ``postgresql://...`` as asyncpg takes it.
        pool_size: connections kept in each of the three pools, of which two may grow to twice as many.
    """

    def __init__(self, url: str, pool_size: int = 5) -> None:
        self.url = url
        self._pool_size = pool_size
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: asyncpg.connect(url, server_settings=SESSION),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_use_lifo=True,  # the one used last has its statements prepared and its server process warm
            hide_parameters=True,  # they hold personal data, and an error is logged and kept
        )
        event.listen(self.engine.sync_engine, "checkin", _note_use)
        event.listen(self.engine.sync_engine, "checkout", _require_open)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        single = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._readers = async_sessionmaker(single, expire_on_commit=False)
        self._pool: asyncpg.Pool | None = None
        self._write_pool: asyncpg.Pool | None = None
        self._pool_lock = asyncio.Lock()
        self._appending: dict[Insert, GroupCommit[Sequence[Any]]] = {}
        self._append_pool: asyncpg.Pool | None = None

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

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a session whose statements are each a transaction: one look costs one round trip, and not three."""
        async with self._readers() as session:
            yield session

    @contextlib.asynccontextmanager
    async def reserved(
        self,
    ) -> AsyncIterator[Callable[[], contextlib.AbstractAsyncContextManager[AsyncSession]]]:
        """Reserve one connection for several transactions, each opened by calling what is given.

        For work that leaves something in the connection: temporary tables, an advisory lock. The connection is
        closed at the end, and they are gone with it.
        """
        async with self.engine.connect() as connection:

            @contextlib.asynccontextmanager
            async def transaction() -> AsyncIterator[AsyncSession]:
                async with (
                    AsyncSession(connection, expire_on_commit=False) as session,
                    session.begin(),
                ):
                    yield session

            try:
                yield transaction
            finally:
                await connection.invalidate()

    async def pool(self) -> asyncpg.Pool:
        """Return the pool of bare connections for hot reads, made at first use."""
        if self._pool is None:
            async with self._pool_lock:
                if self._pool is None:
                    self._pool = await self._bare(min_size=1, max_size=self._pool_size)
        return self._pool

    @contextlib.asynccontextmanager
    async def writer(self) -> AsyncIterator[asyncpg.Connection]:
        """Give a bare connection for hot writes, each statement of which is a transaction unless one is begun."""
        if self._write_pool is None:
            async with self._pool_lock:
                if self._write_pool is None:
                    # Most of their time they wait for the disk, and PostgreSQL commits those together that wait.
                    self._write_pool = await self._bare(min_size=0, max_size=2 * self._pool_size)
        async with self._write_pool.acquire() as connection:
            yield connection

    async def _bare(self, *, min_size: int, max_size: int) -> asyncpg.Pool:
        return await asyncpg.create_pool(
            self.url,
            min_size=min_size,
            max_size=max_size,
            server_settings=SESSION,
            reset=_leave_as_it_is,
        )

    async def append(self, insert: Insert, row: Sequence[Any]) -> None:
        """Add a row, and return once it is committed, with those that others add at the same time.

        For what must be on disk before an answer that needs no transaction otherwise.

        Args:
            insert: what adds it.
            row: its values.

        Raises:
            Exception: what the insert failed with; whether the row is there is then unknown.
        """
        group = self._appending.get(insert)
        if group is None:
            group = GroupCommit(lambda rows: self._insert(insert, rows), is_away)
            self._appending[insert] = group
        await group.add(row)

    async def _insert(self, insert: Insert, rows: Sequence[Sequence[Any]]) -> None:
        async with self._pool_lock:
            if self._append_pool is None:
                # One connection, which the pool replaces when it is lost.
                self._append_pool = await self._bare(min_size=0, max_size=1)
        if len(rows) == 1:
            await self._append_pool.execute(insert.one, *rows[0])
        else:
            await self._append_pool.execute(insert.many, *map(list, zip(*rows, strict=True)))

    def usage(self) -> dict[str, PoolUsage]:
        """Return how much of each pool is in use: ``sessions`` for ordinary work, hot ``reads`` and hot ``writes``."""
        sessions = self.engine.pool
        most = 2 * self._pool_size
        assert isinstance(sessions, QueuePool)  # noqa: S101 - the engine of asyncpg has no other
        return {
            "sessions": PoolUsage(sessions.checkedout(), sessions.checkedin(), most),
            "reads": _usage_of(self._pool, self._pool_size),
            "writes": _usage_of(self._write_pool, most),
        }

    async def close(self) -> None:
        """Close every connection."""
        for group in self._appending.values():
            await group.close()
        for pool in (self._pool, self._write_pool, self._append_pool):
            if pool is not None:
                await pool.close()
        self._pool = self._write_pool = self._append_pool = None
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


def _usage_of(pool: asyncpg.Pool | None, most: int) -> PoolUsage:
    if pool is None:
        return PoolUsage(0, 0, most)
    idle = pool.get_idle_size()
    return PoolUsage(pool.get_size() - idle, idle, most)


async def _leave_as_it_is(connection: asyncpg.Connection) -> None:
    """Spare each use the round trip of a reset: nobody sets anything on these connections.

    What was begun and not ended is rolled back all the same; asyncpg sees to that before it asks.
    """


_DRIVER = "kernel.database.driver"


async def driver_connection(session: AsyncSession) -> asyncpg.Connection:
    """Return the asyncpg connection that ``session``'s open transaction runs on.

    SQLAlchemy's adapter begins the transaction with the first statement, so one is sent first unless one was: without
    it a ``COPY`` would commit by itself.
    """
    # Asking SQLAlchemy costs more than most of what is then asked of the driver, so its answer is kept as long as the
    # innermost transaction lasts: a savepoint is made only when SQLAlchemy is first asked within it.
    plain = session.sync_session
    innermost = plain.get_nested_transaction() or plain.get_transaction()
    asked_in, connection = session.info.get(_DRIVER, (None, None))
    if innermost is None or asked_in is not innermost:
        raw = await (await session.connection()).get_raw_connection()
        connection = raw.driver_connection
        session.info[_DRIVER] = (
            plain.get_nested_transaction() or plain.get_transaction(),
            connection,
        )
    driver: asyncpg.Connection = connection
    if session.new or session.dirty or session.deleted:
        await session.flush()  # whoever asks the driver finds what was changed so far
    if not driver.is_in_transaction():
        await session.execute(text("SELECT 1"))
    return driver


@contextlib.asynccontextmanager
async def driver_savepoint(session: AsyncSession) -> AsyncIterator[None]:
    """Open a savepoint for statements that leave nothing in the session.

    ``session.begin_nested()``, which undoes what is in the session as well, takes six times as long.
    """
    connection = await driver_connection(session)
    async with connection.transaction():
        yield


async def flush_unless_taken(session: AsyncSession, constraint: str) -> bool:
    """Write what was changed in the session; tells whether the unique ``constraint`` found it free.

    The caller's transaction goes on either way; a breach of any other constraint is raised.
    """
    try:
        async with session.begin_nested():
            await session.flush()
    except IntegrityError as error:
        if constraint not in str(error.orig):
            raise
        return False
    return True


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
