"""What systems outside are asked when money is paid: once each, after the commit, and only where there is a port."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from uuid import UUID

import pytest

from services.city_node import billing_account, payment
from services.city_node.billing_account import service as billing
from services.city_node.customer.models import ChangeSource
from services.city_node.payment import recall
from services.city_node.service_request.lines import lock_line
from shared import audit
from shared.federation.delivery import Delivery
from shared.kernel.embedded_postgres import EmbeddedPostgres
from tests.city.outside import ON, Outside, empty_ports
from tests.city.paying import Counter, begin
from tests.city.two_cities import HALL, HOME, MSISDN, VISITED, City, TwoCities, two_cities

OFFERS = (*payment.capability.offers, *billing_account.capability.offers)


@pytest.fixture(scope="module")
async def pair(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TwoCities]:
    async with two_cities(postgres, template, tmp_path_factory.mktemp("cities"), **ON) as made:
        yield made


@pytest.fixture
async def counter(pair: TwoCities) -> Counter:
    await empty_ports(pair.home, pair.visited)
    return await begin(pair)


@pytest.fixture
def outside(counter: Counter) -> Outside:
    return Outside(counter.cities.clock, OFFERS)


async def own_trail(city: City, request_id: UUID) -> list[str]:
    return [event for node, event in await city.trail(request_id) if node == city.code]


async def states(city: City) -> dict[str, str]:
    rows = await city.fetch("SELECT effect, state FROM port_call ORDER BY number")
    return {row["effect"]: row["state"] for row in rows}


async def suspend(counter: Counter) -> None:
    async with counter.home.transaction() as session:
        line = await lock_line(session, MSISDN)
        assert line is not None
        who, now = audit.Actor.command("test"), counter.cities.clock.now()
        cause = billing.Cause(who, ChangeSource.COMMAND, now)
        await billing.suspend(counter.home.context, session, line, cause)


async def test_a_receipt_is_printed_and_the_billing_system_credits_once(
    counter: Counter, outside: Outside
) -> None:
    taken_at = counter.cities.clock.now()
    paid = await counter.take(12_345)
    await outside.work(counter.visited)
    (receipt,) = outside.told("receipt-printer")
    (row,) = await counter.visited.fetch("SELECT receipt_number FROM payment")
    assert (receipt["hall"], receipt["number"]) == (HALL, row["receipt_number"])
    assert "金额：123.45 元 Amount: 123.45 yuan" in receipt["lines"]
    assert MSISDN not in str(receipt)
    assert outside.told("billing") == [], "home has not credited it yet"

    counter.cities.clock.advance(timedelta(minutes=5))
    await counter.settle(times=3)
    await outside.work(counter.home)
    assert outside.told("billing") == [
        {
            "msisdn": MSISDN,
            "amount_fen": 12_345,
            "payment": str(paid),
            "taken_at": taken_at.isoformat().replace("+00:00", "Z"),
        }
    ]
    assert (await own_trail(counter.home, paid))[-1] == "billing-credited"
    assert "receipt-printed" in await own_trail(counter.visited, paid)
    assert outside.told("network") == [], "the line was never suspended"


async def test_what_home_refuses_is_credited_nowhere(counter: Counter, outside: Outside) -> None:
    await counter.take(msisdn="13700000000")
    await counter.settle()
    await outside.work(counter.home)
    assert await states(counter.home) == {}


async def test_a_reversal_takes_the_credit_back_after_it(
    counter: Counter, outside: Outside
) -> None:
    paid = await counter.take()
    await counter.settle()
    reversal = await counter.reverse(paid)
    await counter.settle(times=2)
    outside.fault("billing", error_rate=1)
    await outside.work(counter.home)
    assert outside.told("billing") == []
    outside.fault("billing")
    counter.cities.clock.advance(timedelta(minutes=10))
    await outside.work(counter.home)
    credit, back = outside.told("billing")
    assert (credit["payment"], back) == (str(paid), {"payment": str(paid)})
    assert (await own_trail(counter.home, reversal))[-1] == "billing-reversed"


async def test_a_line_in_arrears_is_suspended_and_resumed_in_the_network(
    counter: Counter, outside: Outside
) -> None:
    await counter.bill(date(2026, 10, 1), 6_000)
    await suspend(counter)
    await outside.work(counter.home)
    network = outside.simulators["network"].behaviour
    assert getattr(network, "suspended") == {MSISDN}  # noqa: B009 - the network's alone
    paid = await counter.take(6_000)
    await counter.settle(times=2)
    await outside.work(counter.home)
    assert getattr(network, "suspended") == set()  # noqa: B009 - as above
    assert set((await own_trail(counter.home, paid))[-2:]) == {
        "billing-credited",
        "network-resumed",
    }
    await counter.reverse(paid)
    await counter.settle(times=2)
    await outside.work(counter.home)
    assert getattr(network, "suspended") == {MSISDN}  # noqa: B009 - as above
    assert outside.told("network") == [{"msisdn": MSISDN}] * 3


async def test_a_line_is_resumed_after_each_suspension(counter: Counter, outside: Outside) -> None:
    for month in (9, 10):
        await counter.bill(date(2026, month, 1), 6_000)
        await suspend(counter)
        counter.cities.clock.advance(timedelta(seconds=1))
        await counter.take(6_000)
        await counter.settle()
    await outside.work(counter.home)
    calls = [entry.operation for entry in outside.simulators["network"].journal]
    assert calls == ["suspensions", "resumptions"] * 2


@pytest.mark.parametrize("fault", [{"down": True}, {"lost_answer_rate": 1}, {"busy_rate": 1}])
async def test_a_port_in_trouble_delays_what_follows_and_doubles_nothing(
    counter: Counter, outside: Outside, fault: dict[str, bool | float]
) -> None:
    outside.fault("billing", **fault)
    paid = await counter.take()
    await counter.settle()
    await outside.work(counter.home)
    assert await counter.visited.state(paid) == "credited", "home's credit waits for nobody"
    assert await states(counter.home) == {"payment.credit": "waiting"}
    outside.fault("billing")
    counter.cities.clock.advance(timedelta(minutes=10))
    await outside.work(counter.home)
    assert await states(counter.home) == {"payment.credit": "done"}
    assert [each["payment"] for each in outside.told("billing")] == [str(paid)]


async def test_what_the_billing_system_refuses_is_an_operator_s_and_the_credit_stands(
    counter: Counter, outside: Outside
) -> None:
    outside.fault("billing", refusal_rate=1)
    paid = await counter.take()
    await counter.settle()
    await outside.work(counter.home)
    assert await states(counter.home) == {"payment.credit": "handed_over"}
    assert (await own_trail(counter.home, paid))[-1] == "billing-refused"
    assert await counter.balance() == 10_000
    await counter.reverse(paid)
    await counter.settle()
    await outside.work(counter.home)
    assert await states(counter.home) == {
        "payment.credit": "handed_over",
        "payment-reversal.reverse": "waiting",
    }, "it waits behind what somebody has to settle"


async def test_restored_cities_ask_for_the_same_again_and_nothing_happens_twice(
    counter: Counter, outside: Outside
) -> None:
    await counter.take()
    await counter.settle()
    for city in (counter.home, counter.visited):
        await outside.work(city)
    (taken, *_) = counter.heard
    await empty_ports(counter.home, counter.visited)
    for table in (
        *("clearing_entry", "billing_entry", "billing_account", "payment_credit", "payment"),
        *("till_entry", "service_request_event", "service_request"),
    ):
        for city in (counter.home, counter.visited):
            await (await city.context.database.pool()).execute(f"DELETE FROM {table}")  # noqa: S608
    counter.cities.clock.advance(timedelta(hours=2))
    async with counter.visited.transaction() as session:
        delivery = Delivery(taken, (), session, counter.cities.clock.now())
        await recall.recall_taken(counter.visited.context, delivery)
    await counter.home.hear(taken)
    for city in (counter.home, counter.visited):
        await outside.work(city)
        assert set((await states(city)).values()) == {"done"}
    assert [len(outside.told(name)) for name in ("billing", "receipt-printer")] == [1, 1]


@pytest.fixture(scope="module")
async def pair_without(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TwoCities]:
    async with two_cities(postgres, template, tmp_path_factory.mktemp("off")) as made:
        yield made


async def test_nothing_is_queued_where_no_port_is_on(pair_without: TwoCities) -> None:
    counter = await begin(pair_without)
    paid = await counter.take()
    await counter.settle()
    await counter.reverse(paid)
    await counter.settle()
    for code in (HOME, VISITED):
        assert await counter.cities[code].fetch("SELECT id FROM port_call") == []
