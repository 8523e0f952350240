"""Services between two cities, through two provinces and HQ: five whole nodes, each a process, on one PostgreSQL.

A clerk of the visited city works over REST. What the other city has done is heard from the visited city's database,
which tells of each line of a trail, by one listener for all that is under way: asking again and again would take from
the two processors what the nodes need. The floor of a service is what
cannot be saved: as many bare signed exchanges as messages pass from node to node, one after another, and its rows,
written by the bare driver in as many transactions as the two cities need.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from time import perf_counter
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx

from bench import Benchmark, Result
from bench.bare_exchange import BareClient, bare_line
from bench.city import owner_url
from bench.lane_node import payload
from bench.lanes import fresh_home, join, opened, percentile, served, until_known
from services.city_node.customer.identity import seal_document
from services.city_node.customer.models import Customer, Sim, Subscription
from services.city_node.service_request.trail import CHANNEL
from shared.capability import NodeContext, Role
from shared.kernel.ids import new_id
from shared.staff.service import add_staff_member

HQ, VISITED, HOME = "000000", "440300", "110100"
CODES = (HQ, "440000", "110000", VISITED, HOME)
"""Each after its parent."""
HOPS_A_MESSAGE = 4
NODE = "bench.lane_node:whole_node"
PASSWORD = "correct-horse-battery"  # noqa: S105 - of nodes that live for a minute
PATIENCE_SECONDS = 120
UNDER_WAY = 16
_OPEN = """
    INSERT INTO service_request (id, kind, role, home, visited, state, awaiting, subject, deadline, unit_code,
                                 created_by, created_at, updated_at)
    SELECT gen_random_uuid(), $1, $2, $3, $4, $5, 'home', '138****0000', now() + interval '1 day', $6, 'bench', now(), now()
    FROM generate_series(1, $7)"""
_STATES = "SELECT id, state FROM service_request WHERE id = ANY($1::uuid[])"


@dataclass(frozen=True, slots=True)
class Somebody:
    """A customer of the home city."""

    customer: UUID
    line: UUID
    msisdn: str
    iccid: str


@dataclass
class Counter:
    """The counter of the visited city.

    Attributes:
        client: the clerk's, signed in.
        home, visited: the two cities, opened beside their processes.
        bare: the bare signed line.
        people: customers who have not been served yet.
    """

    client: httpx.AsyncClient
    home: NodeContext
    visited: NodeContext
    bare: BareClient
    people: list[Somebody] = field(default_factory=list)
    _awaited: dict[UUID, tuple[frozenset[str], asyncio.Future[str]]] = field(default_factory=dict)
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, path: str, body: Any = None) -> dict[str, Any]:
        """Ask as the clerk, once.

        Raises:
            RuntimeError: if the node refuses.
        """
        answer = await self.client.post(
            path, json=body, headers={"Idempotency-Key": str(uuid4())}, timeout=PATIENCE_SECONDS
        )
        if answer.is_error:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
        content: dict[str, Any] = answer.json()
        return content

    async def until(self, request: UUID, *states: str) -> str:
        """Return the state of a request of the visited city once it is one of these."""
        awaited = asyncio.get_running_loop().create_future()
        self._awaited[request] = frozenset(states), awaited
        self._told.set()  # it may have come to that before
        async with asyncio.timeout(PATIENCE_SECONDS):
            found: str = await awaited
        return found

    async def look(self) -> None:
        """Look for what is awaited, for ever."""
        connection = await asyncpg.connect(owner_url(self.visited))
        try:
            await connection.add_listener(CHANNEL, lambda *_: self._told.set())
            while True:
                await self._told.wait()
                self._told.clear()
                for request, state in await connection.fetch(_STATES, list(self._awaited)):
                    states, awaited = self._awaited[request]
                    if state in states:
                        del self._awaited[request]
                        awaited.set_result(state)
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def counter(people: int, cards: int) -> AsyncIterator[Counter]:
    """Start and join the five nodes, with so many customers at home and so many blank cards at the visited city."""
    async with contextlib.AsyncExitStack() as stack:
        home = stack.enter_context(fresh_home())
        nodes: dict[str, NodeContext] = {}
        urls: dict[str, str] = {}
        for code in CODES:
            nodes[code] = await stack.enter_async_context(opened(home, code))
            if code != HQ:
                parent = HQ if code.endswith("0000") else f"{code[:2]}0000"
                await join(nodes[code], nodes[parent], urls[parent])
            urls[code] = await stack.enter_async_context(served(home, code, NODE))
        await until_known(list(nodes.values()))
        settled = await _settle(nodes[HOME], people)
        await _open_counter(nodes[VISITED], cards)
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=urls[VISITED], trust_env=False)
        )
        form = {"grant_type": "password", "username": "clerk", "password": PASSWORD}
        token = (await client.post("/oauth/token", data=form)).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        bare = await stack.enter_async_context(bare_line(home, owner_url(nodes[HQ])))
        made = Counter(client, nodes[HOME], nodes[VISITED], bare, settled)
        looking = asyncio.create_task(made.look())
        stack.callback(looking.cancel)
        yield made


async def _settle(context: NodeContext, count: int) -> list[Somebody]:
    now = context.clock.now()
    entry = now.date() - timedelta(days=400)
    people = []
    async with context.database.transaction() as session:
        for number in range(count):
            one = Somebody(new_id(), new_id(), f"199{number:08}", f"898600{number:014}")
            # One document serves everybody who is asked for: only its blind index differs, and nobody looks it up.
            sealed = seal_document(context.cipher, "officer_card", f"B{number:08}")
            session.add(
                Customer(
                    id=one.customer,
                    customer_number=f"{HOME}{number:08}",
                    kind="individual",
                    name="某",
                    name_sort="mou 某",
                    document_type=sealed.type,
                    document_cipher=sealed.cipher,
                    document_index=sealed.index,
                    document_masked=sealed.masked,
                    unit_code=HOME,
                    entry_date=entry,
                    created_at=now,
                    created_by="bench",
                    updated_at=now,
                    updated_by="bench",
                )
            )
            people.append(one)
        await session.flush()
        for one in people:
            session.add(
                Subscription(
                    id=one.line, customer_id=one.customer, msisdn=one.msisdn, entry_date=entry
                )
            )
        await session.flush()
        for one in people:
            session.add(
                Sim(
                    iccid=one.iccid,
                    imsi=f"4{one.iccid[-14:]}",
                    subscription_id=one.line,
                    activated_at=now,
                )
            )
    return people


async def _open_counter(context: NodeContext, cards: int) -> None:
    now = context.clock.now()
    async with context.database.transaction() as session:
        await add_staff_member(
            session,
            username="clerk",
            password=PASSWORD,
            role=Role.CLERK,
            unit_code=VISITED,
            by="bench",
            now=now,
            tier=context.settings.tier,
        )
    owner = await asyncpg.connect(owner_url(context))
    try:
        await owner.execute(
            "INSERT INTO sim_card_stock (iccid, imsi, unit_code, created_at, updated_at) "
            "SELECT '898601' || lpad(n::text, 14, '0'), '45' || lpad(n::text, 13, '0'), $1, now(), now() "
            "FROM generate_series(1, $2) n",
            VISITED,
            cards,
        )
    finally:
        await owner.close()


async def let_wait(made: Counter, service: "Service", count: int) -> None:
    """Let so many requests wait for an answer, at both ends."""
    for context, role, state in (
        (made.visited, "visited", service.waits),
        (made.home, "home", service.waits_at_home),
    ):
        if state is None:
            continue
        owner = await asyncpg.connect(owner_url(context))
        try:
            unit = context.settings.code
            await owner.execute(_OPEN, service.kind, role, HOME, VISITED, state, unit, count)
            await owner.execute("ANALYZE service_request")
        finally:
            await owner.close()


@dataclass(frozen=True, slots=True)
class Service:
    """A service to measure.

    Attributes:
        name: of the benchmark.
        kind: of request.
        summary: what is done, and against what.
        messages: how many messages pass between the cities.
        waits: the state of a request that waits, at the visited city.
        waits_at_home: the same at home, if anything waits there.
        prepare: makes the counter ready.
        serve: one customer, from the first question to the end.
        rows: the same rows, by the bare driver.
    """

    name: str
    kind: str
    summary: str
    messages: int
    waits: str
    waits_at_home: str | None
    prepare: Callable[[Counter], Awaitable[None]]
    serve: Callable[[Counter, Somebody], Awaitable[None]]
    rows: Callable[[asyncpg.Pool, asyncpg.Pool, Somebody], Awaitable[None]]


async def measure(service: Service, *, quiet: int, busy: int, waiting: int) -> dict[str, float]:
    """Return milliseconds and services a second: alone, bare, many at once, and with many others waiting."""
    dice = random.Random(quiet)  # noqa: S311 - repeatable, and nobody's secret
    warming = 5
    needed = 2 * (warming + quiet) + 2 * busy + warming
    async with contextlib.AsyncExitStack() as stack:
        made = await stack.enter_async_context(counter(needed, 2 * needed))
        await service.prepare(made)
        pools = [
            await stack.enter_async_context(
                asyncpg.create_pool(owner_url(context), min_size=1, max_size=2)
            )
            for context in (made.visited, made.home)
        ]
        alone: list[float] = []
        bare: list[float] = []
        for _ in range(warming + quiet):
            began = perf_counter()
            await service.serve(made, made.people.pop())
            alone.append((perf_counter() - began) * 1000)
            began = perf_counter()
            for _ in range(service.messages * HOPS_A_MESSAGE):
                await made.bare.exchange("/hop", payload(dice))
            await service.rows(pools[0], pools[1], made.people.pop())
            bare.append((perf_counter() - began) * 1000)
        at_once, rate = await _many(service, made, busy)
        await let_wait(made, service, waiting)
        crowded, crowded_rate = await _many(service, made, busy)
    return {
        "p50": percentile(alone[warming:], 50),
        "p95": percentile(alone[warming:], 95),
        "floor_p50": percentile(bare[warming:], 50),
        "floor_p95": percentile(bare[warming:], 95),
        "busy_per_second": rate,
        "busy_p50": percentile(at_once, 50),
        "waiting_per_second": crowded_rate,
        "waiting_p50": percentile(crowded, 50),
    }


async def _many(service: Service, made: Counter, count: int) -> tuple[Sequence[float], float]:
    """Serve so many, ``UNDER_WAY`` at a time: the milliseconds of each, and how many a second."""
    times: list[float] = []
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            began = perf_counter()
            await service.serve(made, made.people.pop())
            times.append((perf_counter() - began) * 1000)

    began = perf_counter()
    async with asyncio.TaskGroup() as clerks:
        for _ in range(UNDER_WAY):
            clerks.create_task(work())
    return times, count / (perf_counter() - began)


def benchmark(service: Service) -> Benchmark:
    """Return the benchmark of a service: p50 alone, against its floor; at most three times of that."""

    async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
        size = (20, 40, 1_000) if quick else (100, 300, 10_000)
        found = await measure(service, quiet=size[0], busy=size[1], waiting=size[2])
        return Result(found.pop("p50"), found.pop("floor_p50"), found)

    return Benchmark(
        name=service.name,
        summary=service.summary,
        unit="ms",
        target=0.33,
        run=run,
        smaller_is_better=True,
    )
