"""Identifiers: time-ordered for what is new, derived for what must come out the same when repeated."""

from uuid import UUID, uuid5

import uuid_utils
import uuid_utils.compat


def new_id() -> UUID:
    """Return a new version 7 UUID (RFC 9562): unique, and ordered by time so that indexes stay dense."""
    return uuid_utils.compat.uuid7()


def new_ids(count: int) -> list[str]:
    """Return as many new ids, as text: for bulk loads, where so many objects would cost more than the rows."""
    return [str(uuid_utils.uuid7()) for _ in range(count)]


def derived_id(cause: UUID, *parts: str) -> UUID:
    """Return the version 5 UUID that ``cause`` and ``parts`` always give.

    A handler that runs twice names what it makes by the message that caused it, and so makes it once.
    """
    return uuid5(cause, "\x1f".join(parts))
