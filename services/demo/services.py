"""What customers of other cities come for in one run of the demo, and what becomes of it."""

from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from services.demo import clearing, outage, repairs, replacements, supplies, tills, transfers
from services.demo.cable import Cable
from services.demo.casting import chosen
from services.demo.nodes import BEHIND_CABLE
from services.demo.outside import Called, Outside
from services.demo.people import Person
from services.demo.rest import Request
from services.demo.stage import Stage
from services.demo.tills import Till

AT_COUNTER, FROM_CITY, NEIGHBOUR = "440300", "110100", "440100"
"""Customers of Beijing stand at counters in Shenzhen; Guangzhou is in Shenzhen's province."""
PAID_FEN = {FROM_CITY: 4_500, NEIGHBOUR: 3_000, BEHIND_CABLE: 6_000}
"""What is paid at the tills of the other cities, for lines elsewhere."""
PAYMENT = "payment"


@dataclass(slots=True)
class Served:
    """What became of everything that customers came for.

    Attributes:
        requests: all requests between cities, as they ended.
        shifts: the tills' shifts, as they were cashed up, by city.
        outside: the calls that systems outside have had.
        interrupted: what came of the payment that was taken while the link was cut.
        cleared: the books at the end.
        supply: the blank cards that were ordered meanwhile.
    """

    requests: list[Request] = field(default_factory=list)
    shifts: dict[str, dict[str, Any]] = field(default_factory=dict)
    outside: list[Called] = field(default_factory=list)
    interrupted: dict[str, Any] = field(default_factory=dict)
    cleared: clearing.Clearing | None = None
    supply: supplies.Supply | None = None

    def facts(self) -> dict[str, Any]:
        """Return what a program wants to know of it."""
        kinds = sorted({request["kind"] for request in self.requests})
        names = ("taken_fen", "expected_fen", "counted_fen", "difference_fen", "state")
        return {
            "services": {
                kind: Counter(each["state"] for each in self.requests if each["kind"] == kind)
                for kind in kinds
            },
            "interrupted": self.interrupted,
            "tills": {
                city: {name: shift[name] for name in names} for city, shift in self.shifts.items()
            },
            "clearing": self.cleared.facts() if self.cleared else None,
            "supply": self.supply.facts() if self.supply else None,
            "requests": [
                {
                    name: request[name]
                    for name in ("id", "kind", "state", "home", "visited", "trail")
                }
                for request in self.requests
            ],
            "outside": self.outside,
        }


async def serve(stage: Stage, outside: Outside, cable: Cable) -> Served:
    """Serve everybody who comes in this run, and tell of it.

    Raises:
        CommandFailed: if anything ends otherwise than it should.
    """
    memory, served = stage.memory, Served()
    run = memory.asked
    memory.asked += 1
    memory.keep(stage.home)  # before anything is asked: whatever happens, the next run has others
    loses, shows, breaks, moves, gives_up, receives = chosen(
        stage.people, FROM_CITY, run=run, away=memory.moved
    )
    neighbours = chosen(stage.people, NEIGHBOUR, run=run, away=memory.moved)
    local = chosen(stage.people, AT_COUNTER, run=run, away=memory.moved)[0]
    await _replace_cards(stage, served, outside, loses, shows)
    async with AsyncExitStack() as stack:
        open_tills = [
            await tills.open_till(
                node.code, await stack.enter_async_context(stage.client(node.code, "clerk"))
            )
            for node in stage.cities
        ]
        till = {each.city: each for each in open_tills}
        await _repair(stage, served, breaks)  # the deposit of what is lent goes into the till
        await _move(stage, served, till[AT_COUNTER], moves)
        pays = [
            (till[FROM_CITY], neighbours[0]),
            (till[NEIGHBOUR], local),
            (till[BEHIND_CABLE], receives),
        ]
        await _pay(stage, served, pays)
        await _interrupt(stage, served, cable, till[BEHIND_CABLE], (neighbours[1], gives_up))
        await _close_the_day(stage, served, open_tills)
    await _receive_cards(stage, served, outside)
    return served


