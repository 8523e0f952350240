"""Blank cards that are ordered in the demo: it believes the stock alone, not what the order says of it."""

from typing import Any

import httpx
import pytest

from services.demo import supplies
from services.demo.outside import Outside
from shared.commandline import CommandFailed
from tests.demo.test_services import node

HALL = "440300"
STOCK = f"GET /card-stocks/{HALL}"


def stock(in_stock: int, **more: Any) -> dict[str, Any]:
    return {"unit": HALL, "in_stock": in_stock, "in_transit": 0, "level": 10, **more}


def order(state: str, received: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": "o",
        "state": state,
        "quantity": 10,
        "received": received,
        "in_transit": 10 - received,
        "lost": 0,
        "reference": "card-supplier-000001",
        **more,
    }


def supplier(*operations: str) -> Outside:
    """Give the simulators, with a supplier that has done that of our order, and something of another."""
    seen = [("o", name) for name in operations] + [("other", "orders")]
    calls = [
        {"operation": name, "outcome": "done", "key": str(place), "content": {"order": which}}
        for place, (which, name) in enumerate(seen)
    ]
    answering = httpx.MockTransport(lambda _: httpx.Response(200, json={"calls": calls}))
    return Outside(httpx.AsyncClient(transport=answering, base_url="http://simulators"))


async def received(
    *stocks: dict[str, Any], ended: dict[str, Any] | None = None, outside: Outside | None = None
) -> supplies.Supply:
    answers = {
        "GET /card-orders": [
            {"items": []},
            *({"items": [order(s)]} for s in ("placed", "shipped")),
        ],
        "POST /card-orders/o/receive": ended or order("received", 10),
        STOCK: list(stocks),
    }
    asked = outside or supplier("orders", "dispatch-advices")
    async with node(answers) as clerk:
        return await supplies.receive(clerk, asked, HALL)


async def test_a_level_is_set_on_what_was_read() -> None:
    puts: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            puts.append(request)
        return httpx.Response(200, json=stock(7), headers={"ETag": '"3"'})

    answering = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=answering, base_url="http://node") as supervisor:
        assert await supplies.in_stock(supervisor, HALL) == 7
        await supplies.set_level(supervisor, HALL, 8)
    (put,) = puts
    assert (put.headers["If-Match"], put.content) == ('"3"', b'{"level":8,"quantity":10}')


async def test_cards_are_awaited_and_received() -> None:
    supply = await received(stock(9, in_transit=10), stock(19))

    assert supply.facts() == {
        "state": "received",
        "quantity": 10,
        "received": 10,
        "in_transit": 0,
        "lost": 0,
        "level": 10,
        "before": 9,
        "after": 19,
    }
    assert [each["operation"] for each in supply.called] == ["orders", "dispatch-advices"]


@pytest.mark.parametrize(
    ("before", "after", "ended"),
    [
        pytest.param(stock(9), stock(18), order("received", 10), id="a card is missing"),
        pytest.param(stock(9), stock(18), order("received", 9), id="fewer came than ordered"),
        pytest.param(stock(10), stock(20), order("received", 10), id="ordered without need"),
        pytest.param(stock(9), stock(19), order("shipped", 10), id="the order is not at its end"),
        pytest.param(
            stock(9), stock(19, in_transit=1), order("received", 10), id="one is under way"
        ),
    ],
)
async def test_a_stock_that_is_not_whole_is_no_success(
    before: dict[str, Any], after: dict[str, Any], ended: dict[str, Any]
) -> None:
    with pytest.raises(CommandFailed, match="not the cards in stock"):
        await received(before, after, ended=ended)


async def test_cards_that_were_ordered_twice_are_no_success() -> None:
    twice = supplier("orders", "orders", "dispatch-advices")
    with pytest.raises(CommandFailed, match="not the cards in stock"):
        await received(stock(9), stock(19), outside=twice)


async def test_an_order_that_is_not_shipped_is_not_awaited_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.demo.supplies.SHIPPED_SECONDS", 0.2)
    async with node({"GET /card-orders": {"items": [order("refused")]}}) as clerk:
        with pytest.raises(CommandFailed, match="is still refused"):
            await supplies.receive(clerk, supplier(), HALL)
