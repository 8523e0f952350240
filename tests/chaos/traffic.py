"""The clients: people who ask a city for something, and ask again until they are told that it was accepted."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from uuid import UUID

import httpx

from shared.kernel.ids import derived_id
from tests.chaos.checker import Request
from tests.chaos.nation import CUSTOMERS, Nation
from tests.chaos.schedule import CITIES

KEYS = 6
"""Partition keys of each city, each with a client of its own."""
PATIENCE = 5.0
"""Seconds that a client waits for an answer before it asks again."""
PAUSE = 0.25
FIGURES_EVERY = 5.0
_NAMESPACE = UUID("7d0a1a68-5a9b-5f0e-8a36-0a0c58b1c2d3")


class Gate:
    """Whether clients may go to a city, and how many are there."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @contextlib.asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Go in once it is open, and out again."""
        await self._open.wait()
        self._inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._empty.set()

    @contextlib.asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """Let nobody in, and those inside finish first."""
        self._open.clear()
        try:
            await self._empty.wait()
            yield
        finally:
            self._open.set()


class Traffic:
    """All clients of a run.

    Args:
        nation: where they go.
        seed: decides who asks for what.
        rate: how many requests a second they have, all together; what a failure held up is made good.
    """

    def __init__(self, nation: Nation, *, seed: int, rate: float) -> None:
        self._nation = nation
        self._seed = seed
        self._interval = len(CITIES) * KEYS / rate
        self._client = httpx.AsyncClient(trust_env=False, timeout=PATIENCE)
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = asyncio.Event()
        self.gates = {city: Gate() for city in CITIES}
        """For the requests of each city."""
        self.figures_gates = {city: Gate() for city in CITIES}
        """For the changes of each city's figures."""
        self.accepted: list[Request] = []
        self.repeated = 0

    def begin(self) -> None:
        """Let the clients begin."""
        for city in CITIES:
            self._tasks += [
                asyncio.create_task(self._ask(city, f"k{number}")) for number in range(KEYS)
            ]
            self._tasks.append(asyncio.create_task(self._change_figures(city)))

    async def finish(self, patience: float) -> int:
        """Let the clients have what they asked for accepted, and ask no more; returns how many were not heard."""
        self._ending.set()
        _, unheard = await asyncio.wait(self._tasks, timeout=patience)
        for task in unheard:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()
        for result in results:
            if isinstance(result, Exception):
                raise result
        return len(unheard)

    async def _ask(self, city: str, key: str) -> None:
        chance = random.Random(f"{self._seed} {city} {key}")  # noqa: S311 - to be repeated
        due = time.monotonic() + chance.random() * self._interval
        number = 0
        while not await self._ended_by(due):
            due += self._interval
            number += 1
            request = Request(
                id=derived_id(_NAMESPACE, str(self._seed), city, key, str(number)),
                origin=city,
                destination=chance.choice([other for other in CITIES if other != city]),
                key=key,
                number=number,
            )
            await self._until_accepted(
                self.gates[city],
                city,
                "/chaos/requests",
                {
                    "id": str(request.id),
                    "destination": request.destination,
                    "key": key,
                    "number": number,
                },
            )
            self.accepted.append(request)

    async def _change_figures(self, city: str) -> None:
        chance = random.Random(f"{self._seed} {city} figures")  # noqa: S311 - to be repeated
        due = time.monotonic() + chance.random() * FIGURES_EVERY
        ended = False
        while not ended:
            ended = await self._ended_by(due)  # once more at the end, so that the last word is told
            due = time.monotonic() + FIGURES_EVERY
            await self._until_accepted(
                self.figures_gates[city],
                city,
                "/chaos/figures",
                {
                    "customer": f"{city}{chance.randrange(CUSTOMERS):08}",
                    "monthly_charge_fen": chance.randrange(1_000_000),
                    "period": self._nation.period,
                },
            )

    async def _ended_by(self, moment: float) -> bool:
        """Wait until ``moment``; tells whether clients are to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(moment - time.monotonic()):
                await self._ending.wait()
        return self._ending.is_set()

    async def _until_accepted(
        self, gate: Gate, city: str, path: str, body: dict[str, object]
    ) -> None:
        while True:
            async with gate.passed():
                try:
                    answer = await self._client.post(f"{self._nation[city].url}{path}", json=body)
                except httpx.HTTPError:
                    answer = None
            if answer is not None and answer.is_success:
                return
            if answer is not None and answer.is_client_error:
                raise RuntimeError(f"{city} refuses {path}: {answer.status_code} {answer.text}")
            self.repeated += 1
            await asyncio.sleep(PAUSE)
