"""The clerks: each serves one customer of another city after another, from the first question to the end."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from shared.kernel.ids import derived_id
from tests.chaos.counter.people import Person, people
from tests.chaos.counter.staff import Staff
from tests.chaos.nation import Nation
from tests.chaos.schedule import CITIES
from tests.chaos.traffic import Gate

CLERKS = 8
"""At each city."""
LOOK_SECONDS = 0.5
"""How often a clerk looks whether the other city has answered."""
_NAMESPACE = UUID("2f6f2c0a-5d0e-5a6e-9e52-3a1f0c5e7b2a")


@dataclass(frozen=True, slots=True)
class Served:
    """What a clerk was told of one request: it was accepted, and how it was when the clerk last looked.

    Attributes:
        kind: of request.
        id: as both ends know it.
        city: where the customer stood.
        person: who it was.
        state: the last that was seen.
        amount_fen: the money of it.
    """

    kind: str
    id: str
    city: str
    person: Person
    state: str
    amount_fen: int = 0


class Clerks:
    """All clerks of a run.

    Args:
        nation: where they work.
        seed: decides who comes for what.
        gates: whether people may go to a city at the moment.
    """

    def __init__(self, nation: Nation, *, seed: int, gates: dict[str, Gate]) -> None:
        self._seed = seed
        self._people = list(people())
        self._busy: set[str] = set()
        """Numbers of customers who stand at some counter."""
        self._ending = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._staff = {city: Staff(nation[city], "clerk", gates[city]) for city in CITIES}
        self.services: dict[str, Callable[[Staff, Person, UUID], Awaitable[Served | None]]] = {
            "card-replacement": self._replace_card,
        }
        self.served: list[Served] = []
        self.refused: Counter[str] = Counter()
        """What was not accepted at all, by the type of the problem."""

    @property
    def repeated(self) -> int:
        """How often something was asked again."""
        return sum(staff.repeated for staff in self._staff.values())

    def begin(self) -> None:
        """Open the counters."""
        for city in CITIES:
            self._tasks += [
                asyncio.create_task(self._work(city, number)) for number in range(CLERKS)
            ]

    async def finish(self, patience: float) -> int:
        """Close the counters when everybody is served; returns how many clerks are still waiting for an end."""
        self._ending.set()
        _, waiting = await asyncio.wait(self._tasks, timeout=patience)
        for task in waiting:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for staff in self._staff.values():
            await staff.close()
        for result in results:
            if isinstance(result, Exception):
                raise result
        return len(waiting)

    async def _work(self, city: str, number: int) -> None:
        chance = random.Random(f"{self._seed} clerk {city} {number}")  # noqa: S311 - to be repeated
        turn = 0
        while not self._ending.is_set():
            turn += 1
            kind = chance.choice(list(self.services))
            person = chance.choice(self._people)
            if person.city == city or person.msisdn in self._busy:
                await asyncio.sleep(LOOK_SECONDS / 10)
                continue
            self._busy.add(person.msisdn)
            key = derived_id(_NAMESPACE, str(self._seed), city, str(number), str(turn))
            try:
                served = await self.services[kind](self._staff[city], person, key)
            finally:
                self._busy.discard(person.msisdn)
            if served is not None:
                self.served.append(served)

    async def _replace_card(self, staff: Staff, person: Person, key: UUID) -> Served | None:
        body = {
            "msisdn": person.msisdn,
            "home": person.city,
            "document_type": "id_card",
            "document_number": person.document,
            "reason": "lost",
        }
        request = await self._accepted(await staff.post("/card-replacements", body, key))
        if request is None:
            return None
        path = f"/card-replacements/{request['id']}"
        request = await self._awaited(staff, path, "asked")
        if request["state"] == "approved" and key.int % 10 == 0:
            await staff.post(f"{path}/cancel", {"note": "found it"}, derived_id(key, "cancel"))
        elif request["state"] == "approved":
            await staff.post(f"{path}/write-card", None, derived_id(key, "write"))
            request = await self._awaited(staff, path, "approved", "written")
        _, request = await staff.get(path)
        return Served("card-replacement", request["id"], staff.code, person, request["state"])

    async def _accepted(self, answer: tuple[int, Any]) -> dict[str, Any] | None:
        status, content = answer
        if status == httpx.codes.CREATED:
            accepted: dict[str, Any] = content
            return accepted
        self.refused[f"{status} {content.get('type', '').rpartition(':')[2]}"] += 1
        return None

    async def _awaited(self, staff: Staff, path: str, *states: str) -> dict[str, Any]:
        """Return the request once it is in none of these states; a clerk who is to go home looks no less."""
        began = time.monotonic()
        while True:
            status, request = await staff.get(path)
            if status == httpx.codes.OK and request["state"] not in states:
                found: dict[str, Any] = request
                return found
            pause = LOOK_SECONDS if time.monotonic() - began < 10 else 4 * LOOK_SECONDS
            await asyncio.sleep(pause)
