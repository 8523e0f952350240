"""Bulk loads whose rows are made in a thread, as the text form of PostgreSQL's ``COPY`` has them, column by column.

The driver makes its binary form in the event loop, and PostgreSQL waits for it. Text that a thread has made while
PostgreSQL worked on the rows before is only sent.
"""

import re
from collections.abc import AsyncIterator, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import driver_connection

_NULL = r"\N"
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def rows_as_text(columns: Sequence[Sequence[object]]) -> bytes:
    """Return the rows that make up ``columns``, each of texts, numbers, dates or times, and gaps."""
    lines = map("\t".join, zip(*map(_cells, columns), strict=True))
    return "".join([f"{line}\n" for line in lines]).encode()


async def copy_text(session: AsyncSession, table: str, columns: Sequence[str], rows: bytes) -> None:
    """Load what :func:`rows_as_text` made into ``table``, in the session's transaction."""
    connection = await driver_connection(session)
    await connection.copy_to_table(table, columns=list(columns), source=_at_once(rows))


def _cells(column: Sequence[object]) -> list[str]:
    # Most columns repeat themselves: the months and kinds of records, the number that a year of bills is for.
    known = {value: _cell(value) for value in set(column)}
    return [known[value] for value in column]


def _cell(value: object) -> str:
    if value is None:
        return _NULL
    text = str(value)
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text


async def _at_once(rows: bytes) -> AsyncIterator[bytes]:
    yield rows
