"""What systems outside are asked when a card is replaced: once, after the commit, and only where there is a port."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from services.city_node import card_replacement
from services.city_node.customer.identity import seal_contact
from services.city_node.customer.models import ContactMedium
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.ids import new_id
from tests.city.outside import ON, Outside
from tests.city.two_cities import (
    HALL,
    NEW_CARD,
    OLD_CARD,
    City,
    TwoCities,
    add_line,
    load_cards,
    two_cities,
)

MSISDN, OTHER = "13800005678", "13911112222"
OFFERS = card_replacement.capability.offers


@pytest.fixture(scope="module")
async def pair(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TwoCities]:
    async with two_cities(postgres, template, tmp_path_factory.mktemp("cities"), **ON) as made:
        yield made


@pytest.fixture
async def cities(pair: TwoCities) -> TwoCities:
    for city in (pair.home, pair.visited):
        pool = await city.context.database.pool()
        for table in ("port_call", "port_trouble", "contact_medium"):
            await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
    await pair.empty()
    await add_line(pair.home, MSISDN)
    await load_cards(pair.visited, 2)
    return pair


@pytest.fixture
def outside(cities: TwoCities) -> Outside:
    return Outside(cities.clock, OFFERS)


async def replace(cities: TwoCities, *, times: int = 1) -> UUID:
    request_id = await cities.approved(MSISDN)
    await cities.write(request_id)
    await cities.settle(times=times)
    return request_id


async def trail(city: City, request_id: UUID) -> list[str]:
    return [event for node, event in await city.trail(request_id) if node == city.code]


async def add_telephone(cities: TwoCities, value: str, *, preferred: bool = False) -> None:
    sealed = seal_contact(cities.home.context.cipher, "phone", value)
    async with cities.home.transaction() as session:
        customer = await cities.home.fetch("SELECT id FROM customer")
        session.add(
            ContactMedium(
                id=new_id(),
                customer_id=customer[0]["id"],
                kind="phone",
                value_cipher=sealed.cipher,
                value_index=sealed.index,
                value_masked=sealed.masked,
                preferred=preferred,
            )
        )


async def test_the_network_switches_then_the_customer_is_told_and_a_receipt_printed(
    cities: TwoCities, outside: Outside
) -> None:
    request_id = await replace(cities)
    (waiting,) = await cities.home.fetch("SELECT port, state FROM port_call")
    assert waiting == {"port": "network", "state": "waiting"}

    await outside.work(cities.home, "network", "sms")
    await outside.work(cities.visited, "receipt-printer")

    (line,) = await cities.home.fetch("SELECT iccid, imsi FROM sim WHERE state = 'active'")
    assert line["iccid"] == NEW_CARD
    assert outside.told("network") == [
        {"msisdn": MSISDN, "iccid": NEW_CARD, "imsi": line["imsi"], "replaces": OLD_CARD}
    ]
    (message,) = outside.told("sms")
    assert message["to"] == MSISDN
    assert "138****5678" in message["text"]
    assert "深圳" in message["text"]
    (receipt,) = outside.told("receipt-printer")
    assert (receipt["hall"], receipt["number"]) == (HALL, str(request_id))
    assert MSISDN not in str(receipt)
    assert (await trail(cities.home, request_id))[-2:] == ["network-switched", "customer-told"]
    assert (await trail(cities.visited, request_id))[-1:] == ["receipt-printed"]


async def test_repeated_messages_and_a_restored_switch_call_once(
    cities: TwoCities, outside: Outside
) -> None:
    await replace(cities, times=3)
    await outside.work(cities.home, "network", "sms")
    await outside.work(cities.visited, "receipt-printer")
    assert [len(outside.told(name)) for name in ("network", "sms", "receipt-printer")] == [1, 1, 1]


async def test_a_call_made_again_after_a_restore_changes_nothing_outside(
    cities: TwoCities, outside: Outside
) -> None:
    await replace(cities)
    rows = await cities.home.fetch("SELECT * FROM port_call")
    await outside.work(cities.home, "network", "sms")
    pool = await cities.home.context.database.pool()
    await pool.execute("DELETE FROM port_call")
    names = ", ".join(name for name in rows[0] if name != "number")
    for row in rows:  # as the backup has it
        values = [value for name, value in row.items() if name != "number"]
        marks = ", ".join(f"${n + 1}" for n in range(len(values)))
        await pool.execute(f"INSERT INTO port_call ({names}) VALUES ({marks})", *values)  # noqa: S608
    await outside.work(cities.home, "network", "sms")

    assert [len(outside.told(name)) for name in ("network", "sms")] == [1, 1]
    states = await cities.home.fetch("SELECT state FROM port_call ORDER BY number")
    assert [row["state"] for row in states] == ["done", "done"]


async def test_the_customer_is_told_on_another_number_of_the_own(
    cities: TwoCities, outside: Outside
) -> None:
    await add_telephone(cities, "0755-2222-3333", preferred=True)
    await add_telephone(cities, f"+86 {OTHER}")
    await replace(cities)
    await outside.work(cities.home, "network", "sms")
    assert [message["to"] for message in outside.told("sms")] == [OTHER]


async def test_a_refusal_of_the_network_is_an_operator_s_and_the_switch_stands(
    cities: TwoCities, outside: Outside
) -> None:
    outside.fault("network", refusal_rate=1)
    request_id = await replace(cities)
    await outside.work(cities.home, "network", "sms")

    assert await cities.home.state(request_id) == "completed"
    assert (await trail(cities.home, request_id))[-1] == "network-refused"
    (call,) = await cities.home.fetch("SELECT state, refusal FROM port_call")
    assert call["state"] == "handed_over"
    assert outside.told("sms") == []


async def test_what_is_sent_is_in_no_table_in_clear(cities: TwoCities, outside: Outside) -> None:
    await replace(cities)
    assert outside.told("network") == []
    for city in (cities.home, cities.visited):
        rows = await city.fetch("SELECT c::text AS row FROM port_call c")
        assert rows
        assert not any(MSISDN in row["row"] or NEW_CARD in row["row"] for row in rows)
    await outside.work(cities.home, "network", "sms")
    kept = await cities.home.fetch("SELECT content_cipher FROM port_call")
    assert [row["content_cipher"] for row in kept] == [None, None]


@pytest.fixture(scope="module")
async def pair_without(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TwoCities]:
    given = {"port_sms_url": "http://sms"}
    async with two_cities(postgres, template, tmp_path_factory.mktemp("off"), **given) as made:
        yield made


async def test_nothing_is_queued_for_a_port_that_is_off_and_the_customer_is_told_at_once(
    pair_without: TwoCities,
) -> None:
    cities = pair_without
    await cities.empty()
    await add_line(cities.home, MSISDN)
    await load_cards(cities.visited, 1)
    await replace(cities)
    assert await cities.visited.fetch("SELECT id FROM port_call") == []
    (only,) = await cities.home.fetch("SELECT port FROM port_call")
    assert only["port"] == "sms"
    outside = Outside(cities.clock, OFFERS)
    await outside.work(cities.home, "sms")
    assert [message["to"] for message in outside.told("sms")] == [MSISDN]