async def _replace_cards(
    stage: Stage, served: Served, outside: Outside, loses: Person, shows: Person
) -> None:
    with stage.part(
        "request",
        f"A customer of Beijing ({FROM_CITY}) needs a new SIM card in Shenzhen ({AT_COUNTER})",
    ):
        for each, city in enumerate((AT_COUNTER, BEHIND_CABLE)):
            async with stage.client(city, "supervisor") as supervisor:
                await replacements.load_cards(supervisor, 2 * stage.memory.asked + each)
        async with stage.client(AT_COUNTER, "supervisor") as supervisor:
            had = await supplies.in_stock(supervisor, AT_COUNTER)
        await outside.lose_answers("network", lost=True)
        async with stage.client(AT_COUNTER, "clerk") as clerk:
            replaced = await replacements.replace(clerk, loses)
            refused = await replacements.try_with_foreign_document(
                clerk, shows, loses.document_number
            )
        async with stage.client(AT_COUNTER, "supervisor") as supervisor:
            await supplies.set_level(supervisor, AT_COUNTER, had)  # it has one card fewer by now
    stage.show_request(replaced, whole=True)
    stage.show_request(refused)
    served.requests += [replaced, refused]
    with stage.part("outside", "What systems outside were asked for it, and how often"):
        served.outside = await replacements.await_outside(stage, outside, replaced)


async def _repair(stage: Stage, served: Served, breaks: Person) -> None:
    with stage.part("repair", f"A handset from Beijing is repaired in Shenzhen ({AT_COUNTER})"):
        async with stage.client(AT_COUNTER, "supervisor") as supervisor:
            await repairs.load_handset(supervisor, stage.memory.asked)
        async with stage.client(AT_COUNTER, "clerk") as clerk:
            repaired = await repairs.repair(clerk, breaks)
    repairs.show(stage, repaired)
    served.requests.append(repaired)


async def _move(stage: Stage, served: Served, till: Till, moves: Person) -> None:
    with stage.part(
        "transfer", f"A customer of Beijing ({FROM_CITY}) moves to Shenzhen ({AT_COUNTER})"
    ):
        moved = await transfers.move(stage, till, moves)
    transfers.show(stage, moved)
    served.requests += [moved.refused, moved.payment, moved.transfer]


async def _pay(stage: Stage, served: Served, pays: Sequence[tuple[Till, Person]]) -> None:
    with stage.part("payment", "Money at tills, for lines of other cities"):
        payments = [
            await till.credited(await till.take(person, PAID_FEN[till.city]))
            for till, person in pays
        ]
    for payment in payments:
        tills.show_payment(stage, payment)
    served.requests += payments


async def _interrupt(
    stage: Stage, served: Served, cable: Cable, till: Till, people: tuple[Person, Person]
) -> None:
    with stage.part("outage", f"The link of Shanghai ({till.city}) to its province is cut"):
        found = await outage.interrupt(stage, cable, till, *people)
    outage.show(stage, found)
    served.requests += [found.payment, found.cancelled]
    served.interrupted = found.facts()


async def _close_the_day(stage: Stage, served: Served, open_tills: Sequence[Till]) -> None:
    with stage.part("clearing", "The tills are cashed up, and the day is cleared"):
        shifts = [(till, await till.cash_up()) for till in open_tills]
        days = [each["business_day"] for each in served.requests if each["kind"] == PAYMENT]
        served.cleared = await clearing.clear(stage, date.fromisoformat(max(days)))
    tills.show(stage, shifts)
    clearing.show(stage, served.cleared)
    served.shifts = {till.city: shift for till, shift in shifts}


async def _receive_cards(stage: Stage, served: Served, outside: Outside) -> None:
    with stage.part("supply", f"Shenzhen ({AT_COUNTER}) ran low on SIM cards, and ordered some"):
        async with stage.client(AT_COUNTER, "clerk") as clerk:
            served.supply = await supplies.receive(clerk, outside, AT_COUNTER)
    supplies.show(stage, served.supply)
