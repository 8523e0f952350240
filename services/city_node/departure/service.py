"""Keeping the catalogue: one way for reasons and competitors."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.departure.catalogue import OTHER
from services.city_node.departure.models import Competitor, DepartureReason
from services.city_node.departure.problems import (
    CatalogueEntryTaken,
    CatalogueEntryUnknown,
    ReasonOtherNeeded,
)
from shared.kernel.preconditions import require_version

Entry = TypeVar("Entry", DepartureReason, Competitor)

_NOUNS = {DepartureReason: "departure reason", Competitor: "competitor"}
_PATHS = {DepartureReason: "departure-reasons", Competitor: "competitors"}


async def entries(session: AsyncSession, model: type[Entry]) -> Sequence[Entry]:
    """Return every entry of a catalogue, by code."""
    return (await session.scalars(select(model).order_by(model.code))).all()


async def add(
    session: AsyncSession, model: type[Entry], values: dict[str, Any], *, by: str, now: datetime
) -> Entry:
    """Add an entry.

    Raises:
        CatalogueEntryTaken: if there is one of that code (409).
    """
    entry = model(**values, version=1, updated_at=now, updated_by=by)
    session.add(entry)
    try:
        await session.flush()  # so that a code in use is refused here
    except IntegrityError as error:
        raise CatalogueEntryTaken(_NOUNS[model], values["code"]) from error
    return entry


async def change(
    session: AsyncSession,
    model: type[Entry],
    code: str,
    values: dict[str, Any],
    *,
    expected: int,
    by: str,
    now: datetime,
) -> Entry:
    """Change what ``values`` name.

    Raises:
        CatalogueEntryUnknown: if there is none of that code (404).
        VersionStale: if it was changed since version ``expected`` (412).
        ReasonOtherNeeded: if the reason ``other`` was to be put out of use (409).
    """
    entry = await session.get(model, code, with_for_update=True)
    if entry is None:
        raise CatalogueEntryUnknown(noun=_NOUNS[model], code=code, path=_PATHS[model])
    require_version(entry.version, expected)
    if model is DepartureReason and code == OTHER and values.get("active") is False:
        raise ReasonOtherNeeded
    for name, value in values.items():
        setattr(entry, name, value)
    entry.version += 1
    entry.updated_at, entry.updated_by = now, by
    return entry
