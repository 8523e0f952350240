"""Draining an outbox to the neighbour, against signed HTTP batches and ``COPY`` of the same bytes.

A city, which is this process, has an outbox full of messages for its province, which is another. Their lane numbers
them, sends them in signed batches, checks the signature of each, keeps them in the province's inbox, hands them to
a handler that does nothing, and acknowledges them. The ceiling sends the same envelopes in batches of the same size,
one in flight too, to a bare server that copies them into a table.
"""

import asyncio
import contextlib
import random
from statistics import median
from time import perf_counter
from typing import Any

import asyncpg
from sqlalchemy import select

from bench import Benchmark, Result
from bench.bare_exchange import BareClient, bare_line
from bench.city import owner_url
from bench.lane_node import CAPABILITY, KEPT
from bench.lanes import fresh_home, join, opened, post, served
from shared.federation import exchange
from shared.federation.models import Lane, OutboxMessage
from shared.kernel.settings import load_settings
from shared.node.app import Node, create_node

CITY, PROVINCE = "440300", "440000"
BATCHES, BATCHES_QUICK = 10, 4
ROUNDS, ROUNDS_QUICK = 5, 3
LANE = Lane.BULK
SIZE = exchange.most_messages(LANE)
LOOK_SECONDS = 0.02
_ACKNOWLEDGED = "SELECT acknowledged FROM federation_lane WHERE lane = $1 AND direction = 'out'"


async def measure(batches: int, rounds: int) -> tuple[list[float], list[float]]:
    """Return messages a second over the lane and over the bare line, of alternating rounds."""
    dice = random.Random(batches)  # noqa: S311 - repeatable, and nobody's secret
    through_lane: list[float] = []
    through_bare: list[float] = []
    async with contextlib.AsyncExitStack() as stack:
        home = stack.enter_context(fresh_home())
        province = await stack.enter_async_context(opened(home, PROVINCE))
        url = await stack.enter_async_context(served(home, PROVINCE))
        settings = load_settings(code=CITY, home=home, log_level="error")
        city = create_node(settings.tier, [CAPABILITY], settings)
        await city.start()
        stack.push_async_callback(city.stop)
        await join(city.context, province, url)
        bare = await stack.enter_async_context(bare_line(home, owner_url(province)))
        for number in range(rounds + 1):
            for _ in range(batches):
                await post(
                    city.context,
                    KEPT,
                    PROVINCE,
                    lane=LANE,
                    dice=dice,
                    count=SIZE,
                )
            copies = await _waiting_batches(city)
            count = sum(len(batch) for batch in copies)
            assert count == batches * SIZE
            seconds = await _send(bare, copies)
            if number:  # the first round warms both up
                through_bare.append(count / seconds)
            seconds = await _drain(city, (number + 1) * count)
            if number:
                through_lane.append(count / seconds)
    return through_lane, through_bare


async def _waiting_batches(city: Node) -> list[list[dict[str, Any]]]:
    """Return what waits in the outbox as it would go over the wire, in batches."""
    async with city.context.database.transaction() as session:
        waiting = await session.scalars(
            select(OutboxMessage)
            .where(OutboxMessage.lane == LANE, OutboxMessage.sequence.is_(None))
            .order_by(OutboxMessage.position)
        )
        messages = [
            {
                "envelope": each.envelope.decode(),
                "signature": each.signature,
                "hops": each.hops,
            }
            for each in waiting
        ]
    return [messages[at : at + SIZE] for at in range(0, len(messages), SIZE)]


async def _send(bare: BareClient, batches: list[list[dict[str, Any]]]) -> float:
    """Return the seconds that the bare line takes."""
    began, first = perf_counter(), 1
    for messages in batches:
        content = {"lane": LANE.value, "first": first, "messages": messages}
        received = await bare.exchange("/batches", content)
        assert received == first + len(messages) - 1
        first += len(messages)
    return perf_counter() - began


async def _drain(city: Node, acknowledged: int) -> float:
    """Return the seconds from beginning to dial until so many messages of the lane are acknowledged in all."""
    connection = await asyncpg.connect(city.context.database.url)
    began = perf_counter()
    dialling = asyncio.create_task(city.dialling.run())
    try:
        while await connection.fetchval(_ACKNOWLEDGED, LANE.value) < acknowledged:
            await asyncio.sleep(LOOK_SECONDS)
            assert not dialling.done()
        return perf_counter() - began
    finally:
        dialling.cancel()
        await asyncio.gather(dialling, return_exceptions=True)
        await connection.close()


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    size = (BATCHES_QUICK, ROUNDS_QUICK) if quick else (BATCHES, ROUNDS)
    through_lane, through_bare = await measure(*size)
    return Result(median(through_lane), median(through_bare))


BENCHMARK = Benchmark(
    name="lane-throughput",
    summary="messages of 1 KB from one node to the next, against bare signed batches and COPY of the same bytes",
    unit="messages/s",
    target=0.5,
    run=run,
)
