"""Many nodes in one process, on one port; served by ``uvicorn --factory``.

A request between nodes names the node that it is for, and goes to that one's application: nodes of one process speak
over HTTP too, signed, as if each had a machine. What they lack of a node by itself is what a drill does not need: the
clock's jobs, and the business of their tier. They begin to dial once the process answers. And they are patient with
one another, since hundreds share one machine: what is late is not what a drill of that size can tell.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from bench import lane_node
from shared import audit, organisation, policy, reporting, staff, statistics
from shared.capability import Capability
from shared.federation.exchange import RECEIVER_HEADER
from shared.kernel import logging
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.language import Text
from shared.kernel.settings import HQ_CODE, Settings, load_settings
from shared.kernel.tier import Tier
from shared.node.app import Node, create_node
from shared.node.shutdown import on_termination
from shared.statistics.messages import slice_handler

POOL = {Tier.HQ: 10, Tier.PROVINCE: 10, Tier.CITY: 2}
"""Connections of each of the two pools of a node, beside those on which it listens and leads."""
EXCHANGE_SECONDS = 120
RETRY_SECONDS = 1.0
STARTING = 4
"""Nodes that a process starts at once."""

log = structlog.get_logger("drill")

STATISTICS = Capability(
    name="drill",
    summary=Text("Slices, kept as everywhere", "统计数据的接收"),
    messages=(slice_handler,),
)
BOARD = (
    organisation.capability,
    staff.capability,
    audit.capability,
    policy.capability,
    statistics.capability,
    reporting.capability,
)
"""What HQ has of itself: its board is asked at the end."""


def settings_of(home: Path, code: str, place: str) -> Settings:
    """Return the settings of a node of the drill, whose database is on the server at ``place`` below ``home``."""
    server = EmbeddedPostgres(home / place)
    base = load_settings(
        code=code,
        home=home,
        database_url=server.database_url(f"guanxi_{code}"),
        scheduler=False,
        exchange_timeout_seconds=EXCHANGE_SECONDS,
        log_level="error",
    )
    return base.model_copy(update={"database_pool": POOL[base.tier]})


def application() -> ASGIApp:
    """Make the process's nodes, whose codes the environment names."""
    os.nice(int(os.environ["BENCH_NICE"]))
    home = Path(os.environ["GUANXI_HOME"])
    place = os.environ["BENCH_PLACE"]
    settings = [settings_of(home, code, place) for code in os.environ["BENCH_CODES"].split(",")]
    logging.configure(settings[0])
    return _Host(settings)


class _Host:
    def __init__(self, settings: list[Settings]) -> None:
        self._nodes = {
            each.code: create_node(each.tier, [lane_node.CAPABILITY, *_statistics(each.tier)], each)
            for each in settings
        }
        self._dialling: list[asyncio.Task[None]] = []
        self._own = FastAPI(lifespan=self._lifespan)
        self._own.get("/ready")(self._ready)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the node that the request is for."""
        headers = dict(scope.get("headers", ()))
        receiver = headers.get(RECEIVER_HEADER.encode(), b"").decode()
        node = self._nodes.get(receiver)
        if node is None and HQ_CODE in self._nodes and scope.get("path") != "/ready":
            node = self._nodes[HQ_CODE]  # its staff, who are alone with it in the process
        await (node.app if node else self._own)(scope, receive, send)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            waiting = iter(self._nodes.values())
            async with asyncio.TaskGroup() as starting:
                for _worker in range(STARTING):
                    starting.create_task(self._start(waiting, stack))
            on_termination(self._let_go)
            try:
                yield
            finally:
                for task in self._dialling:
                    task.cancel()
                await asyncio.gather(*self._dialling, return_exceptions=True)

    async def _start(self, waiting: Iterator[Node], stack: contextlib.AsyncExitStack) -> None:
        for node in waiting:
            stack.push_async_callback(node.stop)
            await node.start()
            await node.serve_background()

    def _let_go(self) -> None:
        for node in self._nodes.values():
            node.wakeup.stop()

    async def _ready(self) -> None:
        """Answer; at the first call, begin to dial."""
        if not self._dialling:
            self._dialling = [
                asyncio.create_task(_keep_dialling(node))
                for node in self._nodes.values()
                if node.settings.tier is not Tier.HQ
            ]


def _statistics(tier: Tier) -> tuple[Capability, ...]:
    return BOARD if tier is Tier.HQ else (STATISTICS,)


async def _keep_dialling(node: Node) -> None:
    """Dial until cancelled; should it end by an error of the database, begin again, as a node by itself does."""
    while True:
        try:
            await node.dialling.run()
        except Exception:
            log.exception("dialling ended; it begins again", node=node.settings.code)
        await asyncio.sleep(RETRY_SECONDS)
