"""The nation of a drill: which nodes there are, in which processes, and how they come to be joined.

Joining the nodes one after another would pass every entry of the registry to everybody who is there already, some
70,000 messages: that is not what a drill measures. So the registry is made once, signed by HQ, in the database that
all others are copied from; then every node is admitted by its parent and joins it as an operator would have it.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest
from pathlib import Path

import asyncpg

from bench.drill_host import POOL, settings_of
from bench.processes import clean_environment, free_port, process, uvicorn_command
from shared.federation import enrolment, joining, membership
from shared.federation.enrolment import EnrolmentRequest
from shared.federation.keyring import KeyRing
from shared.federation.keys import NodeKey
from shared.federation.post import PostOffice
from shared.kernel.database import Database
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.migrations import upgrade
from shared.kernel.settings import Settings
from shared.kernel.tier import Tier
from shared.node.tiers import load_tables
from shared.organisation.division import HQ_CODE, cities_of, division, divisions

TEMPLATE = "guanxi_drill_template"
SPARE_CONNECTIONS = 80
WAY, REST = "way", "rest"
"""The two PostgreSQL servers: of the nodes that the requests pass, and of the others."""
OWN_PROCESSES = 4
"""The first so many processes hold what the requests pass: HQ, two provinces, two cities."""
ENROLLED_BEFORE = timedelta(days=120)
"""So long ago every node was entered into the registry."""
NICE = 10
"""How far the others' processes and server stand back: in truth that work is done on hundreds of other machines."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Nation:
    """The nodes of a drill.

    Attributes:
        home: where their data are.
        codes: of all nodes, each after its parent.
        processes: which of them share one: first HQ, then each of the two probes' provinces, then the two probes.
    """

    home: Path
    codes: tuple[str, ...]
    processes: tuple[tuple[str, ...], ...]

    @property
    def provinces(self) -> list[str]:
        """Codes of the provinces."""
        return [code for code in self.codes if division(code).tier is Tier.PROVINCE]

    @property
    def cities(self) -> list[str]:
        """Codes of the cities."""
        return [code for code in self.codes if division(code).tier is Tier.CITY]

    @property
    def probes(self) -> tuple[str, str]:
        """Two cities of different provinces, between which the requests go whose time is taken."""
        first, second = self.processes[3]
        return first, second

    @property
    def on_the_way(self) -> set[str]:
        """Codes of the nodes that the probes' requests pass."""
        return {code for codes in self.processes[:OWN_PROCESSES] for code in codes}

    def settings(self, code: str) -> Settings:
        """Return a node's settings."""
        return settings_of(self.home, code, WAY if code in self.on_the_way else REST)

    def database_url(self, code: str) -> str:
        """Return the address of a node's database."""
        return self.settings(code).database_url or ""

    def key(self, code: str) -> NodeKey:
        """Return a node's key, made when it is first asked for."""
        return NodeKey.load_or_create(self.settings(code).directory / "keys")

    def post_office(self, code: str) -> PostOffice:
        """Return a node's post office."""
        return PostOffice(code, KeyRing.load_or_create(self.settings(code).directory / "keys"))

    @contextlib.asynccontextmanager
    async def opened(self, code: str) -> AsyncIterator[tuple[Database, PostOffice]]:
        """Open a node's database and keys beside its own process."""
        database = Database(self.database_url(code), 2)
        try:
            yield database, self.post_office(code)
        finally:
            await database.close()


def choose(home: Path, *, provinces: int, cities: int, spread: int) -> Nation:
    """Choose so many provinces, the largest first, and so many of their cities, evenly.

    Args:
        home: where the data shall be.
        provinces: how many; at least 2.
        cities: how many; at least 2.
        spread: processes for the nodes that are not on the probes' way.
    """
    every = [each.code for each in divisions().values() if each.tier is Tier.PROVINCE]
    largest = sorted(every, key=lambda code: -len(cities_of(code)))[:provinces]
    by_turns = chain.from_iterable(zip_longest(*(cities_of(code) for code in largest)))
    chosen = [city.code for city in by_turns if city is not None][:cities]
    ways = tuple((each,) for each in (HQ_CODE, *largest[:2]))
    rest = [*largest[2:], *chosen[2:]]
    shares = [tuple(rest[at::spread]) for at in range(spread)]
    codes = (HQ_CODE, *largest, *chosen)
    return Nation(home, codes, (*ways, (chosen[0], chosen[1]), *(each for each in shares if each)))


