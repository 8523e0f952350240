"""How editions come to every node: passed down when they are published, and compared once a day.

A neighbour is believed in nothing but that it passes on what HQ signed.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import outbox
from shared.federation import repository as federation
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import Lane, Relation
from shared.federation.post import PostOffice
from shared.federation.statement import StatementInvalid
from shared.kernel.clock import business_day
from shared.kernel.ids import derived_id
from shared.kernel.settings import HQ_CODE
from shared.number_segment import repository
from shared.number_segment.edition import Edition

log = structlog.get_logger("number_segment")

PUBLISHED = "guanxi.number-segment.published.v1"
HELD = "guanxi.number-segment.held.v1"
MOST_AT_ONCE = 50
"""Editions that answer one word of what is held; whoever lacks more says so again when these have come."""
_PARTITION = "number-segment"
_NEWS = UUID("2d8b2a53-0f0c-5b6e-9a80-3f1d5d5a7c10")
_ONCE_A_DAY = UUID("71c4c3a6-7f0a-5e39-8b7e-2c6a3d1e9f21")


async def pass_down(
    session: AsyncSession, post: PostOffice, made: Edition, number: int, *, now: datetime
) -> None:
    """Send an edition that is new here to the children."""
    for child in await federation.peers(session, Relation.CHILD):
        await _send(session, post, made, number, child.code, because=_NEWS, now=now)


async def _send(
    session: AsyncSession,
    post: PostOffice,
    made: Edition,
    number: int,
    neighbour: str,
    *,
    because: UUID,
    now: datetime,
) -> None:
    await post.post(
        session,
        PUBLISHED,
        neighbour,
        made.as_data(),
        lane=Lane.CONTROL,
        partition_key=_PARTITION,
        subject=f"number-segment/{number}",
        now=now,
        message_id=derived_id(because, post.code, neighbour, str(number)),
        also_retired=True,
    )


async def take_in(post: PostOffice, delivery: Delivery, *, is_news: bool = True) -> None:
    """Apply an edition that a neighbour passed on, if it is the next one, and pass it down.

    Args:
        post: this node's.
        delivery: the message with it.
        is_news: whether the children are to hear of it: not if this node knows again what it had sent them.

    Raises:
        MessageRefused: if it is malformed, not HQ's, or differs from what is known here under its number.
    """
    session, now = delivery.session, delivery.now
    try:
        made = Edition.of(delivery.message.data)
        said = made.said()
        await made.require_signed(session, post, HQ_CODE, at=said.published_at)
    except StatementInvalid as error:
        raise MessageRefused(
            f"The edition of number segments from {delivery.message.source} is refused: {error}."
        ) from None
    await repository.lock_table(session)
    held = await repository.version(session)
    if said.number > held + 1:
        log.info("an edition of number segments came early", number=said.number, held=held)
        return
    if said.number <= held:
        known = await repository.edition(session, said.number)
        if known is not None and known.content != made.content:
            raise MessageRefused(
                f"Edition {said.number} of the number segments is known here as something else: HQ publishes those segments anew."
            )
        return
    await repository.apply(session, made, said, now=now)
    if is_news:
        await pass_down(session, post, made, said.number, now=now)
    log.info("edition of number segments applied", number=said.number)
    if delivery.message.data.get("more"):
        await _tell(session, post, delivery.message.source, delivery.message.id, now=now)


async def tell_parent(session: AsyncSession, post: PostOffice, *, now: datetime) -> None:
    """Tell the parent which version is held here, once a day and after each joining."""
    for parent in await federation.peers(session, Relation.PARENT):
        since, today = parent.enrolled_at.isoformat(), business_day(now).isoformat()
        because = derived_id(_ONCE_A_DAY, since, today)
        await _tell(session, post, parent.code, because, now=now)


async def _tell(
    session: AsyncSession, post: PostOffice, neighbour: str, because: UUID, *, now: datetime
) -> None:
    message_id = derived_id(because, post.code, neighbour, HELD)
    if await outbox.has_posted(session, message_id):
        return
    await post.post(
        session,
        HELD,
        neighbour,
        {"version": await repository.version(session)},
        lane=Lane.CONTROL,
        partition_key=_PARTITION,
        now=now,
        message_id=message_id,
        also_retired=True,
    )


async def handle_held(post: PostOffice, delivery: Delivery) -> None:
    """Send a neighbour the editions that it lacks; if it has more than this node, say in turn what is held here.

    Raises:
        MessageRefused: if it is no neighbour, or does not say which version it holds.
    """
    session, neighbour = delivery.session, delivery.message.source
    peers: Sequence[str] = [
        peer.code for relation in Relation for peer in await federation.peers(session, relation)
    ]
    version = delivery.message.data.get("version")
    if neighbour not in peers or not isinstance(version, int) or version < 0:
        raise MessageRefused(
            f"{neighbour} is no neighbour of {post.code}, or does not say in `version` what it holds."
        )
    held = await repository.version(session)
    if version > held:
        await _tell(session, post, neighbour, delivery.message.id, now=delivery.now)
        return
    lacking = await repository.editions_after(session, version, most=MOST_AT_ONCE)
    for place, made in enumerate(lacking, start=version + 1):
        is_last = place == version + len(lacking)
        data = {**made.as_data(), "more": is_last and place < held}
        await post.post(
            session,
            PUBLISHED,
            neighbour,
            data,
            lane=Lane.CONTROL,
            partition_key=_PARTITION,
            subject=f"number-segment/{place}",
            now=delivery.now,
            message_id=derived_id(delivery.message.id, post.code, neighbour, str(place)),
            also_retired=True,
        )
