"""Where the clerks of a city work: what they were told there, and how they wait for what another city says."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from shared.kernel.ids import derived_id
from tests.chaos.counter.people import Person
from tests.chaos.counter.staff import Answer, Staff

LOOK_SECONDS = 0.5
"""How often a clerk looks whether the other city has answered."""
PATIENT_SECONDS = 10.0
"""After which a clerk looks less often: something is broken."""
FLOAT_FEN = 50_000
NOBODY = "18999999999"
"""A number that no city has."""
IN_STOCK, LENT = "in_stock", "lent"

Request = dict[str, Any]
Step = tuple[str, dict[str, Any] | None]
"""The last part of a path, and what is sent there."""
Steps = Callable[[Request], Step | None]
"""What is to be done next about a request; nothing while it is another's turn."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that a clerk was told was accepted.

    Attributes:
        kind: of request.
        id: as both ends know it.
        city: where the customer stood.
    """

    kind: str
    id: str
    city: str


@dataclass(frozen=True, slots=True)
class Served:
    """What a clerk was told when a customer left: how a request was by then.

    Attributes:
        kind: of request.
        state: the last that was seen.
    """

    kind: str
    state: str


@dataclass
class Desk:
    """Where the clerks of one city work, and what they know.

    Attributes:
        clerk: at the counter.
        supervisor: behind it.
        refused: what was not accepted at all, by status and type of the problem.
        accepted: what was.
        handsets: what became of each loan handset that was ever lent here.
        lent_twice: how often a handset was lent that another customer had.
    """

    clerk: Staff
    supervisor: Staff
    refused: Counter[str] = field(default_factory=Counter)
    accepted: list[Accepted] = field(default_factory=list)
    handsets: dict[str, str] = field(default_factory=dict)
    lent_twice: int = 0

    async def open(self) -> None:
        """Open the clerk's shift at the till, unless it is open."""
        key = derived_id(UUID(int=0), "shift", self.clerk.code)
        await self.clerk.post("/tills/shifts", {"float_fen": FLOAT_FEN}, key)

    async def close(self) -> None:
        """Go home."""
        await self.clerk.close()
        await self.supervisor.close()

    def accept(self, kind: str, answer: Answer) -> Request | None:
        """Return the request that was made, if it was."""
        status, content = answer
        if status == httpx.codes.CREATED:
            request: Request = content
            self.accepted.append(Accepted(kind, request["id"], self.clerk.code))
            return request
        self._note_refusal(answer)
        return None

    def _note_refusal(self, answer: Answer) -> None:
        status, content = answer
        self.refused[f"{status} {(content or {}).get('type', '').rpartition(':')[2]}"] += 1

    async def follow(self, path: str, key: UUID, steps: Steps, *, until: str = "") -> Request:
        """Take the steps of a request that are the clerk's to take, until it has ended or is in that state.

        What is next follows from how the request is, never from what the clerk did before: a node that was restored
        from a backup may not know that yet.
        """
        began = time.monotonic()
        while True:
            status, request = await self.clerk.get(path)
            if status == httpx.codes.OK:
                if request["awaiting"] is None or request["state"] == until:
                    found: Request = request
                    return found
                if await self._take(path, key, steps(request), request["state"]):
                    continue
            is_long = time.monotonic() - began > PATIENT_SECONDS
            await asyncio.sleep(4 * LOOK_SECONDS if is_long else LOOK_SECONDS)

    async def _take(self, path: str, key: UUID, step: Step | None, state: str) -> bool:
        """Take a step, if there is one; tells whether it has led anywhere."""
        if step is None:
            return False
        what, body = step
        answer = await self.clerk.post(f"{path}/{what}", body, derived_id(key, what))
        if answer[0] >= httpx.codes.BAD_REQUEST:
            self._note_refusal(answer)
            await self.open()  # a node that was restored from a backup may have forgotten that
            return False
        return bool(answer[1]["state"] != state)

    def lend(self, handset: str) -> None:
        """Note that a customer has a handset now."""
        self.lent_twice += self.handsets.get(handset) == LENT
        self.handsets[handset] = LENT

    def take_back(self, handset: str, state: str) -> None:
        """Note that a handset is on the desk again; before the node is told, which may lend it at once."""
        self.handsets[handset] = state


def question(person: Person) -> dict[str, Any]:
    """Return what every question about a customer who shows a document begins with."""
    return {
        "msisdn": person.msisdn,
        "home": person.city,
        "document_type": "id_card",
        "document_number": person.document,
    }
