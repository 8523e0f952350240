"""What clerks do for a customer of another city: each service from the first question to the end."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
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

Request = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Served:
    """What a clerk was told of one request: it was accepted, and how it was when the clerk last looked.

    Attributes:
        kind: of request.
        id: as both ends know it.
        city: where the customer stood.
        person: who it was.
        state: the last that was seen.
    """

    kind: str
    id: str
    city: str
    person: Person
    state: str


@dataclass
class Desk:
    """Where the clerks of one city work, and what they know.

    Attributes:
        clerk: at the counter.
        supervisor: behind it.
        refused: what was not accepted at all, by status and type of the problem.
    """

    clerk: Staff
    supervisor: Staff
    refused: Counter[str] = field(default_factory=Counter)

    async def open(self) -> None:
        """Open the clerk's shift at the till, unless it is open."""
        key = derived_id(UUID(int=0), "shift", self.clerk.code)
        await self.clerk.post("/tills/shifts", {"float_fen": FLOAT_FEN}, key)

    async def close(self) -> None:
        """Go home."""
        await self.clerk.close()
        await self.supervisor.close()

    def accepted(self, answer: Answer) -> Request | None:
        """Return the request that was made, if it was."""
        status, content = answer
        if status == httpx.codes.CREATED:
            request: Request = content
            return request
        self.refused[f"{status} {(content or {}).get('type', '').rpartition(':')[2]}"] += 1
        return None

    async def awaited(self, path: str, *states: str) -> Request:
        """Return the request once it is in none of these states."""
        began = time.monotonic()
        while True:
            status, request = await self.clerk.get(path)
            if status == httpx.codes.OK and request["state"] not in states:
                found: Request = request
                return found
            is_long = time.monotonic() - began > PATIENT_SECONDS
            await asyncio.sleep(4 * LOOK_SECONDS if is_long else LOOK_SECONDS)

    def served(self, kind: str, request: Request, person: Person) -> Served:
        """Return what came of it."""
        return Served(kind, request["id"], self.clerk.code, person, request["state"])


async def replace_card(desk: Desk, person: Person, key: UUID) -> list[Served]:
    """Give a new card; one in ten customers finds the old one meanwhile."""
    body = {
        "msisdn": person.msisdn,
        "home": person.city,
        "document_type": "id_card",
        "document_number": person.document,
        "reason": "lost",
    }
    request = desk.accepted(await desk.clerk.post("/card-replacements", body, key))
    if request is None:
        return []
    path = f"/card-replacements/{request['id']}"
    request = await desk.awaited(path, "asked")
    if request["state"] == "approved" and key.int % 10 == 0:
        await desk.clerk.post(f"{path}/cancel", {"note": "found it"}, derived_id(key, "cancel"))
        request = await desk.awaited(path, "asked", "approved")
    elif request["state"] == "approved":
        await desk.clerk.post(f"{path}/write-card", None, derived_id(key, "write"))
        request = await desk.awaited(path, "approved", "written")
    return [desk.served("card-replacement", request, person)]


async def pay(desk: Desk, person: Person, key: UUID) -> list[Served]:
    """Take money; one payment in eight is for a number that nobody has, and one in ten is taken back."""
    msisdn = NOBODY if key.int % 8 == 0 else person.msisdn
    body = {"msisdn": msisdn, "home": person.city, "amount_fen": 100 + key.int % 50_000}
    request = desk.accepted(await desk.clerk.post("/payments", body, key))
    if request is None:
        return []
    path = f"/payments/{request['id']}"
    request = await desk.awaited(path, "taken")
    served = []
    if request["state"] == "to_give_back":
        await desk.clerk.post(f"{path}/give-back", None, derived_id(key, "give-back"))
        request = await desk.awaited(path, "taken", "to_give_back")
    elif key.int % 10 == 0:
        asked = await desk.supervisor.post(
            f"{path}/reverse", {"reason": "wrong number"}, derived_id(key, "reverse")
        )
        reversal = desk.accepted(asked)
        if reversal is not None:
            back = f"/payment-reversals/{reversal['id']}"
            reversal = await desk.awaited(back, "asked")
            if reversal["state"] == "to_give_back":
                await desk.clerk.post(f"{back}/give-back", None, derived_id(key, "hand-out"))
                reversal = await desk.awaited(back, "asked", "to_give_back")
            served.append(desk.served("payment-reversal", reversal, person))
    return [*served, desk.served("payment", request, person)]


async def transfer(desk: Desk, person: Person, key: UUID) -> list[Served]:
    """Take a customer over; one in ten changes their mind."""
    body = {
        "msisdn": person.msisdn,
        "home": person.city,
        "document_type": "id_card",
        "document_number": person.document,
        "consent": "signed at the counter",
    }
    request = desk.accepted(await desk.clerk.post("/transfers", body, key))
    if request is None:
        return []
    path = f"/transfers/{request['id']}"
    if key.int % 10 == 0:
        await desk.clerk.post(f"{path}/cancel", {"note": "stays"}, derived_id(key, "cancel"))
    request = await desk.awaited(path, "asked", "offered", "prepared")
    return [desk.served("transfer", request, person)]


SERVICES: Mapping[str, Callable[[Desk, Person, UUID], Awaitable[list[Served]]]] = {
    "card-replacement": replace_card,
    "payment": pay,
    "transfer": transfer,
}
