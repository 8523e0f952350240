"""What the home city bears of a repair is owed to the visited one: booked once by everybody whom the answer passes."""

from datetime import timedelta

import pytest

from shared.clearing.schemas import RECORDED
from tests.repair.workshop import Workshops


@pytest.mark.parametrize("times", [1, 3])
async def test_what_home_bears_is_owed_to_the_visited_city(shop: Workshops, times: int) -> None:
    request_id = await shop.agreed()
    await shop.repaired(request_id)
    await shop.hand_back(request_id)
    await shop.settle(times=times)
    (done,) = await shop.recorded()
    assert done["home_fen"] > 0
    assert await shop.books(shop.home) == [("repairs", "110000", done["home_fen"])]
    assert await shop.books(shop.visited) == [("440000", "repairs", done["home_fen"])]
    days = [
        row["business_day"]
        for city in (shop.home, shop.visited)
        for row in await city.fetch("SELECT business_day FROM clearing_entry")
    ]
    assert days == [done["business_day"]] * 2


async def test_where_home_bears_nothing_nothing_is_booked(shop: Workshops) -> None:
    await shop.set_up("standard")
    await shop.completed()
    assert [done["home_fen"] for done in await shop.recorded()] == [0]
    assert await shop.books(shop.home) == await shop.books(shop.visited) == []


async def test_what_is_given_up_is_owed_by_nobody(shop: Workshops) -> None:
    request_id = await shop.agreed()
    await shop.cancel(request_id)
    await shop.settle()
    assert await shop.books(shop.home) == await shop.books(shop.visited) == []


async def test_an_answer_that_comes_again_later_is_booked_once_and_on_its_day(
    shop: Workshops,
) -> None:
    request_id = await shop.agreed()
    await shop.repaired(request_id)
    await shop.hand_back(request_id)
    delivered = await shop.settle()
    (answer,) = [message for message in delivered if message.type == RECORDED]
    assert set(answer.data) >= {"request_id", "home_fen", "business_day"}
    shop.clock.advance(timedelta(days=3))
    await shop.visited.hear(answer)
    pool = await shop.visited.context.database.pool()
    before = await shop.visited.fetch("SELECT business_day FROM clearing_entry")
    await pool.execute("DELETE FROM clearing_entry")  # as a backup has it that knows the rest
    await shop.visited.hear(answer)
    assert await shop.visited.fetch("SELECT business_day FROM clearing_entry") == before
    assert len(await shop.books(shop.visited)) == 1
