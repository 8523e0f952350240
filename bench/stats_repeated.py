"""A question that HQ has answered before, asked again with its entity tag, against the bare endpoint.

The question is about a year, by province and level, of every city. The bare endpoint is one of the same node that does
what every one does, and next to nothing else: token, permission, a transaction, and the catalogue in force (one
indicator of it, as JSON). Both are asked one after another over one kept connection. The answer that is spared is in
the details.
"""

import time
from statistics import median
from urllib.parse import urlencode, urlsplit

import asyncpg
import httpx

from bench import Benchmark, Result
from bench.city import owner_url
from bench.http_load import Connection
from bench.lanes import served
from bench.nation_figures import COMPUTED, cities, open_hq
from bench.stats_filling import fill
from shared.capability import NodeContext, Role
from shared.kernel.settings import HQ_CODE
from shared.kernel.tier import Tier
from shared.organisation.service import ensure_divisions
from shared.staff.service import add_staff_member
from shared.statistics.aggregate import put_together

ASKS, ASKS_QUICK = 600, 150
PASSWORD = "correct-horse-battery"  # noqa: S105 - of a node that lives for a minute
_QUESTION = urlencode(
    {
        "indicator": "customers,new_customers",
        "from": "2025-12",
        "to": "2026-11",
        "by": "period,region,level",
        "provenance": "summary",
    }
)
REPEATED = f"/statistics/values?{_QUESTION}"
BARE = "/statistics/indicators/customers"


async def _prepare(context: NodeContext) -> None:
    await ensure_divisions(context)
    owner = await asyncpg.connect(owner_url(context))
    await fill(owner, cities()[::4], years=1, days=1)
    await put_together(context.database, Tier.HQ, now=COMPUTED)
    async with context.database.transaction() as session:
        await add_staff_member(
            session,
            username="analyst",
            password=PASSWORD,
            role=Role.HQ_ANALYST,
            unit_code=HQ_CODE,
            by="bench",
            now=COMPUTED,
            tier=Tier.HQ,
        )
    await owner.execute("VACUUM ANALYZE")
    await owner.close()


async def _headers(url: str) -> dict[str, str]:
    form = {"grant_type": "password", "username": "analyst", "password": PASSWORD}
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        token = (await client.post("/oauth/token", data=form)).raise_for_status().json()
    return {"Authorization": f"Bearer {token['access_token']}"}


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure, one of each in turn."""
    asks = ASKS_QUICK if quick else ASKS
    async with open_hq() as (context, home):
        await _prepare(context)
        async with served(home, HQ_CODE, "bench.lane_node:whole_node") as url:
            headers = await _headers(url)
            connection = await Connection.open(urlsplit(url).port or 0)

            async def timed(target: str, expected: int, **more: str) -> tuple[float, bytes]:
                began = time.perf_counter()
                status, head, body = await connection.ask("GET", target, headers | more)
                assert status == expected, (target, status, body[:300])
                return 1000 * (time.perf_counter() - began), head

            whole, head = await timed(REPEATED, 200)
            tag = head.split(b"etag: ", 1)[1].split(b"\r\n", 1)[0].decode()
            answers = [(await timed(REPEATED, 200))[0] for _ in range(20)]
            again: list[float] = []
            bare: list[float] = []
            for _ in range(asks):
                bare.append((await timed(BARE, 200))[0])
                again.append((await timed(REPEATED, 304, **{"If-None-Match": tag}))[0])
            await connection.close()
    skip = asks // 10
    return Result(
        median(again[skip:]),
        median(bare[skip:]),
        {"answered in full, first": whole, "answered in full": median(answers)},
    )


BENCHMARK = Benchmark(
    name="stats-repeated",
    summary="a repeated question with its entity tag, against the bare endpoint of the same node",
    unit="ms",
    target=0.83,
    run=run,
    smaller_is_better=True,
)
