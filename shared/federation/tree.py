"""Who is above whom: the way that a message takes, and for whom a peer may speak.

Both follow the registry's parents, so that a city which has moved is found where it is now; what the registry does not
know yet follows the division codes. A node's *line* is itself, its parent, and so on up to HQ. A node that has moved
has a line over each former parent as well: what it said there may still be under way, and its own signature holds
wherever it comes from.
"""

from collections.abc import Container, Iterable
from datetime import datetime

import orjson
from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.models import (
    Direction,
    InboxMessage,
    LaneState,
    OutboxMessage,
    Peer,
    PeerStatus,
    Relation,
)
from shared.federation.problems import NodeRetired
from shared.federation.wakeup import CHANNEL
from shared.kernel.database import driver_connection, notify
from shared.kernel.settings import HQ_CODE

HIGHEST = 8
"""Parents above one another at most, should entries ever name each other."""


def is_division_below(code: str, above: str) -> bool:
    """Tell by the codes alone whether ``code`` lies below ``above``: what holds until the registry knows better."""
    if above.endswith("0000"):
        return above == HQ_CODE or code[:2] == above[:2]
    return False


def division_parent(code: str) -> str | None:
    """Return what is above ``code`` by the codes alone."""
    if code == HQ_CODE:
        return None
    return HQ_CODE if code.endswith("0000") else f"{code[:2]}0000"


_PARENTS = """
    SELECT code, parent, former_parents::text AS former_parents FROM federation_registry WHERE code = ANY($1::text[])"""
_RETIRED = "SELECT reason FROM federation_registry WHERE code = $1 AND status = 'retired'"
_PEERS = "SELECT code, relation, status FROM federation_peer WHERE status <> 'closed'"


async def lines(session: AsyncSession, codes: Iterable[str]) -> dict[str, list[list[str]]]:
    """Return the lines of each node: the present one first, then those over its former parents."""
    connection = await driver_connection(session)
    known: dict[str, tuple[str | None, list[str]]] = {}
    wanted = set(codes)
    # With where they usually are, so that one query does unless somebody has moved.
    found = wanted | {
        above for code in wanted if (above := division_parent(code)) not in {None, HQ_CODE}
    }
    while found:
        for row in await connection.fetch(_PARENTS, list(found)):
            known[row["code"]] = (row["parent"], orjson.loads(row["former_parents"]))
        next_ones = {p for code in found for p in _parents(code, known) if p != HQ_CODE}
        found = next_ones - known.keys() - found
    # HQ has no parent, and one line all the same.
    return {
        code: [[code, *_upwards(parent, known)] for parent in _parents(code, known)] or [[code]]
        for code in wanted
    }


def _parents(code: str, known: dict[str, tuple[str | None, list[str]]]) -> list[str]:
    parent, former = known.get(code, (division_parent(code), []))
    return [] if parent is None else [parent, *former]


def _upwards(code: str | None, known: dict[str, tuple[str | None, list[str]]]) -> list[str]:
    line: list[str] = []
    while code is not None and len(line) < HIGHEST:
        line.append(code)
        code = next(iter(_parents(code, known)), None)
    return line


async def foreign_origins(
    session: AsyncSession, peer: Peer, origins: Iterable[str], *, here: str
) -> list[str]:
    """Return those of ``origins`` for whom ``peer`` may not speak.

    A child speaks for itself and those below it; the parent for everybody who is not below this node. For a node
    that has moved both of its parents may.
    """
    others = set(origins)
    if peer.relation == Relation.CHILD:
        others.discard(peer.code)  # that it may speak for itself needs no look at the registry
    if not others:
        return []
    foreign = []
    for origin, each in sorted((await lines(session, others)).items()):
        if peer.relation == Relation.CHILD:
            allowed = any(peer.code in line for line in each)
        else:
            allowed = any(here not in line for line in each)
        if not allowed:
            foreign.append(origin)
    return foreign


async def next_hop(
    session: AsyncSession, here: str, destination: str, passed: Container[str] = ()
) -> str | None:
    """Return the peer through which ``destination`` is reached: the child above it, or else the parent.

    ``None`` while there is no such peer: the message then waits until one joins. What is for a node below this one
    never goes up, where it would only come back; and what has ``passed`` the parent does not go there again, but is
    redirected (:mod:`~shared.federation.redirection`).

    Raises:
        NodeRetired: if the destination is retired and its link is closed.
    """
    line = (await lines(session, [destination]))[destination][0]
    peers = await (await driver_connection(session)).fetch(_PEERS)
    relations = {row["code"]: (row["relation"], row["status"]) for row in peers}
    for code in line:
        if code == here:
            break
        if relations.get(code, ("", ""))[0] == Relation.CHILD:
            return code
    if here in line:
        await require_not_retired(session, destination)
        return None
    return next(
        (
            code
            for code, (relation, status) in relations.items()
            if relation == Relation.PARENT and status == PeerStatus.ACTIVE and code not in passed
        ),
        None,
    )


async def require_not_retired(session: AsyncSession, destination: str) -> None:
    """Make sure that something new may be sent to ``destination``.

    Raises:
        NodeRetired: if it is retired (409).
    """
    reason = await (await driver_connection(session)).fetchval(_RETIRED, destination)
    if reason is not None:
        raise NodeRetired(code=destination, reason=reason)


async def route_waiting(session: AsyncSession, peer: str | None = None) -> None:
    """Give the messages that had no next hop the one that they have now; only to ``peer`` if it is given."""
    here = OutboxMessage.hops[-1]["node"].astext  # the last hop is always this node
    waiting = await session.execute(
        select(here, OutboxMessage.destination).where(OutboxMessage.peer.is_(None)).distinct()
    )
    for node, destination in waiting.all():
        try:
            hop = await next_hop(session, node, destination)
        except NodeRetired:
            continue
        if hop is not None and peer in {None, hop}:
            await session.execute(
                update(OutboxMessage)
                .where(
                    OutboxMessage.peer.is_(None),
                    OutboxMessage.destination == destination,
                    ~OutboxMessage.hops.contains([{"node": hop}]),
                )
                .values(peer=hop)
            )


def unacknowledged() -> ColumnElement[bool]:
    """Return the condition that a message of the outbox is not known to have arrived at its next hop."""
    acknowledged = (
        select(LaneState.acknowledged)
        .where(
            LaneState.peer == OutboxMessage.peer,
            LaneState.lane == OutboxMessage.lane,
            LaneState.direction == Direction.OUT,
        )
        .scalar_subquery()
    )
    return or_(OutboxMessage.sequence.is_(None), OutboxMessage.sequence > acknowledged)


async def take_back(session: AsyncSession, code: str) -> None:
    """Route anew what a peer has not acknowledged, since it is none any more.

    It may have some of it already: the destination's inbox tells by origin and id.
    """
    await session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.peer == code, unacknowledged())
        .values(peer=None, sequence=None, link=None)
        .execution_options(synchronize_session=False)
    )
    await route_waiting(session)
    await notify(session, CHANNEL)


async def waiting_for(session: AsyncSession, code: str) -> int:
    """Return how many messages a peer has not acknowledged."""
    return (
        await session.scalar(
            select(func.count())
            .select_from(OutboxMessage)
            .where(OutboxMessage.peer == code, unacknowledged())
        )
        or 0
    )


async def last_arrival(session: AsyncSession, code: str) -> datetime | None:
    """Return when a peer last brought a message."""
    return await session.scalar(
        select(func.max(InboxMessage.received_at)).where(InboxMessage.peer == code)
    )
