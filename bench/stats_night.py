"""HQ's night: the figures of every city verified, stored and put together, against a raw ``COPY`` of the same facts.

What the program is given are the messages as they come out of the inbox, a city's in one transaction, four cities at
once as the lanes bring them, in as many processes as there are cores, as HQ with as many ``workers`` has. It reads and
checks them, finds cells, writes the register, facts and margins, and in the end puts provinces and the nation together,
on as many connections. The ceiling loads the same facts, ready made, into a table with the same columns and key, four
connections at once.
"""

import asyncio
import contextlib
import gc
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from bench import Benchmark, Result
from bench.city import owner_url
from bench.nation_figures import COMPUTED, all_keys, cities, open_hq
from bench.processes import clean_environment
from shared.capability import NodeContext
from shared.kernel.tier import Tier
from shared.statistics.aggregate import put_together

AT_ONCE = 4
PORTION = 12
"""Cities by the program, and then the same by ``COPY``: the longer each lasts, the less its end weighs."""
PROCESSES = min(os.cpu_count() or 1, AT_ONCE)
QUICK_CITIES = 36
_COLUMNS = ("slice_id", "value", "cell_id", "measure_id", "volume")
_NEW = f"SELECT {', '.join(_COLUMNS)} FROM statistics_fact WHERE slice_id IN (SELECT id FROM statistics_slice WHERE node = $1)"  # noqa: S608 - constants alone


class _Intake:
    """A process of HQ that takes slices in (:mod:`bench.stats_intake`)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def expect(self, word: str) -> None:
        """Wait until it says this."""
        assert self._process.stdout is not None
        said = (await self._process.stdout.readline()).decode().strip()
        if said != word:
            raise RuntimeError(f"A process that takes slices in said {said!r} instead of {word!r}.")

    def tell(self, line: str) -> None:
        """Write a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())


@contextlib.asynccontextmanager
async def _intakes(home: Path) -> AsyncIterator[list[_Intake]]:
    command = (sys.executable, "-m", "bench.stats_intake", str(home), str(AT_ONCE // PROCESSES))
    pipe = asyncio.subprocess.PIPE
    started: list[asyncio.subprocess.Process] = []
    try:
        while len(started) < PROCESSES:
            begun = asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, env=clean_environment()
            )
            started.append(await begun)
        intakes = [_Intake(each) for each in started]
        for intake in intakes:
            await intake.expect("open")
        yield intakes
    finally:
        for each in started:
            assert each.stdin is not None
            each.stdin.close()
            await each.wait()


async def _taken(intakes: Sequence[_Intake], portion: Sequence[str]) -> float:
    """Let cities' slices be taken in; returns how long it took, without making them up."""
    busy = intakes[: len(portion)]
    for at, intake in enumerate(busy):
        intake.tell(" ".join(portion[at :: len(intakes)]))
    for intake in busy:
        await intake.expect("made")
    began = time.perf_counter()
    for intake in busy:
        intake.tell("")
    for intake in busy:
        await intake.expect("taken")
    return time.perf_counter() - began


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure, a portion of cities by the program and the same by ``COPY``, in turn, each four at once."""
    keys, named = all_keys(), cities()[: QUICK_CITIES if quick else None]
    program = bare = 0.0
    facts = 0
    async with open_hq() as (context, home), _intakes(home) as intakes:
        gc.freeze()  # the ceiling is driven from here
        pool = await context.database.pool()
        owner_pool = await _bare_table(context)

        async def copy(rows: list[Any]) -> None:
            async with owner_pool.acquire() as connection, connection.transaction():
                await connection.copy_records_to_table("bare_fact", columns=_COLUMNS, records=rows)

        async def copy_all(several: list[list[Any]]) -> None:
            for rows in several:
                await copy(rows)

        for at in range(0, len(named), PORTION):
            portion = named[at : at + PORTION]
            program += await _taken(intakes, portion)
            rows = [[tuple(row) for row in await pool.fetch(_NEW, city)] for city in portion]
            began = time.perf_counter()
            await asyncio.gather(*(copy_all(rows[nth::AT_ONCE]) for nth in range(AT_ONCE)))
            bare += time.perf_counter() - began
            facts += sum(map(len, rows))
        began = time.perf_counter()
        made = await put_together(context.database, Tier.HQ, now=COMPUTED, connections=PROCESSES)
        putting = time.perf_counter() - began
        await owner_pool.close()
    return Result(
        facts / (program + putting),
        facts / bare,
        {
            "cities": len(named),
            "processes": PROCESSES,
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
