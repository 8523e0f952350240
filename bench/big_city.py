"""A generated city to measure: customers, lines, bills, and a clerk who asks; served by the node, and bare beside it.

``make bench ARGS="--customers 1000000"`` says how large it is.
"""

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from bench.city import CITY, NOW, open_city, owner_url
from bench.lanes import fresh_home
from bench.processes import clean_environment, free_port, process
from services.city_node.generator.people import City
from services.city_node.generator.service import generate, months_before
from services.city_node.group.industry import ensure_industries
from shared.capability import NodeContext, Role
from shared.kernel.tier import Tier
from shared.staff.service import add_staff_member

SIZE = "BENCH_CUSTOMERS"
CUSTOMERS, CUSTOMERS_QUICK = 100_000, 5_000
MONTHS = 12
USERNAME, PASSWORD = "bench", "measure-twice-cut-once"


@dataclass(frozen=True)
class BigCity:
    """A city whose node is up.

    Attributes:
        context: its database and keys, beside the node's own process.
        port: where the node listens.
        token: a supervisor's.
    """

    context: NodeContext
    port: int
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries."""
        return {"Authorization": f"Bearer {self.token}"}


def size(*, quick: bool) -> int:
    """Return how many customers to make."""
    return asked_size() or (CUSTOMERS_QUICK if quick else CUSTOMERS)


def asked_size() -> int | None:
    """Return how many customers ``--customers`` asks for, if it is given."""
    asked = os.environ.get(SIZE)
    return int(asked) if asked else None


@contextlib.asynccontextmanager
async def generated(
    customers: int, *, months: int = MONTHS
) -> AsyncIterator[tuple[NodeContext, Path]]:
    """Make a city with so many customers, without their usage; gives it, and the home that it is in."""
    with fresh_home() as home:
        async with open_city(home) as context:
            await ensure_industries(context)
            async with context.database.transaction() as session:
                made = City(
                    seed=1,
                    node=CITY,
                    place="深圳",
                    units=[CITY],
                    months=months_before(NOW.date().replace(day=1), months),
                    cipher=context.cipher,
                    now=NOW,
                    by="bench",
                )
                await generate(
                    session,
                    made,
                    customers,
                    append=False,
                    usage=False,
                    on_progress=lambda _what, _done, _total: None,
                )
            connection = await asyncpg.connect(owner_url(context))
            await connection.execute("VACUUM ANALYZE")
            await connection.close()
            yield context, home


@contextlib.asynccontextmanager
async def big_city(customers: int, *, months: int = MONTHS) -> AsyncIterator[BigCity]:
    """Make a city with so many customers, without their usage, and serve it."""
    async with generated(customers, months=months) as (context, home):
        async with context.database.transaction() as session:
            await add_staff_member(
                session,
                username=USERNAME,
                password=PASSWORD,
                role=Role.SUPERVISOR,
                unit_code=CITY,
                by="bench",
                now=NOW,
                tier=Tier.CITY,
            )
        async with _served(home) as port:
            yield BigCity(context, port, await _sign_in(port))


@contextlib.asynccontextmanager
async def _served(home: Path) -> AsyncIterator[int]:
    port = free_port()
    environment = clean_environment(
        GUANXI_HOME=str(home), GUANXI_LOG_LEVEL="info", GUANXI_PORT=str(port)
    )
    command = [str(Path(sys.executable).with_name("guanxi")), "node", "run", "--node", CITY]
    async with process(command, environment, f"http://127.0.0.1:{port}/health/live"):
        yield port


async def _sign_in(port: int) -> str:
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://127.0.0.1:{port}/oauth/token", data=form)
    token: str = answer.raise_for_status().json()["access_token"]
    return token