@contextlib.asynccontextmanager
async def servers(nation: Nation) -> AsyncIterator[dict[str, EmbeddedPostgres]]:
    """Run a PostgreSQL for the nodes on the requests' way, and one that stands back for the rest."""
    places = {WAY: nation.on_the_way, REST: set(nation.codes) - nation.on_the_way}
    running: dict[str, EmbeddedPostgres] = {}
    try:
        for place, codes in places.items():
            running[place] = EmbeddedPostgres(nation.home / place)
            await asyncio.to_thread(running[place].start)
            connections = sum(POOL[division(code).tier] * 2 + 2 for code in codes)
            await _administer(
                running[place],
                f"ALTER SYSTEM SET max_connections = {connections + SPARE_CONNECTIONS}",
                # Each node's own server would look after one database a minute, not after hundreds.
                f"ALTER SYSTEM SET autovacuum_naptime = '{max(60, 2 * len(codes))}s'",
            )
            await asyncio.to_thread(running[place].release)
            await asyncio.to_thread(running[place].start)
        await _stand_back(running[REST])
        yield running
    finally:
        for each in running.values():
            await asyncio.to_thread(each.release)


async def _stand_back(server: EmbeddedPostgres) -> None:
    """Let a server's processes go after all others: those that it starts from now on."""
    connection = await asyncpg.connect(server.database_url("postgres"))
    try:
        backend = await connection.fetchval("SELECT pg_backend_pid()")
        postmaster = _number(Path(f"/proc/{backend}/status"), "PPid:")
        os.setpriority(os.PRIO_PROCESS, postmaster, NICE)
    finally:
        await connection.close()


async def postgres_memory(server: EmbeddedPostgres) -> int:
    """Return what the server's processes take of memory now, in MB: what they share is counted once."""
    connection = await asyncpg.connect(server.database_url("postgres"))
    try:
        processes = await connection.fetch("SELECT pid FROM pg_stat_activity")
    finally:
        await connection.close()
    kilobytes = 0
    for (process_id,) in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            kilobytes += _number(Path(f"/proc/{process_id}/smaps_rollup"), "Pss:")
    return round(kilobytes / 1024)


def _number(file: Path, name: str) -> int:
    lines = file.read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


async def _administer(server: EmbeddedPostgres, *statements: str) -> None:
    connection = await asyncpg.connect(server.database_url("postgres"))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def make_databases(nation: Nation, servers: dict[str, EmbeddedPostgres], say: Say) -> None:
    """Make a database for each node, with every table and the whole registry."""
    load_tables()
    now = datetime.now(UTC)
    for server in servers.values():
        await _make_template(nation, server, now)
    for number, code in enumerate(nation.codes, 1):
        server = servers[WAY if code in nation.on_the_way else REST]
        await _administer(server, f'CREATE DATABASE "guanxi_{code}" TEMPLATE "{TEMPLATE}"')
        if number % 50 == 0:
            say(f"{number} of {len(nation.codes)} databases made")


async def _make_template(nation: Nation, server: EmbeddedPostgres, now: datetime) -> None:
    server.create_database(TEMPLATE)
    await upgrade(server.database_url(TEMPLATE))
    template = Database(server.database_url(TEMPLATE), 2)
    hq = nation.post_office(HQ_CODE)
    async with template.transaction() as session:
        for code in nation.codes:
            public_key = nation.key(code).public.to_text()
            parent = division(code).parent
            await membership.register(
                session,
                hq,
                code=code,
                parent=parent,
                public_key=public_key,
                # Long ago, so that they are expected to report the months that the drill is about.
                now=now - ENROLLED_BEFORE,
            )
    await template.close()


