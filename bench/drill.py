"""``python -m bench.drill``: a whole nation on one machine, its nightly storm, and HQ away for hours.

One node for HQ, each province and each city, with real signatures, a database each and real HTTP between them. What is
asked: does a request from city to city, a card replacement, say, wait while everybody's roll-ups are under way?

1. *Quiet*: requests between two cities of different provinces, and nothing else.
2. *Storm*: every city posts its slice set to HQ at once. How long until HQ has kept all, and the requests meanwhile.
3. *Outage*: HQ is ended. What the cities post in hours gathers in the provinces. HQ comes back: how long until all of
   it has arrived and is answered, and the requests meanwhile, from the first that gets through again.
4. *Board*: HQ is asked over REST what has come of the last month. With ``--dark N`` so many cities tell nothing of it,
   and exactly theirs is to be missing.

All nodes share the machine, but not their processes: HQ, the two provinces on the requests' way and their two cities
have some of their own, and a PostgreSQL, as they would have machines. The others share a few processes and a second
PostgreSQL, which stand back (nice 10): theirs is the work of hundreds of machines, and what is asked is what of it
reaches the requests. The answer is the last line: one JSON object.
"""

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from time import perf_counter
from typing import Any

from bench import drill_board
from bench import drill_traffic as traffic
from bench.drill_nation import (
    Nation,
    Processes,
    choose,
    join_all,
    make_databases,
    postgres_memory,
    servers,
)
from bench.drill_traffic import Probe
from bench.lanes import fresh_home, percentile
from shared.kernel.settings import HQ_CODE
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period, PeriodKind

HQ = 0
"""HQ's place among the processes."""
WARMING = 5
"""Requests whose time is not taken, at the beginning."""
DUE_DAYS = 3
"""So many days after its end a month is surely due."""
OUTAGE = Period.of(datetime.now(UTC).date() - timedelta(days=DUE_DAYS), PeriodKind.MONTH).previous
STORM = OUTAGE.previous
"""The two last months that are over and due."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is drilled.

    Attributes:
        quiet: requests in the quiet.
        hours: how long HQ is away, by what is posted meanwhile.
        hourly: requests that a city posts in an hour.
        cells: how many cells a slice has at most.
        at_most: how many times their quiet 95th percentile the requests may take in storm and outage.
        dark: how many cities tell nothing of the last month.
    """

    quiet: int
    hours: int
    hourly: int
    cells: int
    at_most: float
    dark: int = 0


def say(sentence: str) -> None:
    """Tell a person what happens."""
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {sentence}\n")


async def drill(nation: Nation, size: Size) -> dict[str, Any]:
    """Do it all, and return what was found."""
    began = perf_counter()
    processes = Processes.of(nation)

    async def heard_from_all() -> bool:
        return await traffic.unheard(nation) == 0

    async with servers(nation) as postgres:
        try:
            await make_databases(nation, postgres, say)
            await join_all(nation, processes.urls)
            say("every node has joined its parent; the processes start")
            await processes.start([HQ])
            await processes.start(range(1, len(nation.processes)))
            await traffic.until(heard_from_all)
            async with traffic.probe(nation) as probe:
                await probe.ask_often(WARMING)
                found: dict[str, Any] = {
                    "provinces": len(nation.provinces),
                    "cities": len(nation.cities),
                    "processes": len(nation.processes),
                    "setup_seconds": round(perf_counter() - began, 1),
                }
                say(f"{len(nation.codes)} nodes are up after {found['setup_seconds']} s")
                quiet = _times(await probe.ask_often(size.quiet))
                say(f"quiet: {quiet}")
                found["quiet"] = quiet
                found["storm"] = await _storm(nation, probe, size)
                found["outage"] = await _outage(nation, probe, processes, size)
                url = processes.urls[HQ_CODE]
                found["board"] = await drill_board.check(nation, url, OUTAGE, _dark(nation, size))
                say(f"board: {found['board']}")
                for step in ("storm", "outage"):
                    found[step]["p95_ratio"] = round(found[step]["p95_ms"] / quiet["p95_ms"], 2)
                found["peak_memory_mb"] = processes.peak_memory() | {
                    f"postgres {place}": await postgres_memory(each)
                    for place, each in postgres.items()
                }
        finally:
            await processes.end()
    met = max(found["storm"]["p95_ratio"], found["outage"]["p95_ratio"]) <= size.at_most
    return found | {"at_most": size.at_most, "met": met}


async def _storm(nation: Nation, probe: Probe, size: Size) -> dict[str, Any]:
    dice = random.Random(1)  # noqa: S311 - repeatable, and nobody's secret
    slices = {
        city: traffic.slice_set(city, STORM, dice, cells=size.cells) for city in nation.cities
    }
    expected = sum(len(each) for each in slices.values())

    async def is_there() -> bool:
        return await traffic.slices_at_hq(nation, STORM) >= expected

    async with probe.meanwhile() as times:
        began = perf_counter()
        for city in nation.cities:
            async with nation.opened(city) as (database, post), database.transaction() as session:
                await traffic.post_slices(session, post, slices[city])
        posted = perf_counter() - began
        say(f"storm: {expected} slices posted")
        await traffic.until(is_there)
        seconds = perf_counter() - began
    found = {
        "slices": expected,
        "cells": sum(each["row_count"] for each in chain.from_iterable(slices.values())),
        "posting_seconds": round(posted, 1),
        "seconds": round(seconds, 1),
        **_times(times),
    }
    say(f"storm: {found}")
    return found


