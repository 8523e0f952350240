"""Orders of blank cards as the staff of the halls see them: over REST, with the supplier simulated."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.city_node import card_order
from shared.capability import Role
from shared.kernel.ids import new_id
from shared.organisation.models import OrganisationUnit
from tests.city.drafts import Headers, SignIn
from tests.city.outside import Outside
from tests.city.two_cities import HALL, NOON, OTHER_HALL, VISITED, City
from tests.conftest import MakeNode, TestNode

SUPPLIER = "card-supplier"


@dataclass
class Hall:
    """A hall whose staff work over REST, and the supplier outside."""

    node: TestNode
    outside: Outside
    headers: Headers
    unit: str = HALL

    async def get(self, path: str, status: int = 200) -> Any:
        answer = await self.node.client.get(path, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, status: int = 200, *, key: str = "", **body: Any) -> Any:
        answer = await self.node.client.post(
            path, json=body, headers={**self.headers, "Idempotency-Key": key or str(new_id())}
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    async def put(self, level: int, quantity: int, tag: str | None = None) -> httpx.Response:
        if tag is None:
            stock = await self.node.client.get(f"/card-stocks/{self.unit}", headers=self.headers)
            tag = stock.headers["etag"]
        return await self.node.client.put(
            f"/card-stocks/{self.unit}",
            json={"level": level, "quantity": quantity},
            headers={**self.headers, "If-Match": tag},
        )

    async def load(self, count: int, first: int = 1) -> None:
        cards = [
            {"iccid": f"8986009999{n:010d}", "imsi": f"46009{n:010d}"}
            for n in range(first, first + count)
        ]
        await self.post("/sim-cards", 201, unit=self.unit, cards=cards)

    async def supply(self) -> None:
        """Let the job run, and what the supplier is asked go out."""
        await self.node.run_job("supply-cards")
        await self.outside.work(City(self.node.context, self.node.clock), SUPPLIER)

    async def orders(self, query: str = "") -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self.get(f"/card-orders{query}"))["items"]
        return items

    async def shipped(self, quantity: int = 3) -> dict[str, Any]:
        """Have so many cards ordered and shipped; returns the order."""
        assert (await self.put(1, quantity)).status_code == 200
        await self.supply()
        (order,) = await self.orders("?state=shipped")
        assert (order["in_transit"], order["received"]) == (quantity, 0)
        return order

    async def cards(self, order: dict[str, Any], query: str = "") -> list[str]:
        page = await self.get(f"/card-orders/{order['id']}/cards{query}")
        return [card["iccid"] for card in page["items"]]

    async def in_stock(self) -> int:
        return int((await self.get(f"/card-stocks/{self.unit}"))["in_stock"])


@pytest.fixture
async def node(make_node: MakeNode) -> TestNode:
    made = await make_node(VISITED, port_card_supplier_url=f"http://{SUPPLIER}")
    async with made.database.transaction() as session:
        for code in (HALL, OTHER_HALL):
            session.add(
                OrganisationUnit(
                    code=code,
                    parent_code=VISITED,
                    path=f"000000/440000/{VISITED}/{code}/",
                    kind="hall",
                    name_zh=code,
                    name_en=code,
                    created_at=NOON,
                    updated_at=NOON,
                )
            )
    return made


@pytest.fixture
def outside(node: TestNode) -> Outside:
    return Outside(node.clock, card_order.capability.offers)


@pytest.fixture
async def hall(node: TestNode, outside: Outside, sign_in: SignIn) -> Hall:
    return Hall(node, outside, await sign_in(node, Role.SUPERVISOR, HALL))


async def test_nothing_is_ordered_until_somebody_sets_a_level(hall: Hall) -> None:
    await hall.supply()
    assert await hall.orders() == []
    assert await hall.get(f"/card-stocks/{HALL}") == {
        "unit": HALL,
        "in_stock": 0,
        "in_transit": 0,
        "level": 0,
        "quantity": None,
        "version": 0,
    }


async def test_a_level_above_the_stock_orders_at_once_and_once(hall: Hall) -> None:
    await hall.load(2)
    assert (await hall.put(2, 50)).status_code == 200
    assert await hall.orders() == []
    assert (await hall.put(3, 50)).status_code == 200
    await hall.supply()
    assert (await hall.put(4, 70)).status_code == 200
    await hall.supply()
    (order,) = await hall.orders()
    assert (order["quantity"], order["number"], order["state"]) == (50, 1, "shipped")
    (asked,) = [each for each in hall.outside.told(SUPPLIER) if "hall" in each]
    assert asked == {"order": order["id"], "hall": HALL, "cards": 50}
    stock = (await hall.get("/card-stocks"))["items"]
    assert [(each["unit"], each["in_stock"], each["in_transit"]) for each in stock] == [
        (HALL, 2, 50)
    ]


async def test_a_level_says_which_version_it_changes(hall: Hall) -> None:
    assert (await hall.put(5, 10, '"1"')).status_code == 412
    first, second = await asyncio.gather(hall.put(5, 10, '"0"'), hall.put(6, 20, '"0"'))
    assert sorted([first.status_code, second.status_code]) == [200, 412]
    answer = await hall.node.client.put(
        f"/card-stocks/{HALL}", json={"level": 5, "quantity": 10}, headers=hall.headers
    )
    assert answer.status_code == 428
    for body in (
        {"level": -1, "quantity": 1},
        {"level": 1, "quantity": 0},
        {"level": 1},
        {"level": True, "quantity": 1},
    ):
        answer = await hall.node.client.put(
            f"/card-stocks/{HALL}", json=body, headers={**hall.headers, "If-Match": '"1"'}
        )
        assert answer.status_code == 422, answer.text


async def test_all_cards_of_an_order_are_received_once(hall: Hall) -> None:
    order = await hall.shipped(250)
    assert order["consignments"] == 3
    path = f"/card-orders/{order['id']}/receive"
    received = await hall.post(path, key="box")
    assert (received["state"], received["received"], received["in_transit"]) == ("received", 250, 0)
    assert await hall.post(path, key="box") == received
    problem = await hall.post(path, 409)
    assert problem["type"] == "urn:guanxi:problem:nothing-in-transit"
    assert await hall.in_stock() == 250
    await hall.supply()
    assert len(await hall.orders()) == 1, "the stock is at its level"


async def test_fewer_cards_leave_the_order_open_for_the_rest(hall: Hall) -> None:
    order = await hall.shipped(3)
    path = f"/card-orders/{order['id']}/receive"
    first, *rest = await hall.cards(order)
    part = await hall.post(path, cards=[first])
    assert (part["state"], part["received"], part["in_transit"]) == ("shipped", 1, 2)
    assert await hall.cards(order, "?state=in_transit") == rest
    assert [each["id"] for each in await hall.orders("?open=true")] == [order["id"]]
    assert (await hall.post(path, cards=rest))["state"] == "received"
    assert await hall.orders("?open=true") == []


async def test_two_clerks_receive_the_same_box_at_once(hall: Hall) -> None:
    order = await hall.shipped(100)
    path = f"/card-orders/{order['id']}/receive"

    async def receive() -> int:
        headers = {**hall.headers, "Idempotency-Key": str(new_id())}
        return (await hall.node.client.post(path, json={}, headers=headers)).status_code

    assert sorted(await asyncio.gather(receive(), receive())) == [200, 409]
    assert await hall.in_stock() == 100


@pytest.mark.parametrize("wrong", ["in stock", "received", "unknown", "another order's"])
async def test_a_card_that_is_not_on_its_way_is_named_and_nothing_is_received(
    hall: Hall, sign_in: SignIn, wrong: str
) -> None:
    await hall.load(1)
    assert (await hall.put(2, 3)).status_code == 200
    city = Hall(hall.node, hall.outside, await sign_in(hall.node, Role.SUPERVISOR), OTHER_HALL)
    assert (await city.put(1, 2)).status_code == 200
    await hall.supply()
    (order,) = await hall.orders()
    (other,) = await city.orders(f"?unit={OTHER_HALL}")
    good, received, *_ = await hall.cards(order)
    path = f"/card-orders/{order['id']}/receive"
    await hall.post(path, cards=[received])
    card = {
        "in stock": "89860099990000000001",
        "received": received,
        "unknown": "89860000000000000000",
        "another order's": (await city.cards(other))[0],
    }[wrong]
    problem = await hall.post(path, 409, cards=[good, card])
    assert problem["type"] == "urn:guanxi:problem:cards-not-in-transit"
    assert [fault["pointer"] for fault in problem["errors"]] == ["/cards/1"]
    assert card in problem["errors"][0]["detail"]
    assert await hall.in_stock() == 2
    assert good in await hall.cards(order, "?state=in_transit")


async def test_cards_on_their_way_are_not_loaded_by_hand(hall: Hall) -> None:
    order = await hall.shipped(1)
    (card,) = (await hall.get(f"/card-orders/{order['id']}/cards"))["items"]
    cards = [{"iccid": card["iccid"], "imsi": card["imsi"]}]
    problem = await hall.post("/sim-cards", 409, cards=cards)
    assert problem["type"] == "urn:guanxi:problem:cards-in-conflict"
    assert "receive it there" in problem["errors"][0]["detail"]


async def test_what_the_stock_has_is_not_this_order_s(hall: Hall) -> None:
    card = {"iccid": "89860088000000000001", "imsi": "460880000000001"}  # the supplier's first
    await hall.post("/sim-cards", 201, cards=[card])
    assert (await hall.put(2, 1)).status_code == 200
    await hall.supply()
    (order,) = await hall.orders()
    assert (order["state"], order["consignments"], order["received"]) == ("received", 1, 0)
    assert await hall.in_stock() == 1


async def test_what_was_not_shipped_is_cancelled_and_what_was_arrives(hall: Hall) -> None:
    assert (await hall.put(1, 250)).status_code == 200
    city = City(hall.node.context, hall.node.clock)
    await hall.outside.work(city, SUPPLIER, most=2)  # the order, and its first box
    (order,) = await hall.orders()
    assert (order["state"], order["in_transit"]) == ("confirmed", 100)
    assert (await hall.put(0, 250)).status_code == 200
    path = f"/card-orders/{order['id']}"
    cancelled = await hall.post(f"{path}/cancel", key="c")
    assert cancelled["state"] == "cancelled"
    assert await hall.post(f"{path}/cancel", key="c") == cancelled
    problem = await hall.post(f"{path}/cancel", 409)
    assert problem["type"] == "urn:guanxi:problem:card-order-ended"
    await hall.supply()
    assert {"order": order["id"]} in hall.outside.told(SUPPLIER)
    shipped = (await hall.get(path))["in_transit"]
    assert shipped == 200, "the second box was asked for before the order was cancelled"
    received = await hall.post(f"{path}/receive")
    assert (received["state"], received["received"]) == ("cancelled", 200)


async def test_a_refused_order_holds_its_place_until_it_is_cancelled(hall: Hall) -> None:
    hall.outside.fault(SUPPLIER, refusal_rate=1)
    assert (await hall.put(1, 10)).status_code == 200
    for _ in range(2):
        await hall.supply()
    (order,) = await hall.orders()
    assert (order["state"], order["refusal"]) == ("refused", "Refused")
    hall.outside.fault(SUPPLIER)
    await hall.post(f"/card-orders/{order['id']}/cancel")
    await hall.supply()
    numbers = [(each["number"], each["state"]) for each in await hall.orders("?sort=created_at")]
    assert sorted(numbers) == [(1, "cancelled"), (2, "shipped")]
    assert "handed_over" not in (await calls(hall.node)).values()


async def test_an_order_that_is_cancelled_before_it_is_refused_asks_nobody(hall: Hall) -> None:
    hall.outside.fault(SUPPLIER, refusal_rate=1)
    assert (await hall.put(1, 10)).status_code == 200
    assert (await hall.put(0, 10)).status_code == 200
    (order,) = await hall.orders()
    await hall.post(f"/card-orders/{order['id']}/cancel")
    await hall.supply()
    assert (await hall.get(f"/card-orders/{order['id']}"))["state"] == "cancelled"
    assert await calls(hall.node) == {"order": "refused", "cancel": "refused"}


async def calls(node: TestNode) -> dict[str, str]:
    pool = await node.database.pool()
    rows = await pool.fetch("SELECT effect, state FROM port_call ORDER BY number")
    return {row["effect"].partition(".")[2]: row["state"] for row in rows}


async def test_a_hall_sees_and_handles_its_own_alone(hall: Hall, sign_in: SignIn) -> None:
    order = await hall.shipped(1)
    path = f"/card-orders/{order['id']}"
    other = Hall(hall.node, hall.outside, await sign_in(hall.node, Role.SUPERVISOR, OTHER_HALL))
    assert await other.orders() == []
    for method, where in (
        ("GET", path),
        ("GET", f"{path}/cards"),
        ("POST", f"{path}/receive"),
        ("POST", f"{path}/cancel"),
        ("GET", f"/card-stocks/{HALL}"),
        ("PUT", f"/card-stocks/{HALL}"),
    ):
        answer = await hall.node.client.request(
            method,
            where,
            json={"level": 1, "quantity": 1} if method == "PUT" else {},
            headers={**other.headers, "Idempotency-Key": where, "If-Match": '"1"'},
        )
        assert answer.status_code == 404, (method, where, answer.text)
    clerk = Hall(hall.node, hall.outside, await sign_in(hall.node, Role.CLERK, HALL))
    assert (await clerk.put(1, 5)).status_code == 403
    assert (await clerk.post(f"{path}/receive"))["state"] == "received"
    manager = Hall(hall.node, hall.outside, await sign_in(hall.node, Role.ACCOUNT_MANAGER, HALL))
    await manager.get("/card-orders", 403)


async def test_orders_come_in_pages_the_latest_first(hall: Hall) -> None:
    for number in range(3):
        hall.node.clock.advance(timedelta(minutes=number))
        order = await hall.shipped(1)
        await hall.post(f"/card-orders/{order['id']}/cancel")
        assert (await hall.put(0, 1)).status_code == 200
    seen, cursor = [], ""
    while True:
        page = await hall.get(f"/card-orders?limit=2{cursor}")
        seen += [order["number"] for order in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [3, 2, 1]


async def test_what_people_do_is_in_the_log(hall: Hall) -> None:
    order = await hall.shipped(2)
    await hall.post(f"/card-orders/{order['id']}/receive", cards=(await hall.cards(order))[:1])
    await hall.post(f"/card-orders/{order['id']}/cancel")
    pool = await hall.node.database.pool()
    rows = await pool.fetch(
        "SELECT action FROM audit_record WHERE action LIKE 'card_order.%' ORDER BY id"
    )
    assert [row["action"] for row in rows] == [
        "card_order.level_set",
        "card_order.received",
        "card_order.cancelled",
    ]


async def test_without_a_supplier_nothing_is_ordered(make_node: MakeNode, sign_in: SignIn) -> None:
    node = await make_node(VISITED)
    outside = Outside(node.clock, card_order.capability.offers)
    hall = Hall(node, outside, await sign_in(node, Role.SUPERVISOR), VISITED)
    assert (await hall.put(5, 10)).status_code == 200
    await node.run_job("supply-cards")
    assert await hall.orders() == []
