"""What a transaction does when its connection dies under it."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError

from shared.kernel import database as kernel_database
from shared.kernel.database import Database, driver_connection


async def test_a_task_that_is_cancelled_when_its_connection_dies_is_cancelled(
    database: Database,
) -> None:
    working = asyncio.Event()

    async def work() -> None:
        async with database.transaction() as session:
            connection = await driver_connection(session)
            connection.terminate()
            working.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await working.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_without_a_cancellation_the_error_says_that_the_connection_died(
    database: Database,
) -> None:
    async def work() -> None:
        async with database.transaction() as session:
            (await driver_connection(session)).terminate()
            raise ValueError("what went wrong first")

    with pytest.raises(InterfaceError, match="connection is closed"):
        await work()


async def test_a_connection_that_the_server_has_ended_is_replaced_unnoticed(
    database: Database,
) -> None:
    async with database.transaction() as session:
        process = await session.scalar(text("SELECT pg_backend_pid()"))
    pool = await database.pool()
    await pool.execute("SELECT pg_terminate_backend($1, 5000)", process)
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT pg_backend_pid()")) != process


async def test_a_connection_that_was_idle_for_long_is_asked_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.transaction() as session:
        process = await session.scalar(text("SELECT pg_backend_pid()"))
    monkeypatch.setattr(kernel_database, "IDLE_SECONDS", -1.0)
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT pg_backend_pid()")) == process
