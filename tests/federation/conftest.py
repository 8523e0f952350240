"""A capability that only counts, so that the federation is tested without any business."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, Uuid, insert, select

from shared.capability import Capability, MessageHandler, NodeContext
from shared.federation import enrolment, repository
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import InboxMessage, InboxState, Lane, RegistryEntry
from shared.kernel.language import Text as Words
from tests.conftest import Nation, TestNode


def case_name(value: object) -> str | None:
    """Name a case the same in every process: by what it changes, not by the random keys in it."""
    if isinstance(value, dict):
        return "+".join(str(name) for name in value)
    return value if isinstance(value, str) else None


COUNTED = "test.counted.v1"
ECHOED = "test.echoed.v1"
SUMMED = "test.summed.v1"
TOGETHER = "together"
"""Kind of the effect that tells how many messages were handled at once."""

effects = Table(
    "test_effect",
    MetaData(),
    Column("position", BigInteger, primary_key=True, autoincrement=True),
    Column("message_id", Uuid),
    Column("source", Text),
    Column("number", BigInteger),
    Column("kind", Text),
)


async def _count(context: NodeContext, delivery: Delivery) -> None:
    message = delivery.message
    number = message.data["number"]
    if message.data.get("poison"):
        raise MessageRefused(f"Number {number} is poison.")
    if message.data.get("defect"):
        raise KeyError("a defect of the handler")
    await delivery.session.execute(
        insert(effects).values(
            message_id=message.id, source=message.source, number=number, kind=message.type
        )
    )
    if message.type == COUNTED:
        await context.post.answer(delivery, ECHOED, {"number": number}, lane=Lane.REQUEST)


async def _sum(context: NodeContext, deliveries: Sequence[Delivery]) -> None:
    """Count several at once; the database tells how many by one row more for all of them."""
    for delivery in deliveries:
        await _count(context, delivery)
    several = {"message_id": None, "source": "", "kind": TOGETHER, "number": len(deliveries)}
    await deliveries[0].session.execute(insert(effects).values(several))


async def _make_table(context: NodeContext) -> None:
    async with context.database.engine.begin() as connection:
        await connection.run_sync(effects.metadata.create_all)


COUNTING = Capability(
    name="counting",
    summary=Words("Counts what arrives", "计数"),
    messages=(
        MessageHandler(COUNTED, Words("a number", "数"), _count),
        MessageHandler(ECHOED, Words("a number", "数"), _count),
        MessageHandler(SUMMED, Words("a number", "数"), _count, transit=True, handle_together=_sum),
    ),
    on_start=(_make_table,),
)


async def post_numbers(
    node: TestNode,
    destination: str,
    *numbers: int,
    lane: Lane = Lane.REQUEST,
    key: str = "k",
    type_: str = COUNTED,
    **more: object,
) -> None:
    """Post numbers, each in a transaction of its own."""
    for number in numbers:
        async with node.database.transaction() as session:
            await node.context.post.post(
                session,
                type_,
                destination,
                {"number": number, **more},
                lane=lane,
                partition_key=key,
                now=node.clock.now(),
            )


async def numbers_at(node: TestNode, kind: str = COUNTED) -> list[int]:
    """Return the numbers whose effect a node has seen, in the order it saw them."""
    async with node.database.transaction() as session:
        return list(
            await session.scalars(
                select(effects.c.number).where(effects.c.kind == kind).order_by(effects.c.position)
            )
        )


async def parked_at(node: TestNode) -> list[InboxMessage]:
    """What is parked at a node, in order of arrival."""
    async with node.database.transaction() as session:
        return list(
            await session.scalars(
                select(InboxMessage)
                .where(InboxMessage.state == InboxState.PARKED)
                .order_by(InboxMessage.arrival)
            )
        )


@pytest.fixture
async def line(nation_of: Callable[..., Awaitable[Nation]]) -> Nation:
    """HQ, Guangdong and Shenzhen, enrolled, with nothing but counting."""
    return await nation_of("000000", "440000", "440300")


@pytest.fixture
def nation_of(joined: Callable[..., Awaitable[Nation]]) -> Callable[..., Awaitable[Nation]]:
    """Make an enrolled federation of the given codes that only counts."""

    async def make(*codes: str) -> Nation:
        return await joined(codes, [COUNTING])

    return make


ALL = ("000000", "440000", "110000", "440300", "110100")


@pytest.fixture
async def two(nation_of: Callable[..., Awaitable[Nation]]) -> Nation:
    """HQ and two provinces with a city each."""
    return await nation_of(*ALL)


async def entry_at(node: TestNode, code: str) -> RegistryEntry:
    """What a node's registry says of another."""
    async with node.database.transaction() as session:
        found = await repository.entry(session, code)
    assert found is not None
    return found


async def peer_status(node: TestNode, code: str) -> str | None:
    """What a neighbour is to a node."""
    async with node.database.transaction() as session:
        peer = await repository.peer(session, code)
    return peer.status if peer else None


async def ask(city: TestNode, province: TestNode) -> None:
    """Let a city ask to join once."""
    async with province.database.transaction() as session:
        invitation = await enrolment.invite(
            session, province.context.post, city.code, by="one", now=province.clock.now()
        )
    await city.node.dialler.enrol(f"http://{province.code}", invitation)


MINUTE = timedelta(minutes=1)
