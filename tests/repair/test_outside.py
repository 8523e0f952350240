"""What systems outside are asked during a repair: the customer is told once, and a deposit gets a receipt."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from services.city_node import repair
from shared.kernel.embedded_postgres import EmbeddedPostgres
from tests.city.outside import ON, Outside, empty_ports
from tests.city.two_cities import HOME, MSISDN, VISITED
from tests.repair.workshop import HALL, LOANED, Workshops, workshops


@pytest.fixture(scope="module")
async def opened(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Workshops]:
    directory = tmp_path_factory.mktemp("workshops")
    async with workshops(postgres, template, directory, **ON) as made:
        yield made


@pytest.fixture
async def shop(opened: Workshops) -> Workshops:
    await empty_ports(*opened.cities.values())
    await opened.set_up()
    return opened


@pytest.fixture
def outside(shop: Workshops) -> Outside:
    return Outside(shop.clock, repair.capability.offers)


async def events(shop: Workshops, request_id: UUID, at: str) -> list[str]:
    return [event for node, event in await shop.cities[at].trail(request_id) if node == at]


@pytest.mark.parametrize(
    ("result", "said"), [("fixed", "已可取回"), ("not_repairable", "无法修复")]
)
async def test_the_customer_is_told_once_that_the_handset_is_ready(
    shop: Workshops, outside: Outside, result: str, said: str
) -> None:
    request_id = await shop.agreed()
    await shop.settle()
    await outside.work(shop.home)
    assert outside.told("sms") == []
    await shop.repaired(request_id, result)
    await shop.settle(times=3)
    await outside.work(shop.home)
    (message,) = outside.told("sms")
    assert message["to"] == MSISDN
    assert "深圳" in message["text"]
    assert said in message["text"]
    assert MSISDN not in message["text"]
    assert (await events(shop, request_id, HOME))[-1] == "customer-told"


async def test_who_is_not_a_customer_any_more_is_not_told(
    shop: Workshops, outside: Outside
) -> None:
    request_id = await shop.agreed()
    await shop.repaired(request_id)
    pool = await shop.home.context.database.pool()
    await pool.execute("UPDATE subscription SET status = 'ended', ended_on = '2026-11-23'")
    await shop.settle()
    await outside.work(shop.home)
    assert outside.told("sms") == []


async def test_each_deposit_gets_a_receipt_and_none_where_there_is_none(
    shop: Workshops, outside: Outside
) -> None:
    request_id = await shop.agreed()
    for _ in range(2):
        await shop.lend(request_id)
        await shop.end_loan(request_id)
    await outside.work(shop.visited)
    first, second = outside.told("receipt-printer")
    assert first["number"] != second["number"]
    assert {first["hall"], second["hall"]} == {HALL}
    assert "押金：200.00 元 Deposit: 200.00 yuan" in first["lines"]
    assert not any(imei in str(first) for imei in (*LOANED, MSISDN))
    assert (await events(shop, request_id, VISITED)).count("receipt-printed") == 2

    await shop.set_up("diamond")
    await shop.lend(await shop.agreed())
    await outside.work(shop.visited)
    assert len(outside.told("receipt-printer")) == 2


@pytest.mark.parametrize("fault", [{"down": True}, {"lost_answer_rate": 1}])
async def test_a_port_in_trouble_holds_no_repair_up_and_doubles_nothing(
    shop: Workshops, outside: Outside, fault: dict[str, bool | float]
) -> None:
    outside.fault("sms", **fault)
    request_id = await shop.completed()
    await outside.work(shop.home)
    assert "customer-told" not in await events(shop, request_id, HOME)
    outside.fault("sms")
    shop.clock.advance(timedelta(minutes=10))
    await outside.work(shop.home)
    assert (await events(shop, request_id, HOME)).count("customer-told") == 1
    assert len(outside.told("sms")) == 1


async def test_a_message_that_is_refused_for_good_waits_for_a_person(
    shop: Workshops, outside: Outside
) -> None:
    outside.fault("sms", refusal_rate=1)
    request_id = await shop.completed()
    await outside.work(shop.home)
    (call,) = await shop.home.fetch("SELECT effect, state, cause_id FROM port_call")
    assert tuple(call.values()) == ("repair.notice", "handed_over", request_id)
