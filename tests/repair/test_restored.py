"""A city that is restored from an old backup, while repairs are under way."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.city_node.loan_handset.recall import HandsetTaken
from shared.federation.delivery import Delivery
from shared.federation.envelope import Message
from tests.city.two_cities import HOME, VISITED, City
from tests.repair.workshop import IMEI, LOANED, NEW_IMEI, RECALLED, TOTAL, Workshops

OF_VISITED = (
    "clearing_entry",
    "till_entry",
    "till_shift",
    "handset_loan",
    "repair_satisfaction",
    "repair_estimate",
    "repair_ticket",
)
OF_HOME = (
    "clearing_entry",
    "repair_satisfaction",
    "repair_record",
    "repair_promise",
    "customer_change",
    "event",
)
COLUMNS = {
    "service_request": "id, home, state, subject, deadline, unit_code, created_by, refusal_code",
    "repair_ticket": "*",
    "repair_estimate": "*",
    "handset_loan": "*",
    "till_entry": "shift_id, at, kind, amount_fen, cause_id, payment_id, by",
    "clearing_entry": "request_id, kind, business_day, booked_on, debit, credit, amount_fen",
    "repair_satisfaction": "*",
    "loan_handset": "id, imei, make, model, unit_code, state",
}


class Heard:
    """Everything that the cities have heard so far, in order, as their peers would give it back."""

    def __init__(self, shop: Workshops) -> None:
        self._shop = shop
        self.messages: list[Message] = []

    async def settle(self) -> None:
        """Deliver until no message is under way."""
        self.messages += await self._shop.settle()

    def of(self, code: str) -> list[Message]:
        """Return what a city had said."""
        return [message for message in self.messages if message.source == code]


async def asked(shop: Workshops, heard: Heard) -> UUID:
    request_id = await shop.ask()
    await heard.settle()
    return request_id


async def estimated(shop: Workshops, heard: Heard) -> UUID:
    request_id = await asked(shop, heard)
    await shop.estimate(request_id)
    await heard.settle()
    return request_id


async def lent(shop: Workshops, heard: Heard) -> UUID:
    request_id = await estimated(shop, heard)
    await shop.agree(request_id)
    await shop.lend(request_id)
    await heard.settle()
    return request_id


async def damaged(shop: Workshops, heard: Heard) -> UUID:
    request_id = await lent(shop, heard)
    await shop.end_loan(request_id, "damaged", kept_fen=700)
    await heard.settle()
    return request_id


async def lent_twice(shop: Workshops, heard: Heard) -> UUID:
    request_id = await damaged(shop, heard)
    await shop.lend(request_id)
    await heard.settle()
    return request_id


async def returned(shop: Workshops, heard: Heard) -> UUID:
    request_id = await damaged(shop, heard)
    replacement = {"make": "Huawei", "model": "Mate 70", "imei": NEW_IMEI}
    await shop.repaired(request_id, "replaced", replacement=replacement)
    await shop.let_off(request_id, 100)
    await shop.hand_back(request_id)
    return request_id


async def rated(shop: Workshops, heard: Heard) -> UUID:
    request_id = await returned(shop, heard)
    await heard.settle()
    await shop.rate(request_id, 3, "等了两天")
    await heard.settle()
    return request_id


async def cancelled(shop: Workshops, heard: Heard) -> UUID:
    request_id = await estimated(shop, heard)
    await shop.cancel(request_id)
    return request_id


async def declined(shop: Workshops, heard: Heard) -> UUID:
    request_id = await estimated(shop, heard)
    await shop.decline(request_id)
    return request_id


async def expired(shop: Workshops, heard: Heard) -> UUID:
    request_id = await estimated(shop, heard)
    shop.clock.advance(timedelta(days=3))
    await shop.expire()
    return request_id


Go = Callable[[Workshops, Heard], Awaitable[UUID]]
FAR = pytest.mark.parametrize(
    "go",
    [
        *(asked, estimated, lent, damaged, lent_twice, returned, rated),
        *(cancelled, declined, expired),
    ],
)


async def everything(city: City) -> dict[str, Any]:
    """Return what a visited city knows, but for its trail and when it changed what."""
    return {
        table: await city.fetch(f"SELECT {columns} FROM {table} ORDER BY 1, 2")  # noqa: S608 - a fixed list
        for table, columns in COLUMNS.items()
    }


async def forget(city: City, *tables: str) -> None:
    """Go back to before any request."""
    pool = await city.context.database.pool()
    for table in (*tables, "service_request_event", "service_request"):
        await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
    await pool.execute("UPDATE loan_handset SET state = 'in_stock'")
    await pool.execute("UPDATE subscription SET imei = $1, handset = 'Huawei Mate 60'", IMEI)


async def recall(city: City, messages: list[Message], *, times: int = 2) -> None:
    """Give a city its own messages back, as reconciling does, each perhaps more than once."""
    for message in messages:
        recovered = RECALLED[message.type]
        for _ in range(times if recovered else 0):
            assert recovered is not None
            async with city.transaction() as session:
                delivery = Delivery(message, (), session, city.clock.now())
                await recovered(city.context, delivery)


@FAR
async def test_the_visited_city_recalls_everything(shop: Workshops, go: Go) -> None:
    heard = Heard(shop)
    await go(shop, heard)
    await heard.settle()
    before = await everything(shop.visited)

    await forget(shop.visited, *OF_VISITED)
    await recall(shop.visited, heard.of(VISITED))
    for message in heard.of(HOME):
        await shop.visited.hear(message)
    await heard.settle()

    assert await everything(shop.visited) == before
    assert len(await shop.recorded()) == (go in {returned, rated})


@FAR
async def test_the_home_city_keeps_its_word_whatever_has_changed_meanwhile(
    shop: Workshops, go: Go
) -> None:
    heard = Heard(shop)
    request_id = await go(shop, heard)
    await heard.settle()
    states = [await city.state(request_id) for city in (shop.home, shop.visited)]
    promise = "SELECT level, home_share_permille, cap_fen, state FROM repair_promise"
    record = "SELECT total_fen, home_fen, claimed_fen, result, business_day FROM repair_record"
    rating = "SELECT score, comment FROM repair_satisfaction"
    line = "SELECT handset, imei FROM subscription"
    before = [await shop.home.fetch(query) for query in (promise, record, rating, line)]

    await forget(shop.home, *OF_HOME)
    pool = await shop.home.context.database.pool()
    await pool.execute("UPDATE customer SET level = 'standard'")
    await pool.execute("UPDATE subscription SET status = 'suspended'")
    shop.clock.advance(timedelta(days=30))
    for message in heard.of(VISITED):
        await shop.home.hear(message)
    await heard.settle()

    assert [await city.state(request_id) for city in (shop.home, shop.visited)] == states
    after = [await shop.home.fetch(query) for query in (promise, record, rating, line)]
    assert after == before


async def test_a_promise_survives_even_the_loss_of_the_line_it_was_made_for(
    shop: Workshops,
) -> None:
    heard = Heard(shop)
    request_id = await returned(shop, heard)
    await heard.settle()
    (was,) = await shop.recorded()
    await forget(shop.home, *OF_HOME)
    pool = await shop.home.context.database.pool()
    for table in ("sim", "subscription", "customer"):
        await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
    for message in heard.of(VISITED):
        await shop.home.hear(message)
    await heard.settle()
    (record,) = await shop.recorded()
    assert (record["customer_id"], record["home_fen"]) == (None, was["home_fen"])
    assert await shop.visited.state(request_id) == "completed"


async def test_what_a_restored_city_closes_anew_is_not_recorded_again(shop: Workshops) -> None:
    heard = Heard(shop)
    request_id = await lent(shop, heard)
    await shop.end_loan(request_id)
    await shop.repaired(request_id)
    await heard.settle()
    backup = await everything(shop.visited)
    version = (await shop.visited.request(request_id)).version
    await shop.hand_back(request_id)
    await heard.settle()
    (was,) = await shop.recorded()

    pool = await shop.visited.context.database.pool()
    await pool.execute(
        "UPDATE service_request SET state = 'repaired', ended_at = NULL, version = $1", version
    )
    await pool.execute(
        "UPDATE repair_ticket SET customer_fen = NULL, home_fen = NULL, visited_fen = NULL, days = NULL, receipt = NULL,"
        " returned_at = NULL, returned_by = NULL, promised_fen = NULL, business_day = NULL, told = told - 1"
    )
    await pool.execute("DELETE FROM clearing_entry")
    assert await everything(shop.visited) == backup
    await shop.let_off(request_id, 5_000)
    await shop.hand_back(request_id)
    await heard.settle()
    assert await shop.recorded() == [was]
    assert await shop.books(shop.visited) == [("440000", "repairs", was["home_fen"])]
    assert await shop.visited.state(request_id) == "completed"
    assert (await shop.ticket(request_id))["home_fen"] == was["home_fen"]


async def test_what_a_restored_city_does_before_it_recalls_is_taken_over_by_its_own_later_word(
    shop: Workshops,
) -> None:
    heard = Heard(shop)
    request_id = await lent(shop, heard)
    pool = await shop.visited.context.database.pool()
    for table in ("handset_loan", "repair_estimate"):
        await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
    await pool.execute("UPDATE loan_handset SET state = 'in_stock'")
    # Notes of the meantime count up the version of the record, and are no word of its own.
    await pool.execute("UPDATE service_request SET state = 'confirmed', version = 20")
    await pool.execute("UPDATE repair_ticket SET told = 1")
    await recall(shop.visited, heard.of(VISITED))
    assert await shop.visited.state(request_id) == "agreed"
    assert (await shop.visited.request(request_id)).version > 20
    assert await shop.stock() == {"lent": 1, "in_stock": 1}
    assert (await shop.visited.fetch("SELECT total_fen FROM repair_estimate")) == [
        {"total_fen": TOTAL}
    ]


async def test_a_handset_loaded_after_the_backup_is_in_stock_again(shop: Workshops) -> None:
    heard = Heard(shop)
    await damaged(shop, heard)
    await forget(shop.visited, *OF_VISITED)
    pool = await shop.visited.context.database.pool()
    await pool.execute("DELETE FROM loan_handset")
    await recall(shop.visited, heard.of(VISITED))
    assert await shop.stock() == {"damaged": 1}


async def test_a_handset_that_somebody_else_has_meanwhile_is_not_taken_from_them(
    shop: Workshops,
) -> None:
    heard = Heard(shop)
    await lent(shop, heard)
    await forget(shop.visited, *OF_VISITED)
    pool = await shop.visited.context.database.pool()
    await pool.execute("DELETE FROM loan_handset WHERE imei <> $1", min(LOANED))
    other = await shop.agreed(imei=NEW_IMEI)
    await shop.open_shift()
    await shop.lend(other)
    with pytest.raises(HandsetTaken, match="has none"):
        await recall(shop.visited, heard.of(VISITED), times=1)
    assert await shop.stock() == {"lent": 1}


async def test_a_message_without_a_memo_is_left_alone(shop: Workshops) -> None:
    heard = Heard(shop)
    await asked(shop, heard)
    (question,) = heard.of(VISITED)
    for memo in (None, "nonsense"):
        question.data["memo"] = memo
        await forget(shop.visited, *OF_VISITED)
        await recall(shop.visited, [question])
        assert await shop.visited.fetch("SELECT id FROM service_request") == []
