"""HQ's night: the figures of every city verified, stored and put together, against a raw ``COPY`` of the same facts.

What the program is given are the messages as they come out of the inbox, a city's in one transaction, four cities at
once as the lanes bring them. It reads and checks them, finds cells, writes the register, facts and margins, and in the
end puts provinces and the nation together. The ceiling loads the same facts, ready made, into a table with the same
columns and key, four connections at once.
"""

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import structlog

from bench import Benchmark, Result
from bench.city import owner_url
from bench.nation_figures import COMPUTED, all_keys, cities, make_slice, open_hq
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, Hop
from shared.federation.envelope import Message
from shared.kernel.ids import new_id
from shared.kernel.tier import Tier
from shared.statistics.aggregate import put_together
from shared.statistics.messages import handle_slice
from shared.statistics.period import Period
from shared.statistics.schemas import SLICE, SliceMessage

AT_ONCE = 4
MONTH = Period.parse("2026-11")
QUICK_CITIES = 34
_COLUMNS = ("slice_id", "value", "cell_id", "measure_id", "volume")
_NEW = f"SELECT {', '.join(_COLUMNS)} FROM statistics_fact WHERE slice_id IN (SELECT id FROM statistics_slice WHERE node = $1)"  # noqa: S608 - constants alone


def _messages(city: str, keys: dict[str, list[tuple[str, ...]]]) -> list[Message]:
    return [
        Message(
            id=new_id(),
            source=city,
            type=SLICE,
            time=COMPUTED,
            destination="000000",
            partitionkey=f"{dataset}/{MONTH}",
            data=SliceMessage.of(make_slice(city, MONTH, dataset, each)),
        )
        for dataset, each in keys.items()
    ]


async def _take(context: NodeContext, messages: Sequence[Message]) -> None:
    async with context.database.transaction() as session:
        for message in messages:
            hops = (Hop(message.source, COMPUTED), Hop("000000", COMPUTED))
            await handle_slice(context, Delivery(message, hops, session, COMPUTED))


async def _timed(work: Callable[[Any], Awaitable[None]], portions: Sequence[Any]) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(work(each) for each in portions))
    return time.perf_counter() - began


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure, four cities by the program and the same by ``COPY``, in turn."""
    keys, named = all_keys(), cities()[: QUICK_CITIES if quick else None]
    program = bare = 0.0
    facts = 0
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    async with open_hq() as (context, _):
        gc.freeze()  # as a node that serves does
        pool = await context.database.pool()
        owner_pool = await _bare_table(context)

        async def copy(rows: list[Any]) -> None:
            async with owner_pool.acquire() as connection, connection.transaction():
                await connection.copy_records_to_table("bare_fact", columns=_COLUMNS, records=rows)

        async def take(messages: list[Message]) -> None:
            await _take(context, messages)

        for at in range(0, len(named), AT_ONCE):
            portion = named[at : at + AT_ONCE]
            program += await _timed(take, [_messages(city, keys) for city in portion])
            rows = [[tuple(row) for row in await pool.fetch(_NEW, city)] for city in portion]
            bare += await _timed(copy, rows)
            facts += sum(map(len, rows))
        began = time.perf_counter()
        made = await put_together(context.database, Tier.HQ, now=COMPUTED)
        putting = time.perf_counter() - began
        await owner_pool.close()
    return Result(
        facts / (program + putting),
        facts / bare,
        {
            "cities": len(named),
            "cells a city": sum(map(len, keys.values())),
            "facts": facts,
            "storing s": program,
            "aggregates": made,
            "putting together s": putting,
            "COPY s": bare,
        },
    )


async def _bare_table(context: NodeContext) -> asyncpg.Pool:
    pool = await asyncpg.create_pool(owner_url(context), min_size=AT_ONCE, max_size=AT_ONCE)
    await pool.execute("CREATE TABLE bare_fact (LIKE statistics_fact INCLUDING ALL)")
    return pool


BENCHMARK = Benchmark(
    name="stats-night",
    summary="HQ's night of slices of every city, verified, stored and put together, against raw COPY of the same facts",
    unit="facts/s",
    target=0.4,
    run=run,
)