async def join_all(nation: Nation, urls: dict[str, str]) -> None:
    """Let every node join its parent, which will be served at ``urls``."""
    for parent in (HQ_CODE, *nation.provinces):
        async with nation.opened(parent) as (database, post):
            for child in nation.codes:
                if division(child).parent == parent:
                    await _join(nation, child, (database, post), urls[parent])


async def _join(nation: Nation, child: str, parent: tuple[Database, PostOffice], url: str) -> None:
    """Invite, ask, admit, ask again and join, as two operators and two nodes would over HTTP."""
    (above, post), now, key = parent, datetime.now(UTC), nation.key(child).public
    async with nation.opened(child) as (database, own):
        async with above.transaction() as session:
            invitation = await enrolment.invite(session, post, child, by="drill", now=now)
            asked = EnrolmentRequest(code=child, public_key=key.to_text(), secret=invitation.secret)
            await enrolment.ask(session, post, asked, now=now)
            await enrolment.admit(session, post, child, key.fingerprint, by="another", now=now)
            answer = await enrolment.ask(session, post, asked, now=now)
        if answer is None:
            raise RuntimeError(f"{child} was admitted and is not.")
        known = answer.model_copy(update={"registry": []})  # the database has it from the template
        async with database.transaction() as session:
            await joining.join(session, own, invitation, known, url=url, moving=False, now=now)


@dataclass
class Processes:
    """The processes of a nation, each of which can be ended and started again on its port."""

    nation: Nation
    ports: list[int]
    _running: dict[int, contextlib.AsyncExitStack] = field(default_factory=dict)
    _process_ids: dict[int, int] = field(default_factory=dict)
    _peaks: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, nation: Nation) -> "Processes":
        """Give each process its port."""
        return cls(nation, [free_port() for _ in nation.processes])

    @property
    def urls(self) -> dict[str, str]:
        """Where each node will be served."""
        return {
            code: f"http://127.0.0.1:{port}"
            for codes, port in zip(self.nation.processes, self.ports, strict=True)
            for code in codes
        }

    def peak_memory(self) -> dict[str, int]:
        """Return the greatest resident set of each process so far, in MB, by what it holds."""
        for number in self._running:
            codes = self.nation.processes[number]
            name = codes[0] if len(codes) == 1 else f"{len(codes)} nodes from {codes[0]}"
            kilobytes = _number(Path(f"/proc/{self._process_ids[number]}/status"), "VmHWM:")
            self._peaks[name] = max(self._peaks.get(name, 0), round(kilobytes / 1024))
        return dict(self._peaks)

    async def start(self, numbers: Iterable[int]) -> None:
        """Start some, and wait until they answer."""
        async with asyncio.TaskGroup() as starting:
            for number in numbers:
                starting.create_task(self._start(number))

    async def _start(self, number: int) -> None:
        port = self.ports[number]
        environment = clean_environment(
            GUANXI_HOME=str(self.nation.home),
            BENCH_CODES=",".join(self.nation.processes[number]),
            BENCH_PLACE=WAY if number < OWN_PROCESSES else REST,
            BENCH_NICE=str(0 if number < OWN_PROCESSES else NICE),
        )
        command = uvicorn_command("bench.drill_host:application", port, "--factory")
        command += ["--timeout-graceful-shutdown", "20"]
        stack = contextlib.AsyncExitStack()
        running = process(command, environment, f"http://127.0.0.1:{port}/ready", output=sys.stderr)
        self._process_ids[number] = (await stack.enter_async_context(running)).pid
        self._running[number] = stack

    async def end(self, *numbers: int) -> None:
        """End some, or all."""
        self.peak_memory()
        stacks = [self._running.pop(number) for number in numbers or tuple(self._running)]
        await asyncio.gather(*(stack.aclose() for stack in stacks))
