"""What the nodes say of it all, asked over REST as their staff ask."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx

from shared.capability import Role
from shared.organisation.division import division
from tests.chaos.counter.people import STAFF, people, username_of
from tests.chaos.counter.records import (
    Books,
    Call,
    Card,
    Effect,
    Handset,
    Ledger,
    Line,
    Owned,
    Payment,
    Request,
)
from tests.chaos.counter.staff import Staff
from tests.chaos.nation import Nation
from tests.chaos.schedule import CITIES, PARENTS, PORTS

AT_ONCE = 8
NUMBERS = frozenset(person.msisdn for person in people())
Credit = tuple[str, int]


async def books(nation: Nation) -> Books:
    """Read everything that is judged."""
    async with AsyncExitStack() as stack:
        staff = {}
        for code in PARENTS:
            (*_, role) = STAFF[division(code).tier]
            staff[code] = Staff(nation[code], username_of(role))
            stack.push_async_callback(staff[code].close)
        found = await asyncio.gather(*(_city(staff[city]) for city in CITIES))
        lines = [line for one in found for line in one.lines]
        directory = {
            customer: owned
            for customer in {line.customer for line in lines}
            if (owned := await _owned(staff["000000"], customer)) is not None
        }
        slots = asyncio.Semaphore(AT_ONCE)

        async def credits_at(city: str, customer: str, msisdn: str) -> list[Credit]:
            async with slots:
                return await _credits(staff[city], customer, msisdn)

        # Of who moves at every city, since the account that they had where they were at home before stays there.
        moving = {person.msisdn for person in people() if person.moves}
        accounts = {
            (city, line.customer, line.msisdn)
            for line in lines
            for city in (CITIES if line.msisdn in moving else (line.node,))
        }
        credits_ = await asyncio.gather(*(credits_at(*account) for account in accounts))
        ledgers = await asyncio.gather(*(_ledger(each) for each in staff.values()))
    return Books(
        requests=tuple(each for one in found for each in one.requests),
        cards=tuple(each for one in found for each in one.cards),
        lines=tuple(lines),
        payments=tuple(each for one in found for each in one.payments),
        credits=tuple(each for some in credits_ for each in some),
        ledgers=tuple(ledgers),
        directory=directory,
        handsets=tuple(each for one in found for each in one.handsets),
        calls=tuple(each for one in found for each in one.calls),
        effects=tuple(
            [_effect(each) for port in PORTS async for each in nation.outside.effects(port)]
        ),
    )


async def under_way(nation: Nation) -> int:
    """Return how many requests have not ended, at either end, and how many calls of ports have not been answered."""
    open_ = 0
    for city in CITIES:
        staff = Staff(nation[city], Role.SUPERVISOR.value)
        try:
            _, page = await staff.get("/service-requests", open="true", limit=1, count="true")
            _, ports = await staff.get("/ports")
            open_ += page["count"] + sum(port["waiting"] for port in ports)
        finally:
            await staff.close()
    return open_


async def _city(staff: Staff) -> Books:
    slots = asyncio.Semaphore(AT_ONCE)

    async def held_by(customer: str) -> list[Line]:
        async with slots:
            return await _held(staff, customer)

    customers = await staff.all("/customers", fields="id")
    lines = await asyncio.gather(*(held_by(each["id"]) for each in customers))
    return Books(
        requests=tuple(await _requests(staff)),
        cards=tuple(
            Card(staff.code, each["iccid"], each["state"])
            for each in await staff.all("/sim-cards", fields="iccid,state")
        ),
        lines=tuple(line for some in lines for line in some),
        payments=tuple(await _payments(staff)),
        handsets=tuple(
            Handset(staff.code, each["id"], each["state"])
            for each in await staff.all("/loan-handsets", fields="id,state")
        ),
        calls=tuple(
            Call(staff.code, each["id"], each["state"], each["effect"])
            for each in await staff.all("/port-calls", fields="id,state,effect")
        ),
    )


async def _requests(staff: Staff) -> list[Request]:
    repairs = await staff.all("/repairs", fields="id,home_fen")
    home_fen = {each["id"]: each["home_fen"] for each in repairs}
    fields = "id,kind,role,state,home,visited,ended_at"
    return [
        Request(
            node=staff.code,
            id=each["id"],
            kind=each["kind"],
            role=each["role"],
            state=each["state"],
            home=each["home"],
            visited=each["visited"],
            ended=each["ended_at"] is not None,
            home_fen=home_fen.get(each["id"]),
        )
        for each in await staff.all("/service-requests", fields=fields)
    ]


async def _payments(staff: Staff) -> list[Payment]:
    fields = "id,role,state,amount_fen,reversed_at"
    return [
        Payment(
            node=staff.code,
            id=each["id"],
            role=each["role"],
            state=each["state"],
            amount_fen=each["amount_fen"],
            is_reversed=each["reversed_at"] is not None,
        )
        for each in await staff.all("/payments", fields=fields)
    ]


async def _held(staff: Staff, customer: str) -> list[Line]:
    """Return the lines in use of a customer in the network of a city, if it is one of those whom the clerks serve."""
    path = f"/customers/{customer}"
    _, whole = await staff.get(path, include="subscriptions,ownership")
    lines = [
        line
        for line in whole["subscriptions"]
        if line["msisdn"] in NUMBERS and line["status"] != "ended"
    ]
    if not lines:
        return []
    _, points = await staff.get(f"{path}/points")
    return [
        Line(
            node=staff.code,
            customer=customer,
            id=line["id"],
            msisdn=line["msisdn"],
            iccid=line["iccid"],
            points=points["balance"],
            epoch=whole["ownership"]["epoch"],
            is_live=whole["ownership"]["state"] == "live",
        )
        for line in lines
    ]


async def _credits(staff: Staff, customer: str, msisdn: str) -> list[Credit]:
    """Return what was credited at a city to a customer's lines with that number, whether they are in use or not."""
    path = f"/customers/{customer}"
    status, whole = await staff.get(path, include="subscriptions")
    if status == httpx.codes.NOT_FOUND:
        return []
    accounts = [
        f"{path}/subscriptions/{each['id']}/billing-account/entries"
        for each in whole["subscriptions"]
        if each["msisdn"] == msisdn
    ]
    return [
        (each["cause_id"], each["amount_fen"])
        for account in accounts
        for each in await staff.all(account)
        if each["kind"] == "credited"
    ]


async def _owned(staff: Staff, customer: str) -> Owned | None:
    """Return whose a customer is by HQ's directory, which knows those who have moved."""
    status, found = await staff.get(f"/ownership/{customer}")
    if status != httpx.codes.OK:
        return None
    moves = tuple((each["former_owner"], each["owner"]) for each in found["history"])
    return Owned(found["owner"], found["epoch"], moves)


def _effect(done: dict[str, Any]) -> Effect:
    content = done["content"]
    return Effect(done["key"], content.get("msisdn"), content.get("iccid"))


async def _ledger(staff: Staff) -> Ledger:
    _, found = await staff.get("/clearing/positions")
    till = None
    if staff.code in CITIES:
        _, totals = await staff.get("/payments/totals")
        till = totals["credited_fen"]
    positions = {each["account"]: each["net_fen"] for each in found["accounts"]}
    return Ledger(staff.code, positions, found["sum_fen"], till)
