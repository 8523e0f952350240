"""Nodes to measure lanes with: each a process, joined over HTTP on loopback, with a database each on one PostgreSQL.

The benchmark itself is outside of them. It opens a node's database and keys beside the node's own process, posts
there as a request would, and hears from PostgreSQL when a message has had its effect.
"""

import asyncio
import contextlib
import random
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from uuid import UUID

import asyncpg

from bench.lane_node import EFFECT, payload
from bench.processes import clean_environment, free_port, process, uvicorn_command
from shared.capability import NodeContext
from shared.federation import repository
from shared.federation.models import Lane
from shared.kernel.database import Database
from shared.kernel.settings import load_settings
from shared.node import joining
from shared.node.tiers import load_tables
from shared.startup import open_context

PATIENCE_SECONDS = 60


@dataclass
class Effects:
    """When messages have had their effect at one node."""

    _waiting: dict[str, asyncio.Future[float]] = field(default_factory=dict)

    def expect(self, message: UUID) -> asyncio.Future[float]:
        """Return what will be the moment of ``message``'s effect, by ``perf_counter``."""
        return self._waiting.setdefault(str(message), asyncio.get_running_loop().create_future())

    def _hear(self, _connection: object, _process: int, _channel: str, message: object) -> None:
        moment = self.expect(UUID(str(message)))
        if not moment.done():
            moment.set_result(perf_counter())


@contextlib.asynccontextmanager
async def effects_at(database: Database) -> AsyncIterator[Effects]:
    """Hear of the effects at the node of that database."""
    effects = Effects()
    connection = await asyncpg.connect(database.url)
    try:
        await connection.add_listener(EFFECT, effects._hear)  # noqa: SLF001 - the other half of this module
        yield effects
    finally:
        await connection.close()


@contextlib.contextmanager
def fresh_home() -> Iterator[Path]:
    """Give a home for nodes that is removed with all their data."""
    with tempfile.TemporaryDirectory(prefix="guanxi-bench-") as home:
        # Open on the way down to the data, which the server keeps to itself, also when root runs this.
        Path(home).chmod(0o755)
        yield Path(home)


@contextlib.asynccontextmanager
async def opened(home: Path, code: str) -> AsyncIterator[NodeContext]:
    """Open a node's database and keys below ``home``, for this process to use beside the node's own."""
    load_tables()
    async with open_context(load_settings(code=code, home=home, log_level="error")) as context:
        yield context


@contextlib.asynccontextmanager
async def served(
    home: Path, code: str, application: str = "bench.lane_node:application"
) -> AsyncIterator[str]:
    """Serve a node in a process of its own; gives its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = clean_environment(
        GUANXI_HOME=str(home), GUANXI_NODE=code, GUANXI_LOG_LEVEL="error"
    )
    command = uvicorn_command(application, port, "--factory")
    async with process(command, environment, f"{url}/health/live"):
        yield url


async def join(child: NodeContext, parent: NodeContext, url: str) -> None:
    """Let a node join the parent that is served at ``url``."""
    await joining.join_both(parent, child, url, by="bench")


async def post(
    context: NodeContext,
    type_: str,
    destination: str,
    *,
    lane: Lane,
    dice: random.Random,
    count: int = 1,
) -> list[UUID]:
    """Post so many messages in one transaction; returns their ids once it is committed."""
    async with context.database.transaction() as session:
        return [
            await context.post.post(
                session,
                type_,
                destination,
                payload(dice),
                lane=lane,
                partition_key=f"{dice.getrandbits(64):x}",
                now=context.clock.now(),
            )
            for _ in range(count)
        ]


async def until_known(contexts: Sequence[NodeContext]) -> None:
    """Wait until all of these nodes have the registry entries of all of them."""
    codes = [context.settings.code for context in contexts]
    async with asyncio.timeout(PATIENCE_SECONDS):
        for context in contexts:
            while True:
                async with context.database.transaction() as session:
                    known = await repository.registry_entries(session, codes)
                if all(code in known and known[code].statement for code in codes):
                    break
                await asyncio.sleep(0.05)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that so many percent of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
