"""The processes and links of the chaos nation: prepared, started, kept running, stopped."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from shared.federation import enrolment
from shared.federation.link import LinkDown
from shared.federation.models import Lane
from shared.kernel.clock import SystemClock
from shared.node.app import Node, create_node
from shared.statistics.period import Period
from tests.chaos.counter.people import settle
from tests.chaos.node import CLOCK_FILE, capabilities, settings_of
from tests.chaos.outside import Outside
from tests.chaos.postgres import NodePostgres
from tests.chaos.proxy import Link
from tests.chaos.schedule import CITIES, PARENTS
from tests.city.random_customers import random_people, settle_in

PORTS = range(15000, 32768)
CUSTOMERS = 12
"""How many each city has to count."""
READY_SECONDS = 60.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 0.1
START_AGAIN_SECONDS = 1.0


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds of which nobody tells."""
    while not await holds():  # noqa: ASYNC110 - other processes set no events
        await asyncio.sleep(LOOK_SECONDS)


class NodeDoesNotStart(Exception):
    """A node is not ready in time, with nothing wrong that was done to it."""


@dataclass(eq=False)
class Member:
    """A node of the nation: its process, its server, and the link to its parent.

    Attributes:
        ports_url: where the systems outside are.
        wanted: whether its process should run; while it should, it is started again whenever it ends.
    """

    code: str
    home: Path
    port: int
    sabotage: Sequence[str]
    link: Link | None
    ports_url: str
    wanted: bool = False
    deaths: int = 0
    process: asyncio.subprocess.Process | None = None
    postgres: NodePostgres = field(init=False)

    def __post_init__(self) -> None:
        self.postgres = NodePostgres(self.code, self.home)

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.returncode is None

    def set_clock(self, offset: float) -> None:
        """Make its clock wrong by so many seconds."""
        file = self.home / f"{CLOCK_FILE}.new"
        file.write_text(str(offset))
        file.replace(self.home / CLOCK_FILE)

    async def start(self) -> None:
        """Start its process."""
        self.wanted = True
        if self.is_running:
            return
        parent = [] if self.link is None else ["--parent-url", f"http://127.0.0.1:{self.link.port}"]
        with (self.home / "node.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.chaos.node", "--code", self.code),
                *("--home", str(self.home), "--port", str(self.port)),
                *("--sabotage", *self.sabotage),
                *("--ports-url", self.ports_url),
                *parent,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "GUANXI_LOG_LEVEL": "info"},
                start_new_session=True,  # Ctrl-C is for the harness
            )

    async def kill(self) -> None:
        """Kill its process, which may have no last word; its server goes on."""
        self.wanted = False
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """End its process in good order, and with it its server.

        A server that its node has left behind, because it had not yet found it, is killed.
        """
        self.wanted = False
        await self._end(signal.SIGTERM)
        await asyncio.to_thread(self.postgres.kill)

    async def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    async def keep(self) -> None:
        """Start it again whenever it ends though it should run, as an operator's system would."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._is_missed():
                await asyncio.sleep(START_AGAIN_SECONDS)
                if self._is_missed():
                    self.deaths += 1
                    await self.start()

    def _is_missed(self) -> bool:
        return self.wanted and not self.is_running

    async def until_ready(self) -> None:
        """Wait until it can do its work.

        Raises:
            NodeDoesNotStart: if that takes too long.
        """
        try:
            async with (
                asyncio.timeout(READY_SECONDS),
                httpx.AsyncClient(trust_env=False, timeout=5) as client,
            ):
                await until(lambda: self._is_ready(client))
        except TimeoutError:
            raise NodeDoesNotStart(
                f"Node {self.code} is not ready after {READY_SECONDS:.0f} s: see {self.home / 'node.log'}."
            ) from None

    async def _is_ready(self, client: httpx.AsyncClient) -> bool:
        try:
            answer = await client.get(f"{self.url}/health/ready")
        except httpx.HTTPError:
            return False
        is_well = answer.status_code == httpx.codes.OK
        return is_well and answer.json().get("node") == self.code


@dataclass
class Nation:
    """All members, by code, parents first.

    Attributes:
        outside: the systems that cities make act.
        period: the month whose figures the cities tell.
    """

    members: dict[str, Member]
    outside: Outside
    period: str

    def __getitem__(self, code: str) -> Member:
        return self.members[code]

    def link(self, child: str) -> Link:
        """Return the link between a child and its parent."""
        link = self.members[child].link
        assert link is not None
        return link


class _InProcess(httpx.AsyncBaseTransport):
    """Carries HTTP between nodes of this process while they enrol: ``http://440000``."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        app = self.nodes[request.url.host].app
        return await httpx.ASGITransport(app=app).handle_async_request(request)


