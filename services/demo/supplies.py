"""A hall runs low on blank cards: its node orders from the supplier, and what comes is received."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from services.demo.outside import Called, Outside, told
from services.demo.rest import LONGEST_PAUSE, SHORTEST_PAUSE, content, post, read
from services.demo.stage import Stage
from shared.commandline import CommandFailed

ORDERS, SUPPLIER = "/card-orders", "card-supplier"
QUANTITY = 10
"""Cards in an order: more than are taken in one run."""
SHIPPED_SECONDS = 60.0
"""The supplier has to answer twice."""

Order = dict[str, Any]
Stock = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Supply:
    """A hall's stock of cards, and the order that filled it.

    Attributes:
        before: what the hall had before the cards were received.
        order: as it ended.
        after: what the hall had then.
        called: what the supplier was asked.
    """

    before: Stock
    order: Order
    after: Stock
    called: list[Called]

    def facts(self) -> dict[str, Any]:
        """Return what a program wants to know of it."""
        names = ("state", "quantity", "received", "in_transit", "lost")
        return {
            **{name: self.order[name] for name in names},
            "level": self.after["level"],
            "before": self.before["in_stock"],
            "after": self.after["in_stock"],
        }


async def in_stock(supervisor: httpx.AsyncClient, hall: str) -> int:
    """Return how many cards a hall has."""
    return int((await read(supervisor, f"/card-stocks/{hall}"))["in_stock"])


async def set_level(supervisor: httpx.AsyncClient, hall: str, level: int) -> None:
    """Let a hall order when it has fewer cards than ``level``: at once, if it has by now.

    Raises:
        CommandFailed: if that is refused.
    """
    path = f"/card-stocks/{hall}"
    answer = await supervisor.get(path)
    content(answer)
    body = {"level": level, "quantity": QUANTITY}
    content(await supervisor.put(path, json=body, headers={"If-Match": answer.headers["ETag"]}))


async def receive(clerk: httpx.AsyncClient, outside: Outside, hall: str) -> Supply:
    """Receive what the supplier has shipped to a hall, once it has.

    Raises:
        CommandFailed: if nothing comes, or the stock is not what it should be then.
    """
    shipped = await _shipped(clerk, hall)
    before = await read(clerk, f"/card-stocks/{hall}")
    order = await post(clerk, f"{ORDERS}/{shipped['id']}/receive", {})
    after = await read(clerk, f"/card-stocks/{hall}")
    called = [
        call for call in await outside.called(SUPPLIER) if call["content"]["order"] == order["id"]
    ]
    supply = Supply(before, order, after, called)
    _check(supply)
    return supply


async def _shipped(clerk: httpx.AsyncClient, hall: str) -> Order:
    state, pause = "not placed", SHORTEST_PAUSE
    try:
        async with asyncio.timeout(SHIPPED_SECONDS):
            while True:
                found = (await read(clerk, ORDERS, unit=hall, open="true"))["items"]
                if found and found[0]["state"] == "shipped":
                    order: Order = found[0]
                    return order
                state = found[0]["state"] if found else state
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST_PAUSE)
    except TimeoutError:
        raise CommandFailed(
            f"The order of cards for {hall} is still {state} after {SHIPPED_SECONDS:.0f} s: `guanxi port list` there shows why."
        ) from None


def _check(supply: Supply) -> None:
    before, order, after = supply.before, supply.order, supply.after
    came = after["in_stock"] - before["in_stock"]
    done = [each["operation"] for each in supply.called if each["outcome"].startswith("done")]
    if (
        not before["in_stock"] < after["level"] <= after["in_stock"]
        or [order["state"], order["received"], after["in_transit"]] != ["received", came, 0]
        or came != order["quantity"]
        or len(done) > len(set(done))
    ):
        raise CommandFailed(f"The cards ordered are not the cards in stock: {supply}")


def show(stage: Stage, supply: Supply) -> None:
    """Tell of an order: what the supplier was asked, and what the hall had before and after."""
    for sentence in told(supply.called):
        stage.say(sentence)
    order, after = supply.order, supply.after
    stage.conclude(
        f"{after['unit']} had {supply.before['in_stock']} cards and orders under {after['level']}: {order['quantity']} were "
        f"ordered as {order['reference']} and {order['received']} received, so that it has {after['in_stock']}, and none is on its way."
    )
