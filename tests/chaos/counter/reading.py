"""What the nodes say of it all, asked over REST as their staff ask."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from shared.capability import Role
from tests.chaos.counter.checker import Books, Card, Line, Request
from tests.chaos.counter.people import people
from tests.chaos.counter.staff import Staff
from tests.chaos.nation import Nation
from tests.chaos.schedule import CITIES

AT_ONCE = 8


async def books(nation: Nation) -> Books:
    """Read everything that is judged."""
    async with AsyncExitStack() as stack:
        supervisors = {}
        for city in CITIES:
            supervisors[city] = Staff(nation[city], Role.SUPERVISOR.value)
            stack.push_async_callback(supervisors[city].close)
        found = await asyncio.gather(*(_city(staff) for staff in supervisors.values()))
    return Books(
        requests=tuple(each for requests, _, _ in found for each in requests),
        cards=tuple(each for _, cards, _ in found for each in cards),
        lines=tuple(each for _, _, lines in found for each in lines),
    )


async def under_way(nation: Nation) -> int:
    """Return how many requests have not ended, at either end."""
    open_ = 0
    for city in CITIES:
        staff = Staff(nation[city], Role.SUPERVISOR.value)
        try:
            _, page = await staff.get("/service-requests", open="true", limit=1, count="true")
            open_ += page["count"]
        finally:
            await staff.close()
    return open_


async def _city(staff: Staff) -> tuple[list[Request], list[Card], list[Line]]:
    fields = "id,kind,role,state,home,visited,ended_at"
    requests = [
        Request(
            node=staff.code,
            id=each["id"],
            kind=each["kind"],
            role=each["role"],
            state=each["state"],
            home=each["home"],
            visited=each["visited"],
            ended=each["ended_at"] is not None,
        )
        for each in await staff.all("/service-requests", fields=fields)
    ]
    cards = [
        Card(staff.code, each["iccid"], each["state"])
        for each in await staff.all("/sim-cards", fields="iccid,state")
    ]
    slots = asyncio.Semaphore(AT_ONCE)

    async def lines_of(msisdn: str) -> Sequence[Line]:
        async with slots:
            return [line async for line in _lines(staff, msisdn)]

    lines = await asyncio.gather(*(lines_of(person.msisdn) for person in people()))
    return requests, cards, [line for found in lines for line in found]


async def _lines(staff: Staff, msisdn: str) -> Any:
    """Give the lines with that number of customers in the network of a city."""
    for customer in await staff.all("/customers", msisdn=msisdn, fields="id"):
        _, whole = await staff.get(f"/customers/{customer['id']}", include="subscriptions")
        for line in whole["subscriptions"]:
            if line["msisdn"] == msisdn and line["status"] != "ended":
                yield Line(staff.code, customer["id"], line["id"], msisdn, line["iccid"])
