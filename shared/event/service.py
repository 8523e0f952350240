"""Reading events from a cursor on."""

from dataclasses import dataclass

import asyncpg

from shared.event import repository
from shared.event.problems import EventsForgotten, EventsUnknown
from shared.event.repository import Wanted


@dataclass(frozen=True, slots=True)
class Portion:
    """Some events that follow one another.

    Attributes:
        events: each as a CloudEvent in JSON.
        next: the cursor to go on from.
        more: whether there are more already.
    """

    events: list[str]
    next: int
    more: bool


async def read_after(
    pool: asyncpg.Pool, source: str, wanted: Wanted, *, after: int | None, limit: int
) -> Portion:
    """Return the events after a cursor, oldest first.

    Args:
        pool: connections of the node's database.
        source: the node's division code.
        wanted: which events.
        after: the cursor; all that is kept without it.
        limit: most events to return.

    Raises:
        EventsForgotten: if events after the cursor are no longer kept (410).
        EventsUnknown: if the node has not come to the cursor: it was restored from a backup (410).
    """
    await repository.number(pool)
    kept = await repository.ends(pool)
    if after is None:
        after = kept.before
    elif after < kept.before:
        raise EventsForgotten(oldest=kept.before)
    elif after > kept.latest:
        raise EventsUnknown(latest=kept.latest)
    found = await repository.read(
        pool, source, wanted, after=after, until=kept.latest, limit=limit + 1
    )
    more = len(found) > limit
    found = found[:limit]
    return Portion([event for _, event in found], found[-1][0] if more else kept.latest, more)


async def latest(pool: asyncpg.Pool) -> int:
    """Return the cursor of who wants only what happens from now on."""
    await repository.number(pool)
    return (await repository.ends(pool)).latest
