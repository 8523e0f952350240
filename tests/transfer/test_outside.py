"""What systems outside are asked when a customer moves: by the new home, once, after ownership has moved."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.city_node import transfer
from services.city_node.customer.identity import seal_contact
from services.simulator.behaviour import Network
from shared.kernel.database import driver_connection
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.ids import new_id
from tests.city.outside import ON, Outside, empty_ports
from tests.transfer.nation import NEW, OLD, SmallNation, small_nation
from tests.transfer.people import id_card, insert, msisdn, settle

NUMBER, ELSEWHERE, ANOTHER = msisdn(70), "13911112222", "13700007777"
OFFERS = transfer.capability.offers


@pytest.fixture(scope="module")
async def four_on(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SmallNation]:
    directory = tmp_path_factory.mktemp("nation")
    async with small_nation(postgres, template, directory, **ON) as made:
        yield made


@pytest.fixture
async def nation(four_on: SmallNation) -> SmallNation:
    await four_on.empty()
    await empty_ports(*four_on.cities)
    return four_on


@pytest.fixture
def outside(nation: SmallNation) -> Outside:
    return Outside(nation.clock, OFFERS)


async def begin(nation: SmallNation, *numbers: str) -> list[dict[str, Any]]:
    """Give the old home a customer with so many telephones; return the cards of the lines."""
    customer = await settle(nation[OLD], running=7)
    async with nation[OLD].transaction() as session:
        connection = await driver_connection(session)
        for value in numbers:
            sealed = seal_contact(nation[OLD].context.cipher, "phone", value)
            await insert(
                connection, "contact_medium", id=new_id(), customer_id=customer, kind="phone", preferred=False,
                value_cipher=sealed.cipher, value_index=sealed.index, value_masked=sealed.masked,
            )  # fmt: skip
    return await nation[OLD].fetch("SELECT iccid, imsi FROM sim WHERE state = 'active'")


async def ask(nation: SmallNation, **more: Any) -> UUID:
    return await nation.ask(NUMBER, document=id_card(7), **more)


async def events(nation: SmallNation, request_id: UUID) -> list[str]:
    return [event for node, event in await nation[NEW].trail(request_id) if node == NEW]


async def test_the_network_serves_the_line_from_the_new_home_and_the_customer_is_told(
    nation: SmallNation, outside: Outside
) -> None:
    (card,) = await begin(nation, ELSEWHERE)
    request_id = await ask(nation)
    await nation.settle(times=3)
    for city in nation.cities:
        await outside.work(city)

    assert outside.told("network") == [
        {
            "msisdn": NUMBER,
            **card,
            "from_city": OLD,
            "to_city": NEW,
            "former_msisdn": None,
        }
    ]
    (message,) = outside.told("sms")
    assert message["to"] == ELSEWHERE
    assert "由北京" in message["text"]
    assert "至深圳" in message["text"]
    assert NUMBER not in message["text"]
    assert set((await events(nation, request_id))[-2:]) == {"network-moved", "customer-told"}
    assert await nation[OLD].fetch("SELECT id FROM port_call") == []


async def test_a_line_that_gets_another_number_leaves_the_former_one(
    nation: SmallNation, outside: Outside
) -> None:
    (card,) = await begin(nation)
    network = outside.simulators["network"].behaviour
    assert isinstance(network, Network)
    await ask(nation, new_msisdn=ANOTHER)
    await nation.settle()
    await outside.work(nation[NEW])
    (moved,) = outside.told("network")
    assert (moved["msisdn"], moved["former_msisdn"]) == (ANOTHER, NUMBER)
    assert {number: sim.iccid for number, sim in network.cards.items()} == {ANOTHER: card["iccid"]}
    assert [message["to"] for message in outside.told("sms")] == [ANOTHER]


async def test_nothing_is_asked_while_or_because_nobody_moves(
    nation: SmallNation, outside: Outside
) -> None:
    await begin(nation)
    request_id = await ask(nation)
    await nation.cancel(NEW, request_id)
    await nation.settle()
    await nation.ask(NUMBER, document=id_card(8))
    await nation.settle()
    for city in nation.cities:
        assert await city.fetch("SELECT id FROM port_call") == []
    assert outside.told("network") == []


@pytest.mark.parametrize("fault", [{"down": True}, {"lost_answer_rate": 1}, {"error_rate": 1}])
async def test_a_network_in_trouble_delays_the_move_and_doubles_nothing(
    nation: SmallNation, outside: Outside, fault: dict[str, bool | float]
) -> None:
    await begin(nation)
    outside.fault("network", **fault)
    request_id = await ask(nation)
    await nation.settle()
    await outside.work(nation[NEW])
    assert await nation[NEW].state(request_id) == "completed", "HQ's word waits for nobody"
    assert "network-moved" not in await events(nation, request_id)
    outside.fault("network")
    nation.clock.advance(timedelta(minutes=10))
    await outside.work(nation[NEW])
    assert "network-moved" in await events(nation, request_id)
    assert len(outside.told("network")) == 1


async def test_what_the_network_refuses_is_an_operator_s_and_the_customer_stays_moved(
    nation: SmallNation, outside: Outside
) -> None:
    await begin(nation)
    outside.fault("network", refusal_rate=1)
    request_id = await ask(nation)
    await nation.settle()
    await outside.work(nation[NEW])
    assert "network-refused" in await events(nation, request_id)
    assert await nation[NEW].state(request_id) == "completed"
    rows = await nation[NEW].fetch("SELECT effect, state FROM port_call ORDER BY effect")
    assert [tuple(row.values()) for row in rows] == [
        ("transfer.move", "handed_over"),
        ("transfer.notice", "done"),
    ]


@pytest.mark.parametrize("number", [None, ANOTHER])
async def test_a_restored_new_home_asks_for_the_same_again_and_nothing_happens_twice(
    nation: SmallNation, outside: Outside, number: str | None
) -> None:
    await begin(nation)
    saved = await nation.save(NEW)
    await ask(nation, new_msisdn=number)
    await nation.settle()
    await outside.work(nation[NEW])
    nation.clock.advance(timedelta(minutes=30))
    await empty_ports(nation[NEW])
    await nation.restore(saved)
    await nation.settle()
    assert len(await nation[NEW].fetch("SELECT id FROM port_call")) == 2
    await outside.work(nation[NEW])
    rows = await nation[NEW].fetch("SELECT DISTINCT state FROM port_call")
    assert [row["state"] for row in rows] == ["done"]
    assert [len(outside.told(name)) for name in ("network", "sms")] == [1, 1]
