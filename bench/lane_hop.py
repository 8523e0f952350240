"""One message to the neighbour, from its commit to that of its effect there, against a bare signed round trip.

City and province are processes that have nothing else to do: the city is woken by PostgreSQL, numbers the message and
sends it; the province checks both signatures, keeps it, handles it and commits. The ceiling is one request with the
same data, signed by the client, checked and answered by the server, whose signature the client checks.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from time import perf_counter

from bench import Benchmark, Result
from bench.bare_exchange import BareClient, bare_line
from bench.city import owner_url
from bench.lane_node import EFFECTED, payload
from bench.lanes import effects_at, fresh_home, join, opened, percentile, post, served
from shared.capability import NodeContext
from shared.federation.models import Lane

CITY, PROVINCE = "440300", "440000"
HOPS, HOPS_QUICK, WARMING = 400, 80, 20
PAUSE_SECONDS = 0.02
PATIENCE_SECONDS = 30


@contextlib.asynccontextmanager
async def _line() -> AsyncIterator[tuple[NodeContext, NodeContext, BareClient]]:
    async with contextlib.AsyncExitStack() as stack:
        home = stack.enter_context(fresh_home())
        enter = stack.enter_async_context
        province, city = await enter(opened(home, PROVINCE)), await enter(opened(home, CITY))
        url = await enter(served(home, PROVINCE))
        await join(city, province, url)
        await enter(served(home, CITY))
        yield city, province, await enter(bare_line(home, owner_url(province)))


async def measure(hops: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each hop and of each bare round trip, taken in turn."""
    dice = random.Random(hops)  # noqa: S311 - repeatable, and nobody's secret
    hop_times: list[float] = []
    bare_times: list[float] = []
    async with _line() as (city, province, bare), effects_at(province.database) as effects:
        for _ in range(WARMING + hops):
            (message,) = await post(city, EFFECTED, PROVINCE, lane=Lane.REQUEST, dice=dice)
            committed = perf_counter()
            async with asyncio.timeout(PATIENCE_SECONDS):
                hop_times.append((await effects.expect(message) - committed) * 1000)
            await asyncio.sleep(PAUSE_SECONDS)
            began = perf_counter()
            await bare.exchange("/hop", payload(dice))
            bare_times.append((perf_counter() - began) * 1000)
            await asyncio.sleep(PAUSE_SECONDS)
    return hop_times[WARMING:], bare_times[WARMING:]


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    hop_times, bare_times = await measure(HOPS_QUICK if quick else HOPS)
    return Result(
        percentile(hop_times, 50),
        percentile(bare_times, 50),
        {"p95": percentile(hop_times, 95), "ceiling_p95": percentile(bare_times, 95)},
    )


BENCHMARK = Benchmark(
    name="lane-hop",
    summary="a message from commit to effect at the neighbour (p50), against a bare signed round trip",
    unit="ms",
    target=0.33,
    run=run,
    smaller_is_better=True,
)
