"""Reading a customer by id through the whole node, against bare FastAPI and asyncpg.

Both are one uvicorn process with the same loop, parser and number of database connections, read the same rows of
the same database over loopback, and are asked by the same client. The node checks the token, the unit's scope and
the masks, builds the answer in PostgreSQL, records the look durably, and logs.
"""

import contextlib
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from statistics import median
from uuid import UUID

import asyncpg
import httpx

from bench import Benchmark, Result
from bench.city import CITY, NOW, load_file, mapping, open_city, owner_url, people
from bench.http_load import requests_per_second
from bench.processes import clean_environment, free_port, process, uvicorn_command
from shared.capability import NodeContext, Role
from shared.kernel.tier import Tier
from shared.staff.service import add_staff_member

CUSTOMERS = 5_000
CONNECTIONS = 32
USERNAME, PASSWORD = "bench", "measure-twice-cut-once"


async def measure(
    rounds: int, seconds: float, connections: int = CONNECTIONS
) -> tuple[float, float, int]:
    """Return answers a second of the node and of the bare reader, and how many looks the node recorded.

    The first two are medians of alternating rounds.
    """
    with tempfile.TemporaryDirectory(prefix="guanxi-bench-") as home:
        async with open_city(Path(home)) as context:
            ids = await _prepare(context)
            environment = clean_environment(
                GUANXI_HOME=home,
                GUANXI_LOG_LEVEL="info",
                BENCH_DATABASE=context.database.url,
                BENCH_POOL=str(context.settings.database_pool),
            )
            async with _node(environment) as node, _bare(environment) as bare:
                token = await _sign_in(node)
                whole = _requests(ids, f"Authorization: Bearer {token}\r\n")
                plain = _requests(ids, "")
                through_node: list[float] = []
                through_bare: list[float] = []
                for _ in range(rounds + 1):
                    for port, ask, found in (
                        (bare, plain, through_bare),
                        (node, whole, through_node),
                    ):
                        found.append(
                            await requests_per_second(
                                port, ask, connections=connections, seconds=seconds
                            )
                        )
                looks = await _count_looks(context)
    # The first round warms both up.
    return median(through_node[1:]), median(through_bare[1:]), looks


async def _count_looks(context: NodeContext) -> int:
    pool = await context.database.pool()
    looks: int = await pool.fetchval(
        "SELECT count(*) FROM audit_record WHERE action = 'customer.looked'"
    )
    return looks


async def _prepare(context: NodeContext) -> list[UUID]:
    """Fill the city, and return the ids of its customers."""
    await load_file(context, people(CUSTOMERS), mapping())
    async with context.database.transaction() as session:
        await add_staff_member(
            session,
            username=USERNAME,
            password=PASSWORD,
            role=Role.CLERK,
            unit_code=CITY,
            by="bench",
            now=NOW,
            tier=Tier.CITY,
        )
    connection = await asyncpg.connect(owner_url(context))
    try:
        await connection.execute("VACUUM ANALYZE")
        return [row["id"] for row in await connection.fetch("SELECT id FROM customer")]
    finally:
        await connection.close()


def _requests(ids: list[UUID], headers: str) -> Callable[[], bytes]:
    dice = random.Random(1)  # noqa: S311 - repeatable, and nobody's secret
    made = [
        f"GET /customers/{customer} HTTP/1.1\r\nHost: city\r\n{headers}\r\n".encode()
        for customer in ids
    ]
    return lambda: dice.choice(made)


@contextlib.asynccontextmanager
async def _node(environment: dict[str, str]) -> AsyncIterator[int]:
    port = free_port()
    command = [str(Path(sys.executable).with_name("guanxi")), "node", "run", "--node", CITY]
    async with process(
        command, {**environment, "GUANXI_PORT": str(port)}, f"http://127.0.0.1:{port}/health/live"
    ):
        yield port


@contextlib.asynccontextmanager
async def _bare(environment: dict[str, str]) -> AsyncIterator[int]:
    port = free_port()
    command = uvicorn_command("bench.bare_reader:app", port)
    async with process(command, environment, f"http://127.0.0.1:{port}/openapi.json"):
        yield port


async def _sign_in(port: int) -> str:
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://127.0.0.1:{port}/oauth/token", data=form)
    token: str = answer.raise_for_status().json()["access_token"]
    return token


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure in many short rounds, so that whatever else the machine does disturbs both alike."""
    node, bare, _ = await measure(7, 0.5) if quick else await measure(21, 1.0)
    return Result(node, bare)


BENCHMARK = Benchmark(
    name="read-customer",
    summary="a customer by id through the whole node, against bare FastAPI and asyncpg",
    unit="answers/s",
    target=0.5,
    run=run,
)
