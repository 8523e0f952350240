"""What every part of the demo's story has at hand."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.demo.memory import Memory
from services.demo.people import Person
from services.demo.rest import signed_in
from services.demo.telling import headline, trail
from shared.kernel.tier import Tier
from shared.node.plan import PlannedNode


@dataclass
class Stage:
    """What runs, who lives there, and where it is told.

    Attributes:
        home: the demo's home directory.
        memory: what earlier runs left to remember.
        nodes: what runs.
        people: the customers, where the table has settled them.
        console: where it is told.
        seconds: how long each part took.
    """

    home: Path
    memory: Memory
    nodes: Sequence[PlannedNode]
    people: Sequence[Person]
    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def cities(self) -> list[PlannedNode]:
        """The nodes that have customers."""
        return [node for node in self.nodes if node.tier is Tier.CITY]

    def profiles(self, *, before: date = date.max) -> list[Person]:
        """Return every profile: the customers where they live, and the copies that whoever has moved left behind.

        Args:
            before: who has moved later than that has not moved.
        """
        moved = {key: to for key, to in self.memory.moved.items() if to.on < before}
        copies = [replace(each, has_left=True) for each in self.people if each.key in moved]
        return copies + [
            replace(each, city=moved[each.key].city) if each.key in moved else each
            for each in self.people
        ]

    def node(self, code: str) -> PlannedNode:
        """Return the node of that code."""
        return next(node for node in self.nodes if node.code == code)

    def client(self, code: str, username: str) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        """Give a client of a node, signed in as somebody who works there."""
        return signed_in(self.node(code).url, username, self.memory.passwords[code])

    @contextmanager
    def part(self, name: str, heading: str) -> Iterator[None]:
        """Tell what comes now, and note how long it takes."""
        self.console.rule(heading)
        began = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began

    def say(self, sentence: str) -> None:
        """Tell something on the way."""
        self.console.print(sentence, style="dim", highlight=False, markup=False, soft_wrap=True)

    def conclude(self, sentence: str) -> None:
        """Tell what was found to hold."""
        self.console.print(sentence, style="green", highlight=False, markup=False, soft_wrap=True)

    def show_request(self, request: Mapping[str, Any], *, whole: bool = False) -> None:
        """Tell what became of a request between cities, and its trail."""
        self.console.print(
            headline(request), style="bold", highlight=False, markup=False, soft_wrap=True
        )
        for line in trail(request, whole=whole):
            self.say(line)

    def progress(self) -> Progress:
        """Return a bar for what takes long."""
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
        )


async def some_at_a_time(work: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """Do it all, as much at once as there are processors."""
    free = asyncio.Semaphore(os.cpu_count() or 1)

    async def one(begin: Callable[[], Awaitable[Any]]) -> Any:
        async with free:
            return await begin()

    begun = [asyncio.ensure_future(one(each)) for each in work]
    try:
        return await asyncio.gather(*begun)
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
