"""How statements come to the three nodes whom they concern: the city, its province and HQ.

HQ says what it says to the city, and the province keeps it as it passes; a province says it to the city and to HQ. The
nightly comparison (:mod:`~shared.reporting.comparing`) brings what was lost in a restore, or was said before a city
joined. Everybody checks the publisher's signature, whoever brings it.
"""

import contextlib
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import tree
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import Lane
from shared.federation.post import PostOffice
from shared.federation.problems import NodeRetired
from shared.federation.statement import StatementInvalid
from shared.kernel.ids import derived_id
from shared.kernel.settings import HQ_CODE
from shared.reporting.models import ReportingStatement
from shared.reporting.statement import Said, Statement, standing_of
from shared.statistics import standing

log = structlog.get_logger("reporting")

STATEMENT = "guanxi.reporting.statement.v1"
_LOCK = 0x636C6F7365
"""Advisory lock of whoever says something about months."""
_NEWS = UUID("6c2f1f0e-93a4-5b52-8a44-3f6f8e6b0c17")


async def take_turn(session: AsyncSession) -> None:
    """Let nobody else of this node say anything about months until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def publish(
    session: AsyncSession, post: PostOffice, sayings: Sequence[Said], *, now: datetime
) -> None:
    """Sign what this node says about a month, keep it, put it into effect, and tell those whom it concerns."""
    statements = [Statement.made(said, post.key, post.code) for said in sayings]
    await _add(session, list(zip(statements, sayings, strict=True)), now=now)
    await put_into_effect(session, sayings[0].month, {said.node for said in sayings}, now=now)
    for statement, said in zip(statements, sayings, strict=True):
        for neighbour in {said.node, HQ_CODE} - {post.code}:
            # HQ keeps what it says of a city that is gone, and its province compares.
            with contextlib.suppress(NodeRetired):
                await send(session, post, statement, said, neighbour, now=now)


async def send(
    session: AsyncSession,
    post: PostOffice,
    statement: Statement,
    said: Said,
    destination: str,
    *,
    now: datetime,
    because: UUID = _NEWS,
) -> None:
    """Send a statement to a node; what passes on the way keeps it too."""
    await post.post(
        session,
        STATEMENT,
        destination,
        statement.as_data(),
        lane=Lane.CONTROL,
        # Nothing needs an order, and so nothing waits behind one that is refused.
        partition_key=f"reporting/{statement.digest}",
        subject=f"{said.month}/{said.node}",
        now=now,
        message_id=derived_id(because, post.code, destination, statement.digest),
    )


async def take_in(post: PostOffice, delivery: Delivery) -> None:
    """Keep a statement that is its publisher's, and put it into effect.

    Raises:
        MessageRefused: if it is malformed, not signed by its publisher, or not that node's to say.
    """
    session, now = delivery.session, delivery.now
    try:
        statement = Statement.of(delivery.message.data)
        said = statement.said()
        await statement.require_signed(session, post, said.publisher, at=said.said_at)
        await _require_above(session, said.publisher, said.node)
    except StatementInvalid as error:
        raise MessageRefused(
            f"The statement about a month from {delivery.message.source} is refused: {error}."
        ) from None
    if await _add(session, [(statement, said)], now=now):
        log.info(
            "statement about a month received",
            kind=said.kind,
            node=said.node,
            month=said.month,
            publisher=said.publisher,
        )
        await put_into_effect(session, said.month, [said.node], now=now)


async def _require_above(session: AsyncSession, publisher: str, node: str) -> None:
    lines = (await tree.lines(session, [node]))[node]
    if all(publisher not in line[1:] for line in lines):
        raise StatementInvalid(f"{publisher} is not above {node}")


async def put_into_effect(
    session: AsyncSession, month: str, nodes: Collection[str], *, now: datetime
) -> None:
    """Let what follows from the statements about a month hold for these cities."""
    said = await statements(session, month, nodes)
    held = {
        node: standing_of([(digest, each) for digest, each in said if each.node == node])
        for node in nodes
    }
    limits = {
        node: None if each.revisions is None else (each.number, each.revisions)
        for node, each in held.items()
    }
    await standing.keep_limits(session, month, limits, now=now)


async def statements(
    session: AsyncSession, month: str, nodes: Collection[str]
) -> list[tuple[str, Said]]:
    """Return what was said of these cities' month, with digests."""
    rows = await session.execute(
        select(
            ReportingStatement.digest, ReportingStatement.content, ReportingStatement.signature
        ).where(ReportingStatement.month == month, ReportingStatement.node.in_(nodes))
    )
    return [(digest, Statement(content, signature).said()) for digest, content, signature in rows]


async def by_digest(
    session: AsyncSession, digests: Collection[str]
) -> list[tuple[Statement, Said]]:
    """Return statements by their digests."""
    rows = await session.execute(
        select(ReportingStatement.content, ReportingStatement.signature)
        .where(ReportingStatement.digest.in_(digests))
        .order_by(ReportingStatement.said_at)
    )
    found = [Statement(content, signature) for content, signature in rows]
    return [(each, each.said()) for each in found]


_COLUMNS = (
    "kind", "publisher", "node", "month", "number", "period", "dataset", "revision", "reason", "said_at", "said_by",
)  # fmt: skip


async def _add(
    session: AsyncSession, said: Sequence[tuple[Statement, Said]], *, now: datetime
) -> bool:
    """Keep statements; tells whether any of them is new here."""
    rows = [
        {
            "digest": statement.digest,
            "content": statement.content,
            "signature": statement.signature,
            "received_at": now,
            **{name: getattr(each, name) for name in _COLUMNS},
        }
        for statement, each in said
    ]
    added = await session.execute(
        insert(ReportingStatement)
        .values(rows)
        .on_conflict_do_nothing()
        .returning(ReportingStatement.digest)
    )
    return bool(added.all())
