"""The clerks: each serves one customer of another city after another."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from uuid import UUID

from shared.kernel.ids import derived_id
from tests.chaos.counter.people import people
from tests.chaos.counter.services import SERVICES, Desk, Served
from tests.chaos.counter.staff import Staff
from tests.chaos.nation import Nation
from tests.chaos.schedule import CITIES
from tests.chaos.traffic import Gate

CLERKS = 8
"""At each city."""
PAUSE_SECONDS = 0.05
_NAMESPACE = UUID("2f6f2c0a-5d0e-5a6e-9e52-3a1f0c5e7b2a")


class Clerks:
    """All clerks of a run.

    Args:
        nation: where they work.
        seed: decides who comes for what.
        gates: whether people may go to a city at the moment.

    Attributes:
        served: what the clerks were told, by city of the counter.
    """

    def __init__(self, nation: Nation, *, seed: int, gates: dict[str, Gate]) -> None:
        self._seed = seed
        self._people = list(people())
        self._homes = {person.msisdn: person.city for person in self._people}
        """Where customers are at home by now, as far as the clerks know."""
        self._busy: set[str] = set()
        """Numbers of customers who stand at some counter."""
        self._ending = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._desks = {
            city: Desk(
                Staff(nation[city], "clerk", gates[city]),
                Staff(nation[city], "supervisor", gates[city]),
            )
            for city in CITIES
        }
        self.served: list[Served] = []

    @property
    def repeated(self) -> int:
        """How often something was asked again."""
        return sum(desk.clerk.repeated + desk.supervisor.repeated for desk in self._desks.values())

    @property
    def refused(self) -> Counter[str]:
        """What was not accepted at all, by status and type of the problem."""
        return sum((desk.refused for desk in self._desks.values()), Counter())

    def begin(self) -> None:
        """Open the counters."""
        for city in CITIES:
            opened = asyncio.create_task(self._desks[city].open())
            self._tasks.append(opened)
            self._tasks += [
                asyncio.create_task(self._work(city, number, opened)) for number in range(CLERKS)
            ]

    async def finish(self, patience: float) -> int:
        """Close the counters when everybody is served; returns how many clerks are still waiting for an end."""
        self._ending.set()
        _, waiting = await asyncio.wait(self._tasks, timeout=patience)
        for task in waiting:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for desk in self._desks.values():
            await desk.close()
        for result in results:
            if isinstance(result, Exception):
                raise result
        return len(waiting)

    async def _work(self, city: str, number: int, opened: asyncio.Task[None]) -> None:
        await asyncio.shield(opened)
        chance = random.Random(f"{self._seed} clerk {city} {number}")  # noqa: S311 - to be repeated
        turn = 0
        while not self._ending.is_set():
            turn += 1
            person = chance.choice(self._people)
            person = replace(person, city=self._homes[person.msisdn])
            kind = chance.choice(["card-replacement", "transfer" if person.moves else "payment"])
            if person.city == city or person.msisdn in self._busy:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            self._busy.add(person.msisdn)
            key = derived_id(_NAMESPACE, str(self._seed), city, str(number), str(turn))
            try:
                served = await SERVICES[kind](self._desks[city], person, key)
                self.served += served
                if ("transfer", "completed") in [(each.kind, each.state) for each in served]:
                    self._homes[person.msisdn] = city
            finally:
                self._busy.discard(person.msisdn)
