"""From a selection to a stream of rows: one ``COPY``, with nothing of it in memory but a few chunks.

``COPY`` takes no parameters. Rather than write values into the statement, they are put beside it all the same: into
settings of the transaction, by ``set_config``, which takes parameters; the statement reads them from there, each once.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg

from services.city_node.customer.profile import SOURCE
from services.city_node.query.selection import Selection
from shared.kernel.database import SESSION
from shared.kernel.encryption import Cipher

# ruff: noqa: S608 - every statement here is put together from declared expressions, never from input


class SettingValues:
    """Values as settings of the transaction."""

    def __init__(self) -> None:
        self._values: list[tuple[Any, str]] = []

    def bind(self, value: Any, type_: str) -> str:
        """Keep ``value`` for the next setting. In a sub-select, so that it is read once and not for each row."""
        self._values.append((value, type_))
        return f"(SELECT current_setting('guanxi.value_{len(self._values)}')::{type_})::{type_}"

    async def place(self, connection: asyncpg.Connection) -> None:
        """Set them, for the rest of the transaction."""
        for number, (value, type_) in enumerate(self._values, 1):
            await connection.execute(
                f"SELECT set_config('guanxi.value_{number}', ($1::{type_})::text, true)", value
            )


@contextlib.asynccontextmanager
async def one_moment(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection that sees the database as it is at one moment, and changes nothing.

    It is of its own and ends abruptly: to end a ``COPY`` half-way in good order, everything that the server has
    sent already would have to be read, and the pool's connections are few.
    """
    connection = await asyncpg.connect(url, server_settings=SESSION)
    try:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection
    finally:
        connection.terminate()


async def copy_selection(
    connection: asyncpg.Connection,
    selection: Selection,
    row: str,
    cipher: Cipher,
    take: Callable[[bytes], Awaitable[None]],
) -> int:
    """Hand the rows of a selection to ``take`` as CSV, chunk by chunk; returns how many there were.

    Args:
        connection: with an open transaction.
        selection: which customers.
        row: the SQL of a row.
        cipher: the node's.
        take: is waited for: the server sends no faster than it takes. What it raises ends the copy.
    """
    values = SettingValues()
    where = selection.where(values, cipher)
    await values.place(connection)
    status = await connection.copy_from_query(
        f"SELECT {row} FROM {SOURCE} WHERE {where}", output=take, format="csv"
    )
    return int(status.split()[-1])
