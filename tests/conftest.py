"""A real PostgreSQL, and real nodes in this one process.

One embedded server for each test process; a template database migrated once; a copy of it for each node of each
test. Nodes do no work by themselves here: a test dials and runs jobs by hand, and moves the clock.
"""

import asyncio
import gc
import itertools
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
import structlog
from argon2 import PasswordHasher
from structlog.contextvars import merge_contextvars
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import format_exc_info

from shared.capability import Capability, NodeContext, Role
from shared.federation import enrolment
from shared.federation.link import LinkDown
from shared.kernel.clock import HandClock
from shared.kernel.database import Database
from shared.kernel.embedded_postgres import NODE_ROLE, EmbeddedPostgres
from shared.kernel.ids import new_id
from shared.kernel.migrations import upgrade
from shared.kernel.settings import Settings, load_settings
from shared.node.app import Node, create_node
from shared.node.tiers import composition, load_tables
from shared.staff import passwords
from shared.staff.service import add_staff_member
from tests.addresses import as_node
from tests.reachable import Reachable
from tests.reference import load_reference
from tests.waiting import exchange

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""Where a test's clock begins: noon of a Monday in Beijing."""
TEMPLATE = "template_guanxi"
PASSWORD = "correct-horse-battery"

_names = itertools.count(1)

structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    processors=[
        merge_contextvars,
        format_exc_info,
        ConsoleRenderer(colors=False, exception_formatter=plain_traceback),
    ],
)
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux has its memory as a directory
ENOUGH = 2 * 1024**3
"""Bytes: more than the databases of all test processes ever take together."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """The server of this test process, in memory if there is room: a database is copied ten times as fast there."""
    is_roomy = IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > ENOUGH
    with tempfile.TemporaryDirectory(
        prefix="guanxi-test-", dir=IN_MEMORY if is_roomy else None
    ) as home:
        # Open on the way down to the data, which the server keeps to itself, also when tests run as root.
        Path(home).chmod(0o755)
        server = EmbeddedPostgres(Path(home) / "postgres")
        server.start()
        asyncio.run(_forget_durability(server))
        gc.freeze()  # no collection of garbage has to look at what was imported: it is there to the end
        yield server
        server.release()


@pytest.fixture(scope="session")
async def template(postgres: EmbeddedPostgres) -> str:
    """The name of a migrated database that others are copied from."""
    load_tables()
    postgres.create_database(TEMPLATE)
    await upgrade(postgres.database_url(TEMPLATE), node_role=NODE_ROLE)
    # For tables that a test makes of its own, by itself or by a capability.
    await _administer(postgres, f"GRANT CREATE ON SCHEMA public TO {NODE_ROLE}", TEMPLATE)
    rights = "SELECT, INSERT, UPDATE, DELETE ON TABLES"
    await _administer(postgres, f"ALTER DEFAULT PRIVILEGES GRANT {rights} TO {NODE_ROLE}", TEMPLATE)
    await load_reference(postgres.database_url(TEMPLATE), NOON)
    return TEMPLATE


@pytest.fixture
async def database_url(
    postgres: EmbeddedPostgres, template: str
) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Make databases, migrated and empty or as another is; they are dropped after the test.

    Their addresses are those of the owner; :func:`~tests.addresses.as_node` gives a node's.
    """
    made: list[str] = []

    async def make(source: str | None = None) -> str:
        name = f"test_{next(_names)}"
        await _copy_database(postgres, source or template, name)
        made.append(name)
        return postgres.database_url(name)

    yield make
    for name in made:
        await _administer(postgres, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _copy_database(server: EmbeddedPostgres, source: str, name: str) -> None:
    await _administer(server, f'CREATE DATABASE "{name}" TEMPLATE "{source}" STRATEGY FILE_COPY')


async def _forget_durability(server: EmbeddedPostgres) -> None:
    """These databases live for a test: nothing is gained by waiting for the disk."""
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        await _administer(server, f"ALTER SYSTEM SET {setting} = off")
    await _administer(server, "SELECT pg_reload_conf()")


async def _administer(
    postgres: EmbeddedPostgres, statement: str, database: str = "postgres"
) -> None:
    connection = await asyncpg.connect(postgres.database_url(database))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def database(database_url: Callable[[], Awaitable[str]]) -> AsyncIterator[Database]:
    """A fresh migrated database."""
    fresh = Database(await database_url(), 5)
    yield fresh
    await fresh.close()


@dataclass
class TestNode:
    """A started node, with a client that speaks to it; the node works as its role, the test as the owner.

    Attributes:
        node: the node.
        client: speaks HTTP to it.
        clock: its clock.
        owner: its database, as the owner of the tables.
    """

    __test__ = False

    node: Node
    client: httpx.AsyncClient
    clock: HandClock
    owner: Database | None = None

    @property
    def database(self) -> Database:
        """Its database, with the rights of the owner if the test has them."""
        return self.owner or self.node.context.database

    @property
    def code(self) -> str:
        """Its division code."""
        return self.node.settings.code

    @property
    def context(self) -> NodeContext:
        """What its capabilities work with."""
        return self.node.context

    @property
    def app(self) -> Any:
        """Its ASGI application."""
        return self.node.app

    async def run_job(self, name: str) -> None:
        """Run one of its jobs; unlike at work, a failure is raised."""
        await self.node.background.jobs[name].run(self.context, self.clock.now())

    async def run_work(self, kind: str) -> bool:
        """Do the next piece of long work of a kind, to its end; tells whether there was one."""
        return await self.node.background.worker.step(kind)


MakeNode = Callable[..., Awaitable[TestNode]]


@pytest.fixture
def clock() -> HandClock:
    """The clock of every node of the test."""
    return HandClock(NOON)


@pytest.fixture
def network() -> Reachable:
    """What carries HTTP between the nodes of the test."""
    return Reachable()


@pytest.fixture
async def make_node(
    database_url: Callable[..., Awaitable[str]],
    tmp_path: Path,
    clock: HandClock,
    network: Reachable,
) -> AsyncIterator[MakeNode]:
    """Make started nodes: ``await make_node("440300")``, with their tier's capabilities or with those given."""
    made: list[TestNode] = []

    async def make(
        code: str,
        capabilities: Sequence[Capability] | None = None,
        *,
        as_kept: "Kept | None" = None,
        **given: Any,
    ) -> TestNode:
        if as_kept is not None:
            shutil.copytree(as_kept.directory, tmp_path / "nodes" / code, dirs_exist_ok=True)
        url = await database_url(as_kept and as_kept.database)
        settings: Settings = load_settings(
            code=code,
            home=tmp_path,
            database_url=as_node(url),
            database_owner_url=url,
            scheduler=False,
            log_level="error",
            **given,
        )
        seams: dict[str, Any] = {"clock": clock, "transport": network}
        if capabilities is None:
            node: Node = composition(settings.tier)(settings, **seams)
        else:
            node = create_node(settings.tier, capabilities, settings, **seams)
        await node.start()
        network.apps[code] = node.app
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=node.app), base_url=f"http://{code}"
        )
        made.append(TestNode(node, client, clock, Database(url, 5)))
        return made[-1]

    yield make
    for test_node in reversed(made):
        await test_node.client.aclose()
        if test_node.owner:
            await test_node.owner.close()
        await test_node.node.stop()


_LIGHT = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords as lightly as can be, for nearly every test signs somebody in; those of passwords do not."""
    monkeypatch.setattr(passwords, "_HASHER", _LIGHT)


@pytest.fixture
def sign_in() -> Callable[..., Awaitable[dict[str, str]]]:
    """Sign a new person in: ``headers = await sign_in(node, Role.CLERK)``, of the node's own unit or another."""

    async def sign_in(node: TestNode, role: Role | str, unit: str | None = None) -> dict[str, str]:
        username = f"{role}-{new_id().hex[-12:]}"
        async with node.database.transaction() as session:
            await add_staff_member(
                session,
                username=username,
                password=PASSWORD,
                role=Role(role),
                unit_code=unit or node.code,
                by="test",
                now=node.clock.now(),
                tier=node.node.settings.tier,
            )
        form = {"grant_type": "password", "username": username, "password": PASSWORD}
        answer = await node.client.post("/oauth/token", data=form)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    return sign_in


