"""What a transaction does when its connection dies under it."""

import asyncio

import pytest
from sqlalchemy.exc import InterfaceError

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