async def prepare(home: Path) -> None:
    """Make the homes of a nation: servers with their databases, keys, nodes that have joined, cities with customers.

    Nothing of it runs afterwards.
    """
    network = _InProcess()
    for code in PARENTS:
        settings = settings_of(code, home / code, scheduler=False)
        network.nodes[code] = create_node(
            settings.tier, capabilities(settings.tier), settings, transport=network
        )
    try:
        for node in network.nodes.values():  # one after another: Alembic keeps its state in globals
            await node.start()
        for code, parent in PARENTS.items():
            if parent is not None:
                await _enrol(network.nodes[code], parent, network.nodes[parent])
        for node in network.nodes.values():
            await settle(node.context, node.settings.tier)
        for code in CITIES:
            async with network.nodes[code].context.database.transaction() as session:
                await settle_in(session, code, random_people(code, CUSTOMERS))
        await _settle(network.nodes)
    finally:
        for node in network.nodes.values():
            await node.stop()


async def _enrol(node: Node, parent: str, above: Node) -> None:
    """Let a node join: invited, asked, admitted by a second person, asked again."""
    context, code = above.context, node.settings.code
    now, url = context.clock.now(), f"http://{parent}"
    async with context.database.transaction() as session:
        invitation = await enrolment.invite(session, context.post, code, by="chaos", now=now)
    with contextlib.suppress(LinkDown):  # not admitted yet
        await node.dialler.enrol(url, invitation)
    fingerprint = node.context.post.key.public.fingerprint
    async with context.database.transaction() as session:
        await enrolment.admit(session, context.post, code, fingerprint, by="another", now=now)
    await node.dialler.enrol(url, invitation)


async def _settle(nodes: dict[str, Node]) -> None:
    """Let what the enrolments have to say arrive everywhere."""
    moved = 1
    while moved:
        moved = 0
        for code in PARENTS:
            if PARENTS[code] is not None:
                dialler = nodes[code].dialler
                for lane in Lane:
                    moved += await dialler.push(lane)
                moved += await dialler.poll(wait=0)


@contextlib.asynccontextmanager
async def running(
    prepared: Path, home: Path, *, seed: int, sabotage: Sequence[str]
) -> AsyncIterator[Nation]:
    """Run a nation from a copy of what was prepared, in ``home``, as long as the context is open."""
    shutil.copytree(prepared, home, symlinks=True)
    _give_back_owners(prepared, home)
    ports = _free_ports(2 * len(PARENTS) + 1)
    period = str(Period.at(SystemClock().now()).previous)
    async with contextlib.AsyncExitStack() as stack:
        outside = Outside(home / "outside", ports.pop())
        stack.push_async_callback(outside.stop)
        await outside.start()
        members: dict[str, Member] = {}
        for code, parent in PARENTS.items():
            port, link = ports.pop(), None
            if parent is not None:
                chance = random.Random(f"{seed} {code}")  # noqa: S311 - to be repeated
                link = Link(members[parent].port, chance, port=ports.pop())
                await link.open()
                stack.push_async_callback(link.close)
            members[code] = Member(code, home / code, port, sabotage, link, outside.url)
        nation = Nation(members, outside, period)
        stack.push_async_callback(_stop_all, nation)
        for member in members.values():
            await member.start()
        for member in members.values():
            await member.until_ready()
        async with asyncio.TaskGroup() as tasks:
            keeping = [tasks.create_task(member.keep()) for member in members.values()]
            try:
                yield nation
            finally:
                for task in keeping:
                    task.cancel()


def _give_back_owners(source: Path, copy: Path) -> None:
    """Give every file of a copy the owner of its original, which may be an account for PostgreSQL alone."""
    if os.geteuid() != 0:
        return
    for path in (source, *source.rglob("*")):
        status = path.lstat()
        os.chown(
            copy / path.relative_to(source), status.st_uid, status.st_gid, follow_symlinks=False
        )


async def _stop_all(nation: Nation) -> None:
    await asyncio.gather(*(member.stop() for member in nation.members.values()))


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, below those that systems give to outgoing connections."""
    possible = random.SystemRandom().sample(PORTS, len(PORTS))
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            port = possible.pop()
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
    return found
