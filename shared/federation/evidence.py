"""The day's heads: once a day two neighbours tell each other, signed, where each lane between them stands.

The *evidence* that nothing was added, lost or changed is the lanes' own chains (:mod:`shared.federation.lane`) with the
receipts for them (:mod:`shared.federation.receipt`). Both lie in the node's own database, where somebody with enough
rights could rewrite messages, links and receipts together. So each side keeps the other's word for the *head* of each
chain, day by day: who rewrites what a neighbour has heard is found out (:mod:`shared.federation.verification`).

The child begins; the parent keeps what it says and answers with its own.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import repository
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import Direction, Lane, LaneState
from shared.federation.post import PostOffice
from shared.federation.records import Head

HEADS = "guanxi.evidence.heads.v1"
_OTHER = {Direction.OUT: Direction.IN, Direction.IN: Direction.OUT}


async def tell_parent(session: AsyncSession, post: PostOffice, *, now: datetime) -> None:
    """Tell the parent, if there is one, where each lane with it stands."""
    parent = await repository.parent(session)
    if parent is not None:
        await post.post(
            session,
            HEADS,
            parent.code,
            {"heads": await _heads(session, parent.code)},
            lane=Lane.CONTROL,
            partition_key="evidence",
            now=now,
        )


async def handle(post: PostOffice, delivery: Delivery) -> None:
    """Keep a neighbour's heads; a parent answers with its own."""
    session, message = delivery.session, delivery.message
    peer = await repository.peer(session, message.source)
    if peer is None:
        raise MessageRefused(f"Node {message.source} is no neighbour of {post.code}.")
    for head in message.data["heads"]:
        await session.execute(
            insert(Head)
            .values(
                peer=peer.code,
                lane=Lane(head["lane"]),
                direction=_OTHER[Direction(head["direction"])],
                number=int(head["number"]),
                link=bytes.fromhex(head["link"]),
                at=message.time,
                message_id=message.id,
            )
            .on_conflict_do_nothing()
        )
    if not message.data.get("answers"):
        heads = await _heads(session, peer.code)
        await post.answer(delivery, HEADS, {"heads": heads, "answers": True}, lane=Lane.CONTROL)


async def _heads(session: AsyncSession, peer: str) -> list[dict[str, Any]]:
    """Return where each lane with ``peer`` stands: what it has acknowledged, and what was received from it."""
    found = await session.scalars(
        select(LaneState)
        .where(LaneState.peer == peer)
        .order_by(LaneState.lane, LaneState.direction)
    )
    heads = []
    for state in found:
        is_out = state.direction == Direction.OUT
        number = state.acknowledged if is_out else state.numbered
        link = state.acknowledged_link if is_out else state.link
        if number and link:
            heads.append(
                {
                    "lane": state.lane,
                    "direction": state.direction,
                    "number": number,
                    "link": link.hex(),
                }
            )
    return heads
