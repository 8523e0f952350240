"""Loading whole columns of numbers by ``COPY``, in PostgreSQL's binary format.

The driver encodes rows of Python's values one by one. Columns that are arrays already are laid side by side instead:
every row has the same length, so that all of them are one array whose memory is what PostgreSQL reads.

The format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import driver_connection

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = "np.ndarray[Any, Any]"

_HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END = b"\xff\xff"
_BASE, _DIGITS = 10_000, 5
_MINUS = 0x4000
_NUMERIC = [
    ("count", ">i2"),
    ("weight", ">i2"),
    ("sign", ">u2"),
    ("scale", ">i2"),
    ("digits", ">i2", (_DIGITS,)),
]


async def copy_columns(session: AsyncSession, table: str, columns: "Mapping[str, Array]") -> None:
    """Load columns into ``table`` in the session's transaction.

    Args:
        session: its transaction.
        table: the name of the table.
        columns: by name, all of one length: arrays of ``int16`` for ``smallint``, ``int32`` for ``integer``, ``int64``
            for ``bigint``, and what :func:`as_numeric` returns for ``numeric``.
    """
    import numpy as np  # noqa: PLC0415 - a large library, which few nodes need

    fields: list[tuple[str, Any]] = [("fields", ">i2")]
    for name, column in columns.items():
        fields += [(f"size of {name}", ">i4"), (name, column.dtype.newbyteorder(">"))]
    rows = np.empty(len(next(iter(columns.values()))), fields)
    rows["fields"] = len(columns)
    for name, column in columns.items():
        rows[f"size of {name}"] = column.dtype.itemsize
        rows[name] = column

    async def parts() -> AsyncIterator[bytes]:
        yield _HEAD
        yield rows.tobytes()
        yield _END

    connection = await driver_connection(session)
    await connection.copy_to_table(table, source=parts(), columns=list(columns), format="binary")


def as_numeric(values: "Array") -> "Array":
    """Return numbers of ``int64`` as PostgreSQL's ``numeric``, all with as many digits; it takes leading zeros off."""
    import numpy as np  # noqa: PLC0415 - as above

    written = np.empty(len(values), _NUMERIC)
    written["count"], written["weight"], written["scale"] = _DIGITS, _DIGITS - 1, 0
    written["sign"] = np.where(values < 0, _MINUS, 0)
    rest = np.abs(values).astype(np.uint64)  # the least number has no positive one beside it
    for place in reversed(range(_DIGITS)):
        rest, written["digits"][:, place] = np.divmod(rest, np.uint64(_BASE))
    return written
