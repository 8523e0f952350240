"""Card replacements between two provinces, asked and carried out over REST as a clerk at a counter does."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from services.demo.people import Person, blank_cards
from shared.commandline import CommandFailed

ANSWER_SECONDS = 60.0
"""How long the other city may take to answer."""
CARDS = 10
"""Blank cards in a box."""

Request = dict[str, Any]


async def sign_in(client: httpx.AsyncClient, username: str, password: str) -> None:
    """Let ``client`` speak as ``username`` from here on.

    Raises:
        CommandFailed: if the node refuses.
    """
    form = {"grant_type": "password", "username": username, "password": password}
    answer = await client.post("/oauth/token", data=form)
    client.headers["Authorization"] = f"Bearer {_content(answer)['access_token']}"


@dataclass(frozen=True, slots=True)
class Counter:
    """The counter of a city where customers of other cities come.

    Attributes:
        client: the clerk's, signed in.
    """

    client: httpx.AsyncClient

    async def replace(self, person: Person) -> Request:
        """Give ``person`` a new card, with the own document shown; returns the request with its trail.

        Raises:
            CommandFailed: if it does not end well.
        """
        asked = await self._ask(person, person.document_number)
        answered = await self._awaited(asked["id"], "asked")
        if answered["state"] != "approved":
            raise CommandFailed(
                f"The card replacement {asked['id']} was not approved but {answered['state']}: {answered['refusal']}"
            )
        path = f"/card-replacements/{asked['id']}/write-card"
        _content(await self.client.post(path, headers={"Idempotency-Key": str(uuid4())}))
        ended = await self._awaited(asked["id"], "written")
        if ended["state"] != "completed":
            raise CommandFailed(
                f"The card replacement {asked['id']} was not completed but {ended['state']}: {ended['refusal']}"
            )
        return ended

    async def try_with_foreign_document(self, person: Person, document_number: str) -> Request:
        """Ask for a card for ``person`` with somebody else's document; returns the refused request with its trail.

        Raises:
            CommandFailed: if it is not refused.
        """
        asked = await self._ask(person, document_number)
        ended = await self._awaited(asked["id"], "asked")
        if ended["state"] != "refused":
            raise CommandFailed(
                f"The card replacement {asked['id']} with a foreign document was not refused but {ended['state']}."
            )
        return ended

    async def _ask(self, person: Person, document_number: str) -> Request:
        body = {
            "msisdn": person.msisdn,
            "home": person.city,
            "document_type": "id_card",
            "document_number": document_number,
            "reason": "lost",
        }
        return _content(
            await self.client.post(
                "/card-replacements", json=body, headers={"Idempotency-Key": str(uuid4())}
            )
        )

    async def _awaited(self, request_id: str, state: str) -> Request:
        """Return the request once it has left ``state``."""
        pause = 0.05
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while (
                    request := _content(await self.client.get(f"/card-replacements/{request_id}"))
                )["state"] == state:
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, 1.0)
        except TimeoutError:
            raise CommandFailed(
                f"The card replacement {request_id} is still {state} after {ANSWER_SECONDS:.0f} s."
            ) from None
        return request


async def await_line(client: httpx.AsyncClient, request_id: str, event: str) -> dict[str, Any]:
    """Return the line of that event once a request's trail has it, at the end that ``client`` is signed in at.

    Raises:
        CommandFailed: if it does not come in time.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                request = _content(await client.get(f"/service-requests/{request_id}"))
                for line in request["trail"]:
                    if line["event"] == event:
                        found: dict[str, Any] = line
                        return found
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise CommandFailed(
            f"The trail of {request_id} has no {event} after {ANSWER_SECONDS:.0f} s: `guanxi port calls` at {client.base_url} shows why."
        ) from None


async def load_cards(client: httpx.AsyncClient, box: int) -> None:
    """Put a box of blank cards into the stock of the city that ``client``, a supervisor's, speaks to.

    Args:
        client: signed in as a supervisor.
        box: which box; one that was loaded before changes nothing.
    """
    cards = blank_cards(box * CARDS, CARDS)
    _content(
        await client.post(
            "/sim-cards", json={"cards": cards}, headers={"Idempotency-Key": str(uuid4())}
        )
    )


def _content(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise CommandFailed(
            f"{answer.request.method} {answer.request.url} was refused: {answer.text}"
        )
    content: dict[str, Any] = answer.json()
    return content
