"""A city that is restored from an old backup, while replacements of cards are under way."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from services.city_node import card_replacement
from services.city_node.card_replacement.kind import KIND
from shared.federation.delivery import Delivery
from shared.federation.envelope import Message
from tests.city.two_cities import MSISDN, NEW_CARD, OLD_CARD, City, TwoCities

RECALLED = {m.type: m.recovered for m in card_replacement.capability.messages}


class Heard:
    """Everything that either city has heard so far, in order, as its peers would give it back."""

    def __init__(self, cities: TwoCities) -> None:
        self._cities = cities
        self.messages: list[Message] = []

    async def settle(self) -> None:
        """Deliver until no message is under way."""
        for source in (self._cities.visited.code, self._cities.home.code) * 4:
            while (message := await self._cities.carry(source)) is not None:
                self.messages.append(message)

    def of(self, city: City) -> list[Message]:
        """Return what a city had said."""
        return [message for message in self.messages if message.source == city.code]


async def ask_and_hear(cities: TwoCities, heard: Heard) -> UUID:
    request_id = await cities.ask(MSISDN)
    await heard.settle()
    return request_id


async def write(cities: TwoCities, heard: Heard) -> UUID:
    request_id = await ask_and_hear(cities, heard)
    await cities.write(request_id)
    return request_id


async def complete(cities: TwoCities, heard: Heard) -> UUID:
    request_id = await write(cities, heard)
    await heard.settle()
    return request_id


async def cancel(cities: TwoCities, heard: Heard) -> UUID:
    request_id = await ask_and_hear(cities, heard)
    await cities.cancel(request_id)
    return request_id


async def expire(cities: TwoCities, heard: Heard) -> UUID:
    request_id = await ask_and_hear(cities, heard)
    cities.clock.advance(KIND.time_limit)
    await cities.visited.expire_overdue()
    return request_id


FAR = [
    pytest.param(ask_and_hear, "approved", {"reserved": 1, "in_stock": 1}, id="approved"),
    pytest.param(write, "completed", {"issued": 1, "in_stock": 1}, id="written"),
    pytest.param(complete, "completed", {"issued": 1, "in_stock": 1}, id="completed"),
    pytest.param(cancel, "cancelled", {"in_stock": 2}, id="cancelled"),
    pytest.param(expire, "expired", {"in_stock": 2}, id="expired"),
]
Go = Callable[[TwoCities, Heard], Awaitable[UUID]]


async def forget(city: City) -> None:
    """Go back to before any request."""
    pool = await city.context.database.pool()
    await pool.execute(
        "UPDATE sim_card_stock SET state = 'in_stock', request_id = NULL WHERE request_id IS NOT NULL"
    )
    for table in ("sim_switch_reservation", "service_request_event", "service_request"):
        await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
    await pool.execute(f"DELETE FROM sim WHERE iccid = '{NEW_CARD}'")  # noqa: S608 - a constant
    await pool.execute("UPDATE sim SET state = 'active', ended_at = NULL")


async def recall(city: City, messages: list[Message], *, times: int = 2) -> None:
    """Give a city its own messages back, as reconciling does, each perhaps more than once."""
    for message in messages:
        recovered = RECALLED[message.type]
        for _ in range(times if recovered else 0):
            assert recovered is not None
            async with city.transaction() as session:
                delivery = Delivery(message, (), session, city.clock.now())
                await recovered(city.context, delivery)


@pytest.mark.parametrize(("go", "state", "cards"), FAR)
async def test_the_visited_city_recalls_its_request_and_its_card(
    cities: TwoCities, go: Go, state: str, cards: dict[str, int]
) -> None:
    heard = Heard(cities)
    request_id = await go(cities, heard)
    await heard.settle()

    await forget(cities.visited)
    await recall(cities.visited, heard.of(cities.visited))
    for message in heard.of(cities.home):
        await cities.visited.hear(message)
    await heard.settle()

    request = await cities.visited.request(request_id)
    assert (request.state, request.created_by, request.subject) == (state, "li.na", "138****5678")
    assert await cities.cards() == cards


@pytest.mark.parametrize(("go", "state", "cards"), FAR)
async def test_the_home_city_keeps_its_word_however_late_it_hears_the_question_again(
    cities: TwoCities, go: Go, state: str, cards: dict[str, int]
) -> None:
    heard = Heard(cities)
    request_id = await go(cities, heard)
    await heard.settle()
    sims = await cities.sims(MSISDN)

    await forget(cities.home)
    assert await cities.sims(MSISDN) == [("active", OLD_CARD)]
    cities.clock.advance(timedelta(hours=8))
    for message in heard.of(cities.visited):
        await cities.home.hear(message)
    await heard.settle()

    assert await cities.home.state(request_id) == state
    assert await cities.sims(MSISDN) == sims
    assert await cities.visited.state(request_id) == state
    assert await cities.cards() == cards


async def test_a_home_city_whose_clock_was_faster_than_its_memory_switches_all_the_same(
    cities: TwoCities,
) -> None:
    heard = Heard(cities)
    request_id = await complete(cities, heard)
    asked, written = heard.of(cities.visited)

    await forget(cities.home)
    await cities.home.hear(asked)
    cities.clock.advance(timedelta(hours=8))
    await cities.home.expire_overdue()
    assert await cities.home.state(request_id) == "expired"
    await cities.home.hear(written)

    assert await cities.home.state(request_id) == "completed"
    assert await cities.sims(MSISDN) == [("replaced", OLD_CARD), ("active", NEW_CARD)]


CARD_OF = "SELECT iccid FROM sim_card_stock WHERE request_id = $1"


async def test_whoever_was_given_the_card_meanwhile_gets_another(cities: TwoCities) -> None:
    heard = Heard(cities)
    request_id = await ask_and_hear(cities, heard)
    pool = await cities.visited.context.database.pool()
    had = await pool.fetchval(CARD_OF, request_id)
    await forget(cities.visited)
    other = await cities.ask("13700000000")
    assert await pool.fetchval(CARD_OF, other) == had

    await recall(cities.visited, heard.of(cities.visited))

    assert await pool.fetchval(CARD_OF, request_id) == had
    assert await pool.fetchval(CARD_OF, other) not in {None, had}
    assert await cities.cards() == {"reserved": 2}


@pytest.mark.parametrize(
    "meanwhile",
    [
        pytest.param(
            "UPDATE sim_card_stock SET state = 'written' WHERE request_id = $1", id="written"
        ),
        pytest.param(
            "DELETE FROM sim_card_stock WHERE request_id IS DISTINCT FROM $1", id="the last"
        ),
    ],
)
async def test_a_card_that_somebody_else_needs_is_not_taken_from_them(
    cities: TwoCities, meanwhile: str
) -> None:
    heard = Heard(cities)
    request_id = await ask_and_hear(cities, heard)
    await forget(cities.visited)
    other = await cities.ask("13700000000")
    pool = await cities.visited.context.database.pool()
    await pool.execute(meanwhile, other)
    before = await cities.cards()

    with pytest.raises(Exception, match=f"request {request_id} has none"):
        await recall(cities.visited, heard.of(cities.visited), times=1)
    assert await cities.cards() == before


async def test_a_question_of_a_release_that_kept_no_memo_is_left_to_its_deadline(
    cities: TwoCities,
) -> None:
    heard = Heard(cities)
    await ask_and_hear(cities, heard)
    (asked,) = heard.of(cities.visited)
    del asked.data["memo"]
    await forget(cities.visited)
    await recall(cities.visited, [asked])
    assert await cities.visited.fetch("SELECT id FROM service_request") == []
