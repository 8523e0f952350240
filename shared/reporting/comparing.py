"""The nightly comparison: neighbours find what differs between what they hold, and repair it.

1. Each node checks for itself that the facts of its slices add up to what their register says; what does not is
   *damaged*, and is treated as if it were not there.
2. A child tells its parent a digest of each month: of what it holds of its cities (period, dataset, revision and hash
   of what is in force or waits) and of what was said about these months.
3. Where the parent's own digest is another, it answers with its digest of each city; the child lists what it holds of
   the cities that differ.
4. The parent asks the city for what it lacks, and sends the city what that lacks: a slice comes *again*, whole and
   verified, and every node on its way keeps it. Statements are evened out in the same way.

Digests and lists travel on the lane of the slices. So when one is read, all that its sender had sent before is here,
and what differs then is no matter of time. Differences are kept until they are repaired, counted, and seen on the
board. Of recent months HQ also adds up itself what its provinces say their cities come to.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import repository as federation
from shared.federation import tree
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import Lane, Relation
from shared.federation.post import PostOffice
from shared.reporting import difference, sharing
from shared.reporting.holding import (
    Line,
    cities_held,
    digests,
    kept,
    lines_of,
    months_of,
    of_month,
)
from shared.reporting.models import Fault
from shared.reporting.resending import WANTED, send_again, tell

log = structlog.get_logger("reporting")

DIGEST = "guanxi.reporting.digest.v1"
DIFFERS = "guanxi.reporting.digest-differs.v1"
LISTED = "guanxi.reporting.listed.v1"

_BETWEEN = (Fault.LACKING, Fault.UNKNOWN, Fault.CONTRADICTED)
"""Faults between two nodes, which are none any more once their digests are the same."""


async def tell_parent(session: AsyncSession, post: PostOffice, *, now: datetime) -> None:
    """Tell the parent what this node holds of itself, or of its cities."""
    parent = await federation.parent(session)
    if parent is None:
        return
    nodes = await cities_held(session, post.code)
    months = months_of(now)
    held = await digests(session, nodes, months)
    data = {"nodes": nodes, "months": {month: of_month(held[month]) for month in months}}
    await tell(session, post, DIGEST, parent.code, data, now=now, key="compare")


async def compare(post: PostOffice, delivery: Delivery) -> None:
    """At the parent: answer with this node's digests of the months that differ.

    Raises:
        MessageRefused: if it does not come from a child, or speaks of nodes that are not below it.
    """
    session, data = delivery.session, delivery.message.data
    nodes = await cities_below(delivery, data.get("nodes"))
    theirs = _texts(delivery, data.get("months"))
    ours = await digests(session, nodes, list(theirs))
    differing = {m: ours[m] for m, digest in theirs.items() if of_month(ours[m]) != digest}
    same = [month for month in theirs if month not in differing]
    source, now = delivery.message.source, delivery.now
    await difference.note_agreed(session, nodes, same, _BETWEEN, peer=source, now=now)
    if differing:
        log.warning("what is held differs", child=delivery.message.source, months=sorted(differing))
        await tell(
            session,
            post,
            DIFFERS,
            delivery.message.source,
            {"nodes": nodes, "months": differing},
            now=delivery.now,
            key="compare",
        )


async def list_what_differs(post: PostOffice, delivery: Delivery) -> None:
    """At the child: list what it holds of the cities whose digests differ.

    Raises:
        MessageRefused: if it does not come from the parent.
    """
    session, data = delivery.session, delivery.message.data
    parent = await federation.parent(session)
    if parent is None or delivery.message.source != parent.code:
        raise MessageRefused(f"Node {delivery.message.source} is not the parent of {post.code}.")
    nodes = sorted({*await cities_held(session, post.code)} & {*data.get("nodes", ())})
    months: dict[str, dict[str, str]] = data.get("months", {})
    ours = await digests(session, nodes, list(months))
    for month, theirs in months.items():
        for node in nodes:
            if ours[month].get(node) != theirs.get(node):
                listed = {
                    "month": month,
                    "node": node,
                    "slices": await lines_of(session, node, month),
                    "statements": [d for d, _ in await sharing.statements(session, month, [node])],
                }
                await tell(
                    session, post, LISTED, parent.code, listed, now=delivery.now, key="compare"
                )


async def even_out(post: PostOffice, delivery: Delivery) -> None:
    """At the parent: ask for what this node lacks of a city's month, and send what the child lacks.

    Raises:
        MessageRefused: if it does not come from a child, or is malformed.
    """
    session, data, now = delivery.session, delivery.message.data, delivery.now
    source, month = delivery.message.source, str(data.get("month"))
    (node,) = await cities_below(delivery, [data.get("node")])
    try:
        theirs = {(str(p), str(d), int(r), str(h)) for p, d, r, h in data["slices"]}
        said = {str(each) for each in data["statements"]}
    except (KeyError, TypeError, ValueError):
        raise MessageRefused(f"{source} does not list what it holds of {node}.") from None
    ours = set(await lines_of(session, node, month))
    whole = await kept(session, node, month)
    lacking = [each for each in sorted(theirs) if each[:3] not in whole]
    contradicted = [each for each in sorted(theirs) if whole.get(each[:3], each[3]) != each[3]]
    unknown = [each for each in sorted(ours) if _is_unknown(each, theirs)]
    for fault, lines in (
        (Fault.LACKING, lacking),
        (Fault.CONTRADICTED, contradicted),
        (Fault.UNKNOWN, unknown),
    ):
        keys = [(node, *each[:3]) for each in lines]
        await difference.note(session, keys, fault, peer=source, now=now)
    if lacking:
        wanted = {"slices": [each[:3] for each in lacking], "statements": []}
        await tell(session, post, WANTED, node, wanted, now=now, lane=Lane.BULK, key="wanted")
    for period, dataset, revision, _ in unknown:
        await send_again(session, post, (node, period, dataset, revision), node, now=now)
    heard = {digest for digest, _ in await sharing.statements(session, month, [node])}
    for statement, each in await sharing.by_digest(session, heard - said):
        because = delivery.message.id
        await sharing.send(session, post, statement, each, source, now=now, because=because)
    if said - heard:
        lacked = sorted(said - heard)
        asked = {"slices": [], "statements": lacked}
        await tell(session, post, WANTED, source, asked, now=now, lane=Lane.BULK, key="wanted")


def _is_unknown(line: Line, theirs: Collection[Line]) -> bool:
    """Tell whether a slice is none of theirs; older ones than they list they may well have."""
    period, dataset, revision, _ = line
    listed = [each[2] for each in theirs if each[:2] == (period, dataset)]
    return not listed or (revision not in listed and revision > min(listed))


async def cities_below(delivery: Delivery, nodes: Any) -> list[str]:
    """Return the nodes that a child speaks of.

    Raises:
        MessageRefused: if it is no child, or one of them is neither it nor below it.
    """
    session, source = delivery.session, delivery.message.source
    peer = await federation.peer(session, source)
    if peer is None or peer.relation != Relation.CHILD:
        raise MessageRefused(f"Node {source} is no child of this node.")
    if not isinstance(nodes, list) or not all(isinstance(each, str) for each in nodes):
        raise MessageRefused(f"{source} does not say of which nodes it speaks.")
    lines = await tree.lines(session, nodes)
    foreign = [node for node in nodes if all(source not in line for line in lines[node])]
    if foreign:
        raise MessageRefused(f"{source} speaks of {', '.join(foreign)}, which are not below it.")
    return nodes


def _texts(delivery: Delivery, given: Any) -> dict[str, str]:
    if not isinstance(given, dict) or not all(isinstance(each, str) for each in given.values()):
        raise MessageRefused(f"{delivery.message.source} does not tell digests of months.")
    return given
