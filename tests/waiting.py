"""Exchanges of a node with its parent where something waits, which is looked up in the tables: cheaper than asking."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.federation.models import Lane
from shared.kernel.database import Database

if TYPE_CHECKING:
    from tests.conftest import TestNode

_PARENT = "SELECT code FROM federation_peer WHERE relation = 'parent' ORDER BY status LIMIT 1"
_WAITING = """
    SELECT DISTINCT o.lane FROM federation_outbox o
    LEFT JOIN federation_lane l ON l.peer = o.peer AND l.lane = o.lane AND l.direction = 'out'
    WHERE o.peer IS NULL OR o.peer = $1 AND (o.sequence IS NULL OR o.sequence > coalesce(l.acknowledged, 0))"""


async def exchange(node: "TestNode", nodes: "Mapping[str, TestNode]", *, in_full: bool) -> int:
    """Let a node push to its parent, if it has joined one, and poll it; returns how many messages moved.

    Args:
        node: the child.
        nodes: where its parent is found, if it runs here.
        in_full: whether every lane is tried, and not only those that have something for the other.

    Raises:
        LinkDown: if the parent cannot be reached or refuses.
    """
    pool = await node.database.pool()
    parent = await pool.fetchval(_PARENT)
    if parent is None:
        return 0
    above = nodes.get(parent)
    up = set(Lane) if in_full else await _waiting(node.database, parent)
    down = in_full or above is None or await _waiting(above.database, node.code)
    moved = 0
    for lane in Lane:
        moved += await node.node.dialler.push(lane) if lane in up else 0
    return moved + (await node.node.dialler.poll(wait=0) if down else 0)


async def _waiting(database: Database, peer: str) -> set[Lane]:
    pool = await database.pool()
    return {Lane(row["lane"]) for row in await pool.fetch(_WAITING, peer)}
