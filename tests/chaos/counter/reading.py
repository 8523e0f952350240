"""What the nodes say of it all, asked over REST as their staff ask."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import httpx

from shared.capability import Role
from shared.organisation.division import division
from tests.chaos.counter.checker import Books, Card, Ledger, Line, Payment, Request
from tests.chaos.counter.people import STAFF, people, username_of
from tests.chaos.counter.staff import Staff
from tests.chaos.nation import Nation
from tests.chaos.schedule import CITIES, PARENTS

AT_ONCE = 8
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
        directory = [await _owner(staff["000000"], line) for one in found for line in one.lines]
        ledgers = await asyncio.gather(*(_ledger(each) for each in staff.values()))
    return Books(
        requests=tuple(each for one in found for each in one.requests),
        cards=tuple(each for one in found for each in one.cards),
        lines=tuple(each for one in found for each in one.lines),
        payments=tuple(each for one in found for each in one.payments),
        credits=tuple(each for one in found for each in one.credits),
        ledgers=tuple(ledgers),
        directory={customer: owner for customer, owner in directory if owner is not None},
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


async def _city(staff: Staff) -> Books:
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
    fields = "id,role,state,amount_fen,reversed_at"
    payments = [
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
    slots = asyncio.Semaphore(AT_ONCE)

    async def held_by(msisdn: str) -> Sequence[tuple[Line, list[Credit]]]:
        async with slots:
            return [held async for held in _held(staff, msisdn)]

    found = await asyncio.gather(*(held_by(person.msisdn) for person in people()))
    held = [each for some in found for each in some]
    return Books(
        requests=tuple(requests),
        cards=tuple(cards),
        lines=tuple(line for line, _ in held),
        payments=tuple(payments),
        credits=tuple(credit for _, credits_ in held for credit in credits_),
    )


async def _held(staff: Staff, msisdn: str) -> AsyncIterator[tuple[Line, list[Credit]]]:
    """Give the lines with that number of customers in the network of a city, and what was credited to each."""
    for customer in await staff.all("/customers", msisdn=msisdn, fields="id"):
        path = f"/customers/{customer['id']}"
        _, whole = await staff.get(path, include="subscriptions,ownership")
        _, points = await staff.get(f"{path}/points")
        for line in whole["subscriptions"]:
            if line["msisdn"] == msisdn and line["status"] != "ended":
                entries = await staff.all(
                    f"{path}/subscriptions/{line['id']}/billing-account/entries"
                )
                credits_ = [
                    (each["cause_id"], each["amount_fen"])
                    for each in entries
                    if each["kind"] == "credited"
                ]
                held = Line(
                    node=staff.code,
                    customer=customer["id"],
                    id=line["id"],
                    msisdn=msisdn,
                    iccid=line["iccid"],
                    points=points["balance"],
                    epoch=whole["ownership"]["epoch"],
                )
                yield held, credits_


async def _owner(staff: Staff, line: Line) -> tuple[str, tuple[str, int] | None]:
    """Return whose a customer is by HQ's directory, which knows those who have moved."""
    status, found = await staff.get(f"/ownership/{line.customer}")
    return line.customer, (found["owner"], found["epoch"]) if status == httpx.codes.OK else None


async def _ledger(staff: Staff) -> Ledger:
    _, found = await staff.get("/clearing/positions")
    till = None
    if staff.code in CITIES:
        _, totals = await staff.get("/payments/totals")
        till = totals["credited_fen"]
    positions = {each["account"]: each["net_fen"] for each in found["accounts"]}
    return Ledger(staff.code, positions, found["sum_fen"], till)
