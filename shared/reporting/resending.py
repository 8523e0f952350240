"""Resending: a slice comes again, whole, to whoever lacks it or has it damaged.

A city is asked by a node above it; a city that lacks what it once said is sent it by its parent. Every node on the way
keeps it. What comes is verified as at the first time, and the facts of a slice that is known are written anew.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import tree
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import Lane
from shared.federation.post import PostOffice
from shared.federation.problems import NodeRetired
from shared.reporting import difference, sharing
from shared.reporting.difference import Key
from shared.statistics import reading, repository
from shared.statistics.period import PeriodInvalid
from shared.statistics.repository import Outcome, RevisionConflict
from shared.statistics.schemas import SliceMessage
from shared.statistics.slices import SliceInvalid

log = structlog.get_logger("reporting")

WANTED = "guanxi.reporting.wanted.v1"
AGAIN = "guanxi.reporting.slice-again.v1"


async def tell(
    session: AsyncSession,
    post: PostOffice,
    type_: str,
    destination: str,
    data: Mapping[str, Any],
    *,
    now: datetime,
    lane: Lane = Lane.ROLLUP,
    key: str,
) -> None:
    """Say something to another node about what is held, unless it is retired.

    Nothing of it waits behind what was refused: the next night says it anew.
    """
    try:
        await post.post(
            session,
            type_,
            destination,
            data,
            lane=lane,
            partition_key=f"reporting/{key}/{now.timestamp():.6f}",
            now=now,
        )
    except NodeRetired:
        log.info("a node that is retired is not compared with", node=destination)


async def send_wanted(post: PostOffice, delivery: Delivery) -> None:
    """At a node below: send again what a node above asks for.

    Raises:
        MessageRefused: if it is not above this node.
    """
    session, data, now = delivery.session, delivery.message.data, delivery.now
    source = delivery.message.source
    lines = (await tree.lines(session, [post.code]))[post.code]
    if all(source not in line[1:] for line in lines):
        raise MessageRefused(f"Node {source} is not above {post.code}.")
    for period, dataset, revision in data.get("slices", ()):
        await send_again(session, post, (post.code, period, dataset, revision), source, now=now)
    for statement, said in await sharing.by_digest(session, data.get("statements", ())):
        because = delivery.message.id
        await sharing.send(session, post, statement, said, source, now=now, because=because)


async def send_again(
    session: AsyncSession,
    post: PostOffice,
    which: Key,
    destination: str,
    *,
    now: datetime,
) -> None:
    """Send a slice again, if it is here and whole."""
    node, period, dataset, revision = which
    found = await reading.load(session, node, period, dataset, revision)
    if found is None:
        log.warning("a slice that is wanted is not here", node=node, period=period, dataset=dataset)
        return
    data = SliceMessage.of(found)
    key = f"{node}/{dataset}/{period}"
    await tell(session, post, AGAIN, destination, data, now=now, lane=Lane.BULK, key=key)


async def take_again(delivery: Delivery) -> None:
    """Keep a slice that came again: from its city, or, at that city and on the way to it, from a node above.

    Raises:
        MessageRefused: if it is malformed, disagrees with itself, is not the sender's to send, or contradicts what is
            known under the same revision.
    """
    session, now = delivery.session, delivery.now
    source = delivery.message.source
    try:
        message = SliceMessage.read(delivery.message.data)
        lines = (await tree.lines(session, [message.node]))[message.node]
        if all(source not in line for line in lines):
            raise MessageRefused(f"{source} is neither {message.node} nor above it.")
        slice_ = message.verified()
        outcome = await repository.store(session, slice_, received_at=now)
    except (ValidationError, SliceInvalid, PeriodInvalid, RevisionConflict) as error:
        raise MessageRefused(f"The slice from {source} is refused: {error}") from error
    if outcome is Outcome.KNOWN:
        await repository.replace_facts(session, slice_)
    content = slice_.content
    which = (content.node, str(content.period), content.dataset, slice_.revision)
    await difference.note_whole(session, which, now=now)
    log.info("slice received again", slice=slice_.name, outcome=outcome.value)
