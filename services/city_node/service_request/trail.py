"""A request's trail as it grows: read on from any line, and told of at once.

A line's id is its place: the lines of one request are written under the lock of its row, so their ids are in the order
in which they were committed, and whoever has seen one has seen all before it. A trigger notifies :data:`CHANNEL` with
the request's id for each line that is committed, whoever wrote it. Whoever follows looks, waits to be woken, and looks
again; it also looks when nobody woke it for :data:`LOOK_AGAIN` seconds, for the sake of what is not told of: whether it
still may see the request.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import DDL, MetaData, event

CHANNEL = "guanxi_trail"
LOOK_AGAIN = 30.0
MOST_LINES = 200
"""Lines in one look; there is another at once if there may be more."""

_NOTIFY = f"""
CREATE FUNCTION notify_trail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('{CHANNEL}', NEW.request_id::text);
    RETURN NULL;
END $$"""
_TRIGGER = """
CREATE TRIGGER service_request_event_added AFTER INSERT ON service_request_event
FOR EACH ROW EXECUTE FUNCTION notify_trail()"""

ENTRY = """json_build_object(
    'id', e.id, 'at', e.at, 'node', e.node, 'event', e.event, 'state', e.state, 'note', e.note, 'by', e.by
)"""

_LOOK = f"""
SELECT r.state, r.ended_at IS NOT NULL AS ended,
       ARRAY(SELECT {ENTRY}::text FROM service_request_event e
             WHERE e.request_id = r.id AND e.id > $3 ORDER BY e.id LIMIT {MOST_LINES}) AS lines
FROM service_request r JOIN organisation_unit u ON u.code = r.unit_code
WHERE r.id = $1 AND starts_with(u.path, $2)
"""  # noqa: S608 - built from declared expressions alone


def notify_of_lines(metadata: MetaData) -> None:
    """Let whoever makes the tables of ``metadata`` make the trigger, too."""
    for statement in (_NOTIFY, _TRIGGER):
        ddl = DDL(statement)  # type: ignore[no-untyped-call] # SQLAlchemy's own has no types
        event.listen(metadata, "after_create", ddl)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a trail: its place, and what it says as JSON."""

    id: int
    json: str


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a trail found: lines past a place, the request's state, and whether no more will come."""

    lines: tuple[Line, ...]
    state: str
    ended: bool

    @property
    def is_whole(self) -> bool:
        """Whether these are all lines that there are."""
        return len(self.lines) < MOST_LINES

    def document(self, after: int) -> bytes:
        """Return it as JSON; ``after`` is the place it was asked for."""
        last = self.lines[-1].id if self.lines else after
        over = self.ended and self.is_whole
        head = {"state": self.state, "last": last, "ended": over, "more": not self.is_whole}
        items = ",".join(line.json for line in self.lines)
        return orjson.dumps(head)[:-1] + f',"items":[{items}]}}'.encode()


async def look(
    connection: asyncpg.Connection | asyncpg.Pool,
    request_id: UUID,
    *,
    unit_path: str,
    after: int = 0,
) -> Look | None:
    """Return the lines past ``after`` if the request belongs to a unit at or below ``unit_path``."""
    row = await connection.fetchrow(_LOOK, request_id, unit_path, after)
    if row is None:
        return None
    lines = tuple(Line(orjson.loads(text)["id"], text) for text in row["lines"])
    return Look(lines, row["state"], row["ended"])


async def follow(
    look_after: Callable[[int], Awaitable[Look | None]],
    wait: Callable[[], Awaitable[Any]],
    after: int = 0,
) -> AsyncIterator[Line | Look]:
    """Give each line past ``after`` as it comes, and the last look once the request has ended.

    A look that finds nothing, because the request is not to be seen any longer, ends it without that.

    Args:
        look_after: looks for the lines past a place.
        wait: returns when there may be more; the watch behind it began before the first look.
        after: the place to begin at.
    """
    while (found := await look_after(after)) is not None:
        for line in found.lines:
            yield line
            after = line.id
        if not found.is_whole:
            continue
        if found.ended:
            yield found
            return
        await wait()