@dataclass
class Nation:
    """Enrolled nodes of all tiers in one process, whose messages move when the test says so."""

    nodes: dict[str, TestNode]
    network: Reachable
    clock: HandClock

    def __getitem__(self, code: str) -> TestNode:
        return self.nodes[code]

    async def settle(self, rounds: int = 40) -> None:
        """Let every node that can reach its parent push and poll until nothing moves any more.

        Everything is pushed and polled once; then only where something waits, which costs a small part of asking.
        """
        for round_ in range(rounds):
            moved = 0
            for node in self.nodes.values():
                try:
                    moved += await exchange(node, self.nodes, in_full=not round_)
                except LinkDown:
                    continue
            self.clock.advance(timedelta(milliseconds=10))
            if not moved:
                return
        raise AssertionError(f"messages still moved after {rounds} rounds")


async def enrol(child: TestNode, parent: TestNode, *, moving: bool = False) -> None:
    """Let a child join its parent: invited by one person, asked, admitted by another, asked again."""
    post, now = parent.context.post, parent.clock.now()
    async with parent.database.transaction() as session:
        invitation = await enrolment.invite(
            session, post, child.code, by="test", now=now, moving=moving
        )
    with pytest.raises(LinkDown) as waiting:
        await child.node.dialler.enrol(f"http://{parent.code}", invitation, moving=moving)
    assert waiting.value.problem == "urn:guanxi:problem:enrolment-pending", waiting.value
    fingerprint = child.context.post.key.public.fingerprint
    async with parent.database.transaction() as session:
        await enrolment.admit(session, post, child.code, fingerprint, by="another", now=now)
    await child.node.dialler.enrol(f"http://{parent.code}", invitation, moving=moving)


@dataclass(frozen=True)
class Kept:
    """A node that has joined, as others are copied from it."""

    database: str
    directory: Path


_kept: dict[tuple[object, ...], dict[str, Kept]] = {}
"""Nations of this test process, by their codes and capabilities: joining takes longer than most tests."""


@pytest.fixture
async def joined(
    make_node: MakeNode,
    network: Reachable,
    clock: HandClock,
    postgres: EmbeddedPostgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Awaitable[Nation]]:
    """Make nodes that have joined one another, parents first: copies of those that did so the first time."""

    async def first(
        codes: Sequence[str], capabilities: Sequence[Capability] | None
    ) -> dict[str, Kept]:
        nodes = {code: await make_node(code, capabilities) for code in codes}
        for code in codes[1:]:
            parent = "000000" if code.endswith("0000") else f"{code[:2]}0000"
            await enrol(nodes[code], nodes[parent])
        await Nation(nodes, network, clock).settle()
        kept: dict[str, Kept] = {}
        for code, node in nodes.items():
            await node.node.stop()
            await node.database.close()  # a database in use cannot be copied
            directory = tmp_path_factory.mktemp("joined") / code
            shutil.copytree(node.node.settings.directory, directory)
            name = f"joined_{next(_names)}"
            source = urlsplit(str(node.node.settings.database_url)).path.removeprefix("/")
            await _copy_database(postgres, source, name)
            kept[code] = Kept(name, directory)
        return kept

    async def make(
        codes: Sequence[str], capabilities: Sequence[Capability] | None = None, **given: Any
    ) -> Nation:
        names = None if capabilities is None else tuple(each.name for each in capabilities)
        kind = (tuple(codes), names)
        if kind not in _kept:
            _kept[kind] = await first(codes, capabilities)
        nodes = {
            code: await make_node(code, capabilities, as_kept=_kept[kind][code], **given)
            for code in codes
        }
        return Nation(nodes, network, clock)

    return make


@pytest.fixture
async def nation(joined: Callable[..., Awaitable[Nation]]) -> Nation:
    """HQ; Guangdong with Guangzhou and Shenzhen; Beijing with its one city."""
    return await joined(("000000", "440000", "110000", "440100", "440300", "110100"))