async def _outage(nation: Nation, probe: Probe, processes: Processes, size: Size) -> dict[str, Any]:
    await processes.end(HQ)
    say("HQ is away")
    messages = await _gather_backlog(nation, size)
    requests, slices = messages["requests"], messages["slices"]
    say(f"HQ comes back: {requests} requests and {slices} slices wait for it")
    await processes.start([HQ])

    async def is_drained() -> bool:
        return (
            await traffic.slices_at_hq(nation, OUTAGE) >= slices
            and await traffic.passed_hq(nation) >= 2 * requests
            and await traffic.waiting_at(nation, [HQ_CODE]) == 0
        )

    began = perf_counter()
    await probe.ask()
    through = perf_counter() - began
    say(f"the first request gets through after {through:.1f} s")
    async with probe.meanwhile() as times:
        await traffic.until(is_drained)
        drained = perf_counter() - began

    async def is_quiet() -> bool:
        return await traffic.waiting_at(nation, nation.codes) == 0

    await traffic.until(is_quiet)
    found = {
        "hours": size.hours,
        **messages,
        "first_through_seconds": round(through, 1),
        "drain_seconds": round(drained, 1),
        "unanswered": requests - await traffic.answered_at(nation),
        **_times(times),
    }
    say(f"outage: {found}")
    return found


def _dark(nation: Nation, size: Size) -> list[str]:
    """Return the cities that tell nothing of the last month: the last ones, between which no probe goes."""
    return nation.cities[len(nation.cities) - size.dark :]


async def _gather_backlog(nation: Nation, size: Size) -> dict[str, int]:
    """Post what the cities post in the hours that HQ is away, and wait until the provinces hold it."""
    dice = random.Random(2)  # noqa: S311 - repeatable, and nobody's secret
    count = size.hours * size.hourly
    dark = _dark(nation, size)
    for city in nation.cities:
        others = [code for code in nation.cities if code[:2] != city[:2]]
        async with nation.opened(city) as (database, post), database.transaction() as session:
            await traffic.post_requests(session, post, others, dice, count)
            if city not in dark:
                slices = traffic.slice_set(city, OUTAGE, dice, cells=size.cells)
                await traffic.post_slices(session, post, slices)
    posted = {
        "requests": len(nation.cities) * count,
        "slices": (len(nation.cities) - len(dark)) * len(CATALOGUE.dataset_list),
    }

    async def has_gathered() -> bool:
        return await traffic.waiting_at(nation, nation.provinces) >= sum(posted.values())

    await traffic.until(has_gathered)
    return posted


def _times(milliseconds: Sequence[float]) -> dict[str, Any]:
    return {
        "asked": len(milliseconds),
        "p50_ms": round(percentile(milliseconds, 50), 1),
        "p95_ms": round(percentile(milliseconds, 95), 1),
    }


def main() -> int:
    """Do what the command line says; exit code 1 if a request waited too long or in vain, or HQ's board is wrong."""
    parser = argparse.ArgumentParser(
        prog="make drill",
        description="A whole nation on one machine, its nightly storm, and HQ away for hours.",
    )
    parser.add_argument("--provinces", type=int, default=31, help="how many, the largest first")
    parser.add_argument("--cities", type=int, default=337, help="how many, evenly")
    parser.add_argument(
        "--spread",
        type=int,
        default=2,
        help="processes for the nodes that the requests do not pass",
    )
    parser.add_argument("--quiet", type=int, default=200, help="requests in the quiet")
    parser.add_argument(
        "--hours", type=int, default=8, help="how long HQ is away, by what is posted meanwhile"
    )
    parser.add_argument(
        "--hourly", type=int, default=2, help="requests that a city posts in an hour"
    )
    parser.add_argument(
        "--cells",
        type=int,
        default=24,
        help="of a slice at most: what a night of more costs HQ, `stats-night` measures",
    )
    parser.add_argument(
        "--at-most",
        type=float,
        default=3.0,
        help="times its quiet p95 that a request may take meanwhile",
    )
    parser.add_argument(
        "--dark", type=int, default=0, help="cities that tell nothing of the last month"
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON line")
    given = parser.parse_args()
    with fresh_home() as home:
        nation = choose(home, provinces=given.provinces, cities=given.cities, spread=given.spread)
        found = asyncio.run(
            drill(
                nation,
                Size(
                    given.quiet, given.hours, given.hourly, given.cells, given.at_most, given.dark
                ),
            )
        )
    print(json.dumps(found, indent=None if given.json else 2))
    fine = found["met"] and found["board"]["right"] and not found["outage"]["unanswered"]
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
