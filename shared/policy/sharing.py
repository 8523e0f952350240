"""How statements come to those whom they concern: passed on when they are made, and compared once a day.

A statement concerns its publisher, those above it up to HQ, and all below it. A node that hears one for the first time
passes it to its children if the publisher is itself or above it, and to its parent if the publisher is itself or below
it. Once a day, and after each joining, a child tells its parent what it *holds*; the parent sends what the child lacks
and asks for what it lacks itself. So a node that joins late, or was restored from a backup, comes to hold what it
should.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import outbox, tree
from shared.federation import repository as federation
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import Lane, Relation
from shared.federation.post import PostOffice
from shared.federation.statement import StatementInvalid
from shared.kernel.clock import business_day
from shared.kernel.ids import derived_id
from shared.policy import repository
from shared.policy.statement import Published, Statement, Withdrawn

log = structlog.get_logger("policy")

PUBLISHED = "guanxi.policy.published.v1"
WITHDRAWN = "guanxi.policy.withdrawn.v1"
HELD = "guanxi.policy.held.v1"
WANTED = "guanxi.policy.wanted.v1"

_NEWS = UUID("0c7e6f58-6a3d-5c53-9a44-0d1f7c9b2e61")
_ONCE_A_DAY = UUID("5f0a8f0d-2f5b-5d8e-8a86-7f7a3f0b6c12")


async def pass_on(
    session: AsyncSession,
    post: PostOffice,
    statement: Statement,
    said: Published | Withdrawn,
    *,
    now: datetime,
) -> None:
    """Send a statement that is new here to the neighbours whom it concerns."""
    lines = await tree.lines(session, [post.code, said.publisher])
    neighbours: list[str] = []
    if said.publisher in lines[post.code][0]:
        neighbours += [peer.code for peer in await federation.peers(session, Relation.CHILD)]
    if post.code in lines[said.publisher][0]:
        neighbours += [peer.code for peer in await federation.peers(session, Relation.PARENT)]
    for neighbour in neighbours:
        await _send(session, post, statement, neighbour, now=now)


async def _send(
    session: AsyncSession,
    post: PostOffice,
    statement: Statement,
    neighbour: str,
    *,
    now: datetime,
    because: UUID = _NEWS,
) -> None:
    said = statement.said()
    message_id = derived_id(because, post.code, neighbour, statement.digest)
    await post.post(
        session,
        PUBLISHED if isinstance(said, Published) else WITHDRAWN,
        neighbour,
        statement.as_data(),
        lane=Lane.CONTROL,
        # Nothing needs an order, and so nothing waits behind one that is refused.
        partition_key=f"policy/{message_id}",
        subject=f"{said.kind}/{said.publisher}",
        now=now,
        message_id=message_id,
        also_retired=True,
    )


async def take_in(post: PostOffice, delivery: Delivery) -> None:
    """Keep a statement that a neighbour passed on, and pass it on if it is new here.

    Raises:
        MessageRefused: if it is malformed, or not signed by its publisher.
    """
    statement, said, is_new = await keep(post, delivery)
    if is_new:
        log.info(
            "policy statement received",
            kind=said.kind,
            publisher=said.publisher,
            digest=statement.digest,
        )
        await pass_on(delivery.session, post, statement, said, now=delivery.now)


async def keep(
    post: PostOffice, delivery: Delivery
) -> tuple[Statement, Published | Withdrawn, bool]:
    """Keep the statement in a message if it is its publisher's; tells whether it is new here.

    Raises:
        MessageRefused: if it is malformed, or not signed by its publisher.
    """
    session, now = delivery.session, delivery.now
    try:
        statement = Statement.of(delivery.message.data)
        said = statement.said()
        await statement.require_signed(session, post, said.publisher, at=said.said_at)
    except StatementInvalid as error:
        raise MessageRefused(
            f"The statement about a policy from {delivery.message.source} is refused: {error}."
        ) from None
    if isinstance(said, Published):
        is_new = await repository.add_published(session, statement, said, now=now)
    else:
        is_new = await repository.add_withdrawn(session, statement, said, now=now)
    return statement, said, is_new


async def tell_parent(session: AsyncSession, post: PostOffice, *, now: datetime) -> None:
    """Tell the parent what this node holds of what concerns the two, once a day and after each joining."""
    for parent in await federation.peers(session, Relation.PARENT):
        since, today = parent.enrolled_at.isoformat(), business_day(now).isoformat()
        message_id = derived_id(_ONCE_A_DAY, post.code, parent.code, since, today)
        if await outbox.has_posted(session, message_id):
            continue
        shared = await _concerning(session, post.code)
        await post.post(
            session,
            HELD,
            parent.code,
            {"digests": shared},
            lane=Lane.CONTROL,
            partition_key="policy/held",
            now=now,
            message_id=message_id,
        )


async def _concerning(session: AsyncSession, node: str) -> list[str]:
    """Return the digests that are known here of what concerns ``node``: from above it, itself and below."""
    known = await repository.digests(session)
    lines = await tree.lines(session, {node, *(publisher for publisher, _ in known)})
    return [
        digest
        for publisher, digest in known
        if publisher in lines[node][0] or node in lines[publisher][0]
    ]


async def handle_held(post: PostOffice, delivery: Delivery) -> None:
    """At a parent: send a child what it lacks, and ask it for what this node lacks.

    Raises:
        MessageRefused: if it is no child, or does not say what it holds.
    """
    session, child = delivery.session, delivery.message.source
    children = {peer.code for peer in await federation.peers(session, Relation.CHILD)}
    if child not in children:
        raise MessageRefused(f"Node {child} is no child of {post.code}: it tells its own parent.")
    held = _digests_in(delivery)
    lacking = [each for each in await _concerning(session, child) if each not in held]
    await _send_all(session, post, lacking, child, delivery)
    known = {digest for _, digest in await repository.digests(session)}
    wanted = sorted(held - known)
    if wanted:
        await post.answer(delivery, WANTED, {"digests": wanted}, lane=Lane.CONTROL)


async def handle_wanted(post: PostOffice, delivery: Delivery) -> None:
    """At a child: send the parent what it asks for.

    Raises:
        MessageRefused: if it is not the parent, or does not say what it wants.
    """
    session, parent = delivery.session, delivery.message.source
    if parent not in {peer.code for peer in await federation.peers(session, Relation.PARENT)}:
        raise MessageRefused(f"Node {parent} is not the parent of {post.code}.")
    asked = _digests_in(delivery)
    mine = [each for each in await _concerning(session, post.code) if each in asked]
    await _send_all(session, post, mine, parent, delivery)


async def _send_all(
    session: AsyncSession,
    post: PostOffice,
    digests: Iterable[str],
    neighbour: str,
    delivery: Delivery,
) -> None:
    for statement in await repository.statements(session, list(digests)):
        await _send(
            session, post, statement, neighbour, now=delivery.now, because=delivery.message.id
        )


def _digests_in(delivery: Delivery) -> set[str]:
    digests = delivery.message.data.get("digests")
    if not isinstance(digests, list) or not all(isinstance(each, str) for each in digests):
        raise MessageRefused(
            f"{delivery.message.source} does not say in `digests` which statements it means."
        )
    return set(digests)
