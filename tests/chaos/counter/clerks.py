"""The clerks: each serves one customer of another city after another, and some are at two counters at once."""

import asyncio
import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from uuid import UUID

from shared.kernel.ids import derived_id
from tests.chaos.counter import payment, transfer
from tests.chaos.counter.desk import Desk, Served
from tests.chaos.counter.people import Person, people
from tests.chaos.counter.records import Told
from tests.chaos.counter.services import SERVICES
from tests.chaos.counter.staff import Staff
from tests.chaos.nation import Nation
from tests.chaos.schedule import CITIES
from tests.chaos.traffic import Gate

CLERKS = 10
"""At each city, if nobody says how many."""
MIX = (*SERVICES, transfer.KIND)
"""What customers come for: one in four moves."""
RIVALS = 4
"""One customer in so many is at the counters of two cities at once."""
PAUSE_SECONDS = 0.05
_NAMESPACE = UUID("2f6f2c0a-5d0e-5a6e-9e52-3a1f0c5e7b2a")


@dataclass(frozen=True, slots=True)
class Work:
    """What the clerks do.

    Attributes:
        kinds: the services that there are; one that is named twice is wanted twice as often.
        rivals: one customer in so many is at the counters of two cities at once.
        clerks: how many there are at each city.
    """

    kinds: Collection[str] = MIX
    rivals: int = RIVALS
    clerks: int = CLERKS

    def wishes(self, person: Person, *, is_rival: bool = False) -> list[str]:
        """Return what somebody may come for: half of them move, the others pay, and a rival pays for whoever moves."""
        none = transfer.KIND
        if person.moves:
            none = "" if is_rival else payment.KIND
        return [kind for kind in self.kinds if kind != none]


class Clerks:
    """All clerks of a run.

    Args:
        nation: where they work.
        seed: decides who comes for what.
        gates: whether people may go to a city at the moment.
        work: what they do.

    Attributes:
        served: how each customer left.
    """

    def __init__(
        self, nation: Nation, *, seed: int, gates: dict[str, Gate], work: Work | None = None
    ) -> None:
        self._seed = seed
        self._work = work or Work()
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
        opened = asyncio.create_task(self._open())
        self._tasks = [
            opened,
            *(
                asyncio.create_task(self._serve_all(city, number, opened))
                for city in CITIES
                for number in range(self._work.clerks)
            ),
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

    def told(self) -> Told:
        """Return what the clerks know at the end of the day."""
        desks = self._desks.values()
        return Told(
            accepted=tuple(each for desk in desks for each in desk.accepted),
            handsets={id_: state for desk in desks for id_, state in desk.handsets.items()},
            lent_twice=sum(desk.lent_twice for desk in desks),
        )

    async def _open(self) -> None:
        await asyncio.gather(*(desk.open() for desk in self._desks.values()))

    async def _serve_all(self, city: str, number: int, opened: asyncio.Task[None]) -> None:
        await asyncio.shield(opened)
        chance = random.Random(f"{self._seed} clerk {city} {number}")  # noqa: S311 - to be repeated
        turn = 0
        while not self._ending.is_set():
            turn += 1
            person = chance.choice(self._people)
            person = replace(person, city=self._homes[person.msisdn])
            key = derived_id(_NAMESPACE, str(self._seed), city, str(number), str(turn))
            visits = self._visits(chance, city, person, key)
            if not visits or person.city == city or person.msisdn in self._busy:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            self._busy.add(person.msisdn)
            try:
                await asyncio.gather(*(self._serve(person, visit) for visit in visits))
            finally:
                self._busy.discard(person.msisdn)

    def _visits(
        self, chance: random.Random, city: str, person: Person, key: UUID
    ) -> list["_Visit"]:
        """Return at which counters somebody is at once, and for what."""
        work = self._work
        if not (wishes := work.wishes(person)):
            return []
        visits = [_Visit(city, chance.choice(wishes), key)]
        others = [each for each in CITIES if each not in {city, person.city}]
        if chance.randrange(work.rivals) == 0:
            kind = chance.choice(work.wishes(person, is_rival=True))
            visits.append(_Visit(chance.choice(others), kind, derived_id(key, "rival")))
        return visits

    async def _serve(self, person: Person, visit: "_Visit") -> None:
        served = await SERVICES[visit.kind](self._desks[visit.city], person, visit.key)
        self.served += served
        if transfer.MOVED in served:
            self._homes[person.msisdn] = visit.city


@dataclass(frozen=True, slots=True)
class _Visit:
    """Somebody at a counter.

    Attributes:
        city: where.
        kind: what for.
        key: from which all keys of the visit follow.
    """

    city: str
    kind: str
    key: UUID
