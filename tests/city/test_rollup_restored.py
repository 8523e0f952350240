"""A city that was restored from an old backup learns again which figures it had told."""

from sqlalchemy import select, text

from services.city_node.rollup.service import roll_up
from shared.federation.delivery import Delivery
from shared.federation.envelope import unpack
from shared.federation.models import OutboxMessage
from shared.statistics.messages import slice_handler
from shared.statistics.models import StatisticsSlice
from shared.statistics.period import Period
from tests.city.random_customers import random_people, settle_in
from tests.city.test_rollup_nation import CAPABILITIES
from tests.conftest import MakeNode, TestNode

DATASETS = ("customer", "revenue")
NOVEMBER = Period.parse("2026-11")


async def city_that_told(make_node: MakeNode) -> TestNode:
    node = await make_node("440300", CAPABILITIES)
    async with node.database.transaction() as session:
        await settle_in(session, node.code, random_people(node.code, 20))
    await roll_up(
        node.database, node.context.post, [NOVEMBER], datasets=DATASETS, now=node.clock.now()
    )
    return node


async def slices(node: TestNode) -> list[tuple[str, int, str]]:
    async with node.database.transaction() as session:
        found = await session.execute(
            select(StatisticsSlice.dataset, StatisticsSlice.revision, StatisticsSlice.hash)
            .where(StatisticsSlice.superseded_at.is_(None))
            .order_by(StatisticsSlice.dataset)
        )
        return [(row.dataset, row.revision, row.hash) for row in found]


async def forget(node: TestNode) -> None:
    async with node.database.transaction() as session:
        await session.execute(text("TRUNCATE statistics_slice CASCADE"))


async def hear_again(node: TestNode) -> None:
    """Let the city have its own messages back, as reconciling with its parent does."""
    assert slice_handler.recovered is not None
    async with node.database.transaction() as session:
        for envelope in await session.scalars(select(OutboxMessage.envelope)):
            delivery = Delivery(unpack(envelope), (), session, node.clock.now())
            await slice_handler.recovered(node.context, delivery)


async def test_what_was_told_is_known_again_and_counting_makes_nothing_new(
    make_node: MakeNode,
) -> None:
    node = await city_that_told(make_node)
    told = await slices(node)
    await forget(node)
    assert await slices(node) == []

    await hear_again(node)
    await hear_again(node)
    counted = await roll_up(
        node.database, node.context.post, [NOVEMBER], datasets=DATASETS, now=node.clock.now()
    )

    assert await slices(node) == told
    assert [each.changed for each in counted] == [False, False]


async def test_what_was_counted_otherwise_meanwhile_does_not_keep_the_rest_from_coming_back(
    make_node: MakeNode,
) -> None:
    node = await city_that_told(make_node)
    told = await slices(node)
    await forget(node)
    async with node.database.transaction() as session:
        await session.execute(
            text("UPDATE customer SET monthly_charge_fen = monthly_charge_fen + 1")
        )
        before = list(await session.scalars(select(OutboxMessage.position)))
    await roll_up(
        node.database, node.context.post, [NOVEMBER], datasets=DATASETS, now=node.clock.now()
    )
    counted = await slices(node)
    async with node.database.transaction() as session:
        await session.execute(
            text("DELETE FROM federation_outbox WHERE NOT position = ANY(:told)"), {"told": before}
        )

    await hear_again(node)

    assert counted[0] != told[0]
    assert await slices(node) == counted
