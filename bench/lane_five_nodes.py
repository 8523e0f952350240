"""Requests from city to city and back, through two provinces and HQ, against as many bare signed hops.

Five nodes, each a process: city, province, HQ, province, city. So many requests are always under way; each is answered
by the other city and counts when its answer has had its effect. The ceiling makes eight bare signed exchanges for each
round trip, one after another, with as many round trips under way.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from statistics import median
from time import perf_counter

from bench import Benchmark, Result
from bench.bare_exchange import BareClient, bare_line
from bench.city import owner_url
from bench.lane_node import ASKED, payload
from bench.lanes import effects_at, fresh_home, join, opened, percentile, post, served, until_known
from shared.capability import NodeContext
from shared.federation.models import Lane

HQ, ASKING, ANSWERING = "000000", "440300", "110100"
CODES = (HQ, "440000", "110000", ASKING, ANSWERING)
"""Each after its parent."""
HOPS = 8
UNDER_WAY = 32
TRIPS, TRIPS_QUICK = 400, 100
ROUNDS, ROUNDS_QUICK = 3, 1
PATIENCE_SECONDS = 60


@contextlib.asynccontextmanager
async def _five() -> AsyncIterator[tuple[NodeContext, BareClient]]:
    """Start and join the five; gives the asking city."""
    async with contextlib.AsyncExitStack() as stack:
        home = stack.enter_context(fresh_home())
        nodes: dict[str, NodeContext] = {}
        urls: dict[str, str] = {}
        for code in CODES:
            nodes[code] = await stack.enter_async_context(opened(home, code))
            if code != HQ:
                parent = HQ if code.endswith("0000") else f"{code[:2]}0000"
                await join(nodes[code], nodes[parent], urls[parent])
            urls[code] = await stack.enter_async_context(served(home, code))
        await until_known(list(nodes.values()))
        bare = await stack.enter_async_context(bare_line(home, owner_url(nodes[HQ])))
        yield nodes[ASKING], bare


async def measure(trips: int, rounds: int) -> tuple[list[float], list[float], list[float]]:
    """Return round trips a second of each round, through the nodes and bare, and the milliseconds of each trip."""
    dice = random.Random(trips)  # noqa: S311 - repeatable, and nobody's secret
    times: list[float] = []
    async with _five() as (city, bare), effects_at(city.database) as effects:

        async def ask() -> None:
            began = perf_counter()
            (message,) = await post(city, ASKED, ANSWERING, lane=Lane.REQUEST, dice=dice)
            async with asyncio.timeout(PATIENCE_SECONDS):
                answered = await effects.expect(message)
            times.append((answered - began) * 1000)

        async def hop() -> None:
            for _ in range(HOPS):
                await bare.exchange("/hop", payload(dice))

        await _per_second(ask, 2 * UNDER_WAY)
        times.clear()
        through_nodes, through_bare = [], []
        for _ in range(rounds):
            through_bare.append(await _per_second(hop, trips))
            through_nodes.append(await _per_second(ask, trips))
    return through_nodes, through_bare, times


async def _per_second(trip: Callable[[], Awaitable[None]], count: int) -> float:
    """Make so many trips, ``UNDER_WAY`` at a time, and return how many there were in a second."""
    left = iter(range(count))

    async def travel() -> None:
        for _ in left:
            await trip()

    began = perf_counter()
    async with asyncio.TaskGroup() as travellers:
        for _ in range(UNDER_WAY):
            travellers.create_task(travel())
    return count / (perf_counter() - began)


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    size = (TRIPS_QUICK, ROUNDS_QUICK) if quick else (TRIPS, ROUNDS)
    through_nodes, through_bare, times = await measure(*size)
    return Result(
        median(through_nodes),
        median(through_bare),
        {"p50_ms": percentile(times, 50), "p95_ms": percentile(times, 95)},
    )


BENCHMARK = Benchmark(
    name="lane-five-nodes",
    summary="round trips from city to city through five nodes, against eight bare signed hops each",
    unit="round trips/s",
    target=0.33,
    run=run,
)
