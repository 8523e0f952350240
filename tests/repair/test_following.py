"""A handset of a customer who has moved: the question goes on to the new home, and everything after it."""

import pytest

from services.city_node.service_request import finding
from services.city_node.service_request.kind import MOVED
from shared.federation.delivery import Delivery
from tests.city.two_cities import HOME, MSISDN, STRANGER, VISITED, add_line
from tests.repair.workshop import RECALLED, Workshops


@pytest.fixture
async def moved(shop: Workshops) -> Workshops:
    """The customer has moved from the home city to another."""
    pool = await shop.home.context.database.pool()
    await pool.execute("UPDATE subscription SET status = 'ended', ended_on = '2026-11-01'")
    context = shop.home.context
    async with shop.home.transaction() as session:
        now = shop.clock.now()
        await finding.note_moved(session, context.cipher, MSISDN, STRANGER, epoch=2, now=now)
    await add_line(shop.cities[STRANGER], MSISDN, place=9)
    return shop


@pytest.mark.parametrize("times", [1, 3])
async def test_the_new_home_decides_and_bears(moved: Workshops, times: int) -> None:
    request_id = await moved.ask()
    await moved.settle(times=times)
    request = await moved.visited.request(request_id)
    assert (request.state, request.home) == ("confirmed", STRANGER)
    assert (await moved.home.request(request_id)).refusal_code == MOVED
    await moved.estimate(request_id)
    await moved.agree(request_id)
    await moved.repaired(request_id)
    await moved.hand_back(request_id)
    await moved.settle(times=times)
    assert await moved.visited.state(request_id) == "completed"
    assert await moved.recorded() == []
    rows = await moved.cities[STRANGER].fetch("SELECT request_id FROM repair_record")
    assert [row["request_id"] for row in rows] == [request_id]


async def test_a_restored_city_finds_where_it_had_asked_last(moved: Workshops) -> None:
    request_id = await moved.ask()
    delivered = await moved.settle()
    pool = await moved.visited.context.database.pool()
    for table in ("repair_ticket", "service_request_event", "service_request"):
        await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
    for message in delivered:
        if message.source == VISITED:
            recover = RECALLED[message.type]
            assert recover is not None
            async with moved.visited.transaction() as session:
                delivery = Delivery(message, (), session, moved.clock.now())
                await recover(moved.visited.context, delivery)
    assert (await moved.visited.request(request_id)).home == STRANGER
    for message in delivered:
        if message.source in {HOME, STRANGER}:
            await moved.visited.hear(message)
    assert await moved.visited.state(request_id) == "confirmed"
