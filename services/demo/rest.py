"""How the demo speaks to a node: over REST, signed in as somebody who works there."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from shared.commandline import CommandFailed

ANSWER_SECONDS = 60.0
"""How long another city may take to answer."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Between two looks at what is awaited."""

Request = dict[str, Any]
"""A request between cities, as a node answers it."""


def content(answer: httpx.Response) -> Any:
    """Return what a node answered.

    Raises:
        CommandFailed: if it refused.
    """
    if answer.is_error:
        raise CommandFailed(
            f"{answer.request.method} {answer.request.url} was refused: {answer.text}"
        )
    return answer.json()


async def sign_in(client: httpx.AsyncClient, username: str, password: str) -> None:
    """Let ``client`` speak as ``username`` from here on.

    Raises:
        CommandFailed: if the node refuses.
    """
    form = {"grant_type": "password", "username": username, "password": password}
    answer = await client.post("/oauth/token", data=form)
    client.headers["Authorization"] = f"Bearer {content(answer)['access_token']}"


@asynccontextmanager
async def signed_in(url: str, username: str, password: str) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of one node, signed in as somebody."""
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
        await sign_in(client, username, password)
        yield client


async def read(client: httpx.AsyncClient, path: str, **asked: str | int) -> Any:
    """Return what a node has at ``path``.

    Raises:
        CommandFailed: if it refuses.
    """
    return content(await client.get(path, params=asked))


async def post(client: httpx.AsyncClient, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Have a node do something, once, and return what it says.

    Raises:
        CommandFailed: if it refuses.
    """
    once = {"Idempotency-Key": str(uuid4())}
    return content(await client.post(path, json=body, headers=once))


@dataclass(frozen=True, slots=True)
class Counter:
    """The counter of a city where customers of other cities come with one kind of request.

    Attributes:
        client: the clerk's, signed in.
        path: where the requests of the kind are.
    """

    client: httpx.AsyncClient
    path: str

    async def ask(self, **body: Any) -> Request:
        """Ask the home city."""
        asked: Request = await post(self.client, self.path, body)
        return asked

    async def step(self, request: Request, name: str, **body: Any) -> Request:
        """Take the next step of a request here."""
        path = f"{self.path}/{request['id']}/{name}"
        taken: Request = await post(self.client, path, body or None)
        return taken

    async def answered(self, request: Request, expected: str) -> Request:
        """Return the request once it is in the state that the home city's answer is to bring it into.

        Raises:
            CommandFailed: if it ends in another one, or nothing comes in time.
        """
        found = await ended_or(self.client, f"{self.path}/{request['id']}", expected)
        if found["state"] != expected:
            raise CommandFailed(
                f"The request {request['id']} at {self.client.base_url}{self.path} is not {expected} but {found['state']}: "
                f"{found['refusal']}"
            )
        return found


async def ended_or(client: httpx.AsyncClient, path: str, expected: str) -> Request:
    """Return the request at ``path`` once it is in a state or has ended, though the node may not have heard of it yet.

    Raises:
        CommandFailed: if neither comes in time.
    """
    state, pause = "unheard of", SHORTEST_PAUSE
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                answer = await client.get(path)
                if answer.status_code != httpx.codes.NOT_FOUND:
                    found: Request = content(answer)
                    if found["state"] == expected or found["ended_at"] is not None:
                        return found
                    state = found["state"]
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST_PAUSE)
    except TimeoutError:
        raise CommandFailed(
            f"{client.base_url}{path} is still {state} after {ANSWER_SECONDS:.0f} s."
        ) from None


async def await_line(client: httpx.AsyncClient, request_id: str, event: str) -> dict[str, Any]:
    """Return the line of that event once a request's trail has it, at the end that ``client`` is signed in at.

    Raises:
        CommandFailed: if it does not come in time.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                request = await read(client, f"/service-requests/{request_id}")
                for line in request["trail"]:
                    if line["event"] == event:
                        found: dict[str, Any] = line
                        return found
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise CommandFailed(
            f"The trail of {request_id} has no {event} after {ANSWER_SECONDS:.0f} s: `guanxi port calls` at {client.base_url} shows why."
        ) from None


async def await_none(client: httpx.AsyncClient, path: str, **asked: str | int) -> None:
    """Wait until nothing is in a list that a node has.

    Raises:
        CommandFailed: if something stays in it.
    """
    pause = SHORTEST_PAUSE
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while (await read(client, path, limit=1, **asked))["items"]:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST_PAUSE)
    except TimeoutError:
        raise CommandFailed(
            f"{client.base_url}{path} still has something with {asked} after {ANSWER_SECONDS:.0f} s."
        ) from None
