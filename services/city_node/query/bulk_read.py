"""Reading many customers at once goes into the audit log: queries, locked segments, exports."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.capability import Action
from shared.kernel.database import Database
from shared.kernel.language import Text

BULK_READ = Action("customer.bulk-read", Text("Many customers were read at once", "批量读取客户"))


class Act(StrEnum):
    """How many customers were read at once."""

    QUERY = "query"
    LOCK = "lock"
    EXPORT = "export"
    DOWNLOAD = "download"


def record_bulk_read(
    session: AsyncSession,
    actor: audit.Actor,
    act: Act,
    about: str,
    rows: int | None,
    *,
    at: datetime,
) -> None:
    """Record that many customers are read, in the transaction that does so.

    Args:
        session: the transaction.
        actor: who reads.
        act: in what way.
        about: the id of the segment or export, or the fields that a query asked about; never what they are compared
            with, which may be personal.
        rows: how many customers, if they were counted.
        at: when.
    """
    audit.record(
        session,
        actor,
        BULK_READ,
        at=at,
        subject=("customer", "bulk"),
        detail=_detail(act, about, rows),
    )


async def record_bulk_read_now(
    database: Database,
    actor: audit.Actor,
    act: Act,
    about: str,
    rows: int | None,
    *,
    at: datetime,
    shown: Sequence[str] = (),
) -> None:
    """Record the same where there is no transaction, with the ids of a page; show what was read only after this."""
    detail = {**_detail(act, about, rows), **({"ids": shown} if shown else {})}
    await audit.record_now(
        database, actor, BULK_READ, at=at, subject=("customer", "bulk"), detail=detail
    )


def _detail(act: Act, about: str, rows: int | None) -> dict[str, str | int | None]:
    return {"act": act.value, "about": about, "rows": rows}
