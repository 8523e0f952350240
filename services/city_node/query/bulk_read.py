"""The one place where reading many customers at once is put on record: queries, locked segments, exports."""

from enum import StrEnum

import structlog

log = structlog.get_logger("bulk_read")


class Act(StrEnum):
    """How many customers were read at once."""

    QUERY = "query"
    LOCK = "lock"
    EXPORT = "export"
    DOWNLOAD = "download"


def note_bulk_read(by: str, unit_code: str, act: Act, about: str, rows: int | None) -> None:
    """Record that ``by`` read many customers; never what the condition compares with, which may be personal.

    Args:
        by: username.
        unit_code: the unit whose customers were read.
        act: in what way.
        about: the id of the segment or export, or the fields that a query asked about.
        rows: how many, if they were counted.
    """
    log.info("customers read", by=by, unit=unit_code, act=act.value, about=about, rows=rows)
