"""Rows in the text form of ``COPY``."""

from datetime import UTC, date, datetime

from sqlalchemy import text

from shared.kernel.copy_text import copy_text, rows_as_text
from shared.kernel.database import Database

ROWS = [
    (1, "a\tb\\c\nd\re\\N", date(2026, 11, 1), datetime(2026, 11, 1, 4, 30, tzinfo=UTC)),
    (-(2**63), "", None, None),
    (2**63 - 1, r"\N", date(1, 1, 1), datetime(2026, 11, 1, tzinfo=UTC)),
    (0, "汉字 😀", date(2026, 11, 1), None),
    (4, None, None, datetime(2026, 11, 1, 4, 30, 0, 5, tzinfo=UTC)),
]


async def test_what_is_copied_as_text_arrives_as_it_was(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(
            text("CREATE TEMPORARY TABLE kept (n bigint, t text, d date, at timestamptz)")
        )
        names = ("n", "t", "d", "at")
        await copy_text(session, "kept", names, rows_as_text(list(zip(*ROWS, strict=True))))
        found = await session.execute(text("SELECT * FROM kept"))
        assert [tuple(row) for row in found] == ROWS
