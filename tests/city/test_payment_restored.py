"""A city that is restored from an old backup, while payments are under way: no money is lost, none credited twice."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from services.city_node import payment
from shared.federation.delivery import Delivery
from shared.federation.envelope import Message
from tests.city.paying import Counter, begin
from tests.city.two_cities import City, TwoCities

RECALLED = {m.type: m.recovered for m in payment.capability.messages}
FORGOTTEN = (
    *("clearing_entry", "billing_entry", "billing_account", "payment_credit"),
    *("payment_reversal", "payment", "till_entry", "till_shift"),
    *("service_request_event", "service_request"),
)


@pytest.fixture
async def counter(pair: TwoCities) -> Counter:
    return await begin(pair)


async def take(counter: Counter) -> UUID:
    return await counter.take()


async def credit(counter: Counter) -> UUID:
    paid = await counter.take()
    await counter.settle()
    return paid


async def refuse(counter: Counter) -> UUID:
    refused = await counter.take(msisdn="13700000000")
    await counter.settle()
    return refused


async def give_back(counter: Counter) -> UUID:
    refused = await refuse(counter)
    await counter.give_back(refused)
    return refused


async def reverse(counter: Counter) -> UUID:
    paid = await credit(counter)
    await counter.reverse(paid)
    return paid


async def reverse_and_give_back(counter: Counter) -> UUID:
    paid = await credit(counter)
    reversal = await counter.reverse(paid)
    await counter.settle()
    await counter.give_back(reversal, reversed_one=True)
    return paid


FAR = [
    pytest.param(take, "credited", 10_000, 10_000, id="taken"),
    pytest.param(credit, "credited", 10_000, 10_000, id="credited"),
    pytest.param(refuse, "to_give_back", 10_000, None, id="refused"),
    pytest.param(give_back, "given_back", 0, None, id="given-back"),
    pytest.param(reverse, "credited", 10_000, 0, id="reversed"),
    pytest.param(reverse_and_give_back, "credited", 0, 0, id="reversed-and-given-back"),
]
Go = Callable[[Counter], Awaitable[UUID]]


async def forget(city: City) -> None:
    """Go back to before any payment."""
    pool = await city.context.database.pool()
    for table in FORGOTTEN:
        await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list


async def recall(city: City, messages: list[Message]) -> None:
    """Give a city its own messages back, as reconciling does, each perhaps more than once."""
    for message in messages:
        recovered = RECALLED[message.type]
        for _ in range(2 if recovered else 0):
            assert recovered is not None
            async with city.transaction() as session:
                delivery = Delivery(message, (), session, city.clock.now())
                await recovered(city.context, delivery)


def said_by(counter: Counter, city: City) -> list[Message]:
    return [message for message in counter.heard if message.source == city.code]


async def books(counter: Counter) -> list[dict[str, int]]:
    return [dict(await counter.books(city)) for city in (counter.home, counter.visited)]


async def facts(counter: Counter) -> list[tuple[object, ...]]:
    """Return what the visited city knows of its payments, apart from where it knows it from."""
    rows = await counter.visited.fetch(
        """
        SELECT p.receipt_number, p.amount_fen, p.taken_at, p.business_day, p.reversal_id, r.state, r.created_by,
               r.subject, p.reversed_at IS NOT NULL AS was_reversed, p.given_back_at, v.reason, s.float_fen,
               (SELECT array_agg(e.kind || e.amount_fen ORDER BY e.id) FROM till_entry e WHERE e.payment_id = r.id) AS cash
        FROM payment p JOIN service_request r ON r.id = p.request_id JOIN till_shift s ON s.id = p.shift_id
        LEFT JOIN payment_reversal v ON v.request_id = p.reversal_id
        """
    )
    return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize(("go", "state", "cash", "balance"), FAR)
async def test_the_visited_city_recalls_its_payment_and_its_till(
    counter: Counter, go: Go, state: str, cash: int, balance: int | None
) -> None:
    paid = await go(counter)
    await counter.settle()
    before = await books(counter), await facts(counter)
    counter.cities.clock.advance(timedelta(hours=8))

    await forget(counter.visited)
    await recall(counter.visited, said_by(counter, counter.visited))
    for message in said_by(counter, counter.home):
        for _ in range(2):
            await counter.visited.hear(message)
    await counter.settle()

    assert await counter.visited.state(paid) == state
    assert await counter.cash() == cash
    assert await counter.balance() == balance
    assert (await books(counter), await facts(counter)) == before


@pytest.mark.parametrize(("go", "state", "cash", "balance"), FAR)
async def test_the_home_city_does_again_what_it_had_said(
    counter: Counter, go: Go, state: str, cash: int, balance: int | None
) -> None:
    paid = await go(counter)
    await counter.settle()
    before = await books(counter)
    entries = await counter.home.fetch("SELECT business_day FROM clearing_entry ORDER BY id")

    await forget(counter.home)
    counter.cities.clock.advance(timedelta(days=40))
    for message in said_by(counter, counter.visited):
        for _ in range(2):
            await counter.home.hear(message)
    await counter.settle()

    assert await counter.visited.state(paid) == state
    assert await counter.cash() == cash
    assert await counter.balance() == balance
    assert await books(counter) == before
    again = await counter.home.fetch("SELECT business_day FROM clearing_entry ORDER BY id")
    assert again == entries, "the day of clearing is the one that was told"


async def test_what_home_had_refused_it_refuses_again_although_it_could_credit_it_now(
    counter: Counter,
) -> None:
    refused = await refuse(counter)
    await forget(counter.home)
    pool = await counter.home.context.database.pool()
    await pool.execute("UPDATE subscription SET msisdn = '13700000000'")
    for message in said_by(counter, counter.visited):
        await counter.home.hear(message)
    await counter.settle()
    assert await counter.home.state(refused) == "refused"
    assert await counter.balance() is None


async def test_what_home_had_credited_to_a_line_that_is_lost_is_said_so(counter: Counter) -> None:
    paid = await credit(counter)
    await forget(counter.home)
    pool = await counter.home.context.database.pool()
    await pool.execute("UPDATE subscription SET msisdn = '13700000000'")
    for message in said_by(counter, counter.visited):
        await counter.home.hear(message)
    assert await counter.home.state(paid) == "credited"
    (kept,) = await counter.home.fetch("SELECT subscription_id, amount_fen FROM payment_credit")
    assert tuple(kept.values()) == (None, 10_000)
    assert await counter.books(counter.home) == {"110000": 10_000, "customers": -10_000}


async def test_money_of_a_cashier_with_another_shift_by_now_lies_in_that_ones_drawer(
    counter: Counter,
) -> None:
    await credit(counter)
    await forget(counter.visited)
    shift = await counter.open(float_fen=7)
    await recall(counter.visited, said_by(counter, counter.visited))
    (entry,) = await counter.visited.fetch("SELECT shift_id FROM till_entry")
    assert entry["shift_id"] == shift
