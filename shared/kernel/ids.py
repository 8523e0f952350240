"""Identifiers: time-ordered for what is new, derived for what must come out the same when repeated."""

from uuid import UUID, uuid5

import uuid_utils.compat


def new_id() -> UUID:
    """Return a new version 7 UUID (RFC 9562): unique, and ordered by time so that indexes stay dense."""
    return uuid_utils.compat.uuid7()


def derived_id(cause: UUID, *parts: str) -> UUID:
    """Return the version 5 UUID that ``cause`` and ``parts`` always give.

    A handler that runs twice names what it makes by the message that caused it, and so makes it once.
    """
    return uuid5(cause, "\x1f".join(parts))
