"""A city restates a month until HQ's answer shows it, against the bare hops and SQL.

Three whole nodes, city, province and HQ, are processes with a database each on one PostgreSQL. The city stores a new
revision of a dataset and posts it, as its roll-up does once it has counted; HQ is asked over REST until its figure is
the new one. The floor is two signed exchanges with the message as their content, and the same rows written by the
bare driver at the three nodes, and the figure read once.
"""

import asyncio
import contextlib
from statistics import median
from time import perf_counter
from typing import Any

import asyncpg
import httpx

from bench import Benchmark, Result
from bench.bare_exchange import BareClient, bare_line
from bench.city import owner_url
from bench.lanes import fresh_home, join, opened, percentile, served, until_known
from bench.nation_figures import cell_keys, make_slice
from bench.stats_repeated import PASSWORD
from shared.capability import NodeContext, Role
from shared.federation.models import Lane
from shared.kernel.settings import HQ_CODE
from shared.kernel.tier import Tier
from shared.staff.service import add_staff_member
from shared.statistics import repository
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period
from shared.statistics.schemas import SLICE, SliceMessage
from shared.statistics.slices import Slice

CODES = (HQ_CODE, "440000", "440300")
NODE = "bench.lane_node:whole_node"
MONTH = Period.parse("2026-10")
DATASET, MEASURE, CELLS = "customer", "customers", 240
PATIENCE_SECONDS = 60
LOOK_SECONDS = 0.002
WARMING = 3


async def _tell(context: NodeContext, slice_: Slice) -> None:
    now = context.clock.now()
    async with context.database.transaction() as session:
        await repository.store(session, slice_, received_at=now)
        await context.post.post(
            session,
            SLICE,
            HQ_CODE,
            SliceMessage.of(slice_),
            lane=Lane.ROLLUP,
            partition_key=f"{DATASET}/{MONTH}",
            subject=f"{DATASET}/{MONTH}/{slice_.revision}",
            now=now,
        )


async def _shown(client: httpx.AsyncClient, expected: int) -> None:
    """Wait until HQ's answer is this."""
    query = {"indicator": MEASURE, "period": str(MONTH), "provenance": "summary"}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = (await client.get("/statistics/values", params=query)).raise_for_status()
            rows = answer.json()["rows"]
            if rows and rows[0]["values"][MEASURE] == expected:
                return
            await asyncio.sleep(LOOK_SECONDS)


async def _bare(bare: BareClient, owners: list[asyncpg.Connection], slice_: Slice) -> None:
    message = SliceMessage.of(slice_)
    rows = [
        (slice_.revision, value, at, code, 0)
        for at, cell in enumerate(slice_.content.cells)
        for code, value in enumerate(cell.values)
    ]
    for at, owner in enumerate(owners):
        if at:
            await bare.exchange("/hop", message)
        async with owner.transaction():
            await owner.copy_records_to_table("bare_fact", records=rows)
    await owners[-1].fetchval(
        "SELECT sum(value) FROM bare_fact WHERE slice_id = $1", slice_.revision
    )


async def _sign_in(hq: NodeContext, client: httpx.AsyncClient) -> None:
    async with hq.database.transaction() as session:
        await add_staff_member(
            session,
            username="analyst",
            password=PASSWORD,
            role=Role.HQ_ANALYST,
            unit_code=HQ_CODE,
            by="bench",
            now=hq.clock.now(),
            tier=Tier.HQ,
        )
    form = {"grant_type": "password", "username": "analyst", "password": PASSWORD}
    token = (await client.post("/oauth/token", data=form)).raise_for_status().json()
    client.headers["Authorization"] = f"Bearer {token['access_token']}"


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure, one of each in turn."""
    rounds = 8 if quick else 30
    keys = cell_keys(CATALOGUE.datasets[DATASET], CELLS)
    async with contextlib.AsyncExitStack() as stack:
        home = stack.enter_context(fresh_home())
        nodes: dict[str, NodeContext] = {}
        urls: dict[str, str] = {}
        parent: Any = None
        for code in CODES:
            nodes[code] = await stack.enter_async_context(opened(home, code))
            if parent:
                await join(nodes[code], nodes[parent], urls[parent])
            urls[code] = await stack.enter_async_context(served(home, code, NODE))
            parent = code
        await until_known(list(nodes.values()))
        bare = await stack.enter_async_context(bare_line(home, owner_url(nodes[HQ_CODE])))
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=urls[HQ_CODE], trust_env=False, timeout=PATIENCE_SECONDS)
        )
        await _sign_in(nodes[HQ_CODE], client)
        owners = []
        for code in reversed(CODES):
            owners.append(await asyncpg.connect(owner_url(nodes[code])))
            stack.push_async_callback(owners[-1].close)
            await owners[-1].execute("CREATE TABLE bare_fact (LIKE statistics_fact INCLUDING ALL)")
        whole: list[float] = []
        floor: list[float] = []
        for revision in range(1, rounds + WARMING + 1):
            slice_ = make_slice(CODES[-1], MONTH, DATASET, keys, revision=revision)
            began = perf_counter()
            await _tell(nodes[CODES[-1]], slice_)
            await _shown(client, slice_.content.control_totals[MEASURE])
            whole.append(1000 * (perf_counter() - began))
            began = perf_counter()
            await _bare(bare, owners, slice_)
            floor.append(1000 * (perf_counter() - began))
    return Result(
        median(whole[WARMING:]),
        median(floor[WARMING:]),
        {"p95": percentile(whole[WARMING:], 95), "floor p95": percentile(floor[WARMING:], 95)},
    )


BENCHMARK = Benchmark(
    name="stats-restate",
    summary="a restatement of a city's month until HQ shows it, against two bare hops and SQL",
    unit="ms",
    target=0.33,
    run=run,
    smaller_is_better=True,
)
