"""Changing a customer through the whole node, against the same rows written by the bare driver.

Each change gives one customer another way to pay, against the version that was read (``If-Match``): the node checks
token, permission, scope, version and input, and writes the customer's row, its history and the audit log in one
transaction. The ceiling writes the same rows in one transaction of asyncpg, prepared by hand, and checks nothing. Both
have as many callers at once, and neither waits for the disk less than the other.
"""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from statistics import median
from time import perf_counter
from uuid import UUID

import asyncpg
import orjson

from bench import Benchmark, Result
from bench.big_city import BigCity, big_city, size
from bench.http_load import Connection

CALLERS = 16
ROUNDS, ROUNDS_QUICK = 9, 3
SECONDS, SECONDS_QUICK = 2.0, 0.5
WAYS = ("bank_transfer", "cash", "credit_card", "direct_debit")

_UPDATE = """
    UPDATE customer SET payment_method = $2, version = version + 1, updated_at = $3, updated_by = $4
    WHERE id = $1 RETURNING version"""
_HISTORY = """
    INSERT INTO customer_change (customer_id, at, by, source, action, changes) VALUES ($1, $2, $3, 'rest', 'changed', $4)"""

Change = Callable[[UUID, str], Awaitable[None]]


async def measure(city: BigCity, rounds: int, seconds: float) -> tuple[float, float]:
    """Return changes a second through the node and bare: medians of alternating rounds."""
    through_node: list[float] = []
    through_bare: list[float] = []
    pool = await asyncpg.create_pool(city.context.database.url, min_size=CALLERS, max_size=CALLERS)
    lines = [await Connection.open(city.port) for _ in range(CALLERS)]
    try:
        ids = [row["id"] for row in await pool.fetch("SELECT id FROM customer LIMIT 5000")]
        random.Random(3).shuffle(ids)  # noqa: S311 - repeatable, and nobody's secret
        # Each caller has customers of its own: what is measured is not how they wait for one another.
        shares = [ids[nth::CALLERS] for nth in range(CALLERS)]
        versions: dict[UUID, int] = {}
        for _ in range(rounds + 1):
            changes = [_bare(pool) for _ in range(CALLERS)]
            through_bare.append(await _changes_a_second(changes, shares, seconds))
            versions = dict(await pool.fetch("SELECT id, version FROM customer"))
            changes = [_node(line, city, versions) for line in lines]
            through_node.append(await _changes_a_second(changes, shares, seconds))
    finally:
        for line in lines:
            await line.close()
        await pool.close()
    return median(through_node[1:]), median(through_bare[1:])  # the first round warms both up


def _node(line: Connection, city: BigCity, versions: dict[UUID, int]) -> Change:
    async def change(customer: UUID, way: str) -> None:
        headers = city.headers | {
            "If-Match": f'"{versions[customer]}"',
            "Content-Type": "application/merge-patch+json",
        }
        body = orjson.dumps({"payment_method": way})
        status, _, answer = await line.ask("PATCH", f"/customers/{customer}", headers, body)
        assert status == 200, answer
        versions[customer] = orjson.loads(answer)["version"]

    return change


def _bare(pool: asyncpg.Pool) -> Change:
    async def change(customer: UUID, way: str) -> None:
        now = datetime.now(UTC)
        async with pool.acquire() as connection, connection.transaction():
            await connection.fetchval(_UPDATE, customer, way, now, "bench")
            old_and_new = [{"field": "payment_method", "old": None, "new": way}]
            await connection.execute(
                _HISTORY, customer, now, "bench", orjson.dumps(old_and_new).decode()
            )

    return change


async def _changes_a_second(
    changes: list[Change], shares: list[list[UUID]], seconds: float
) -> float:
    done = 0
    began = perf_counter()

    async def keep_changing(change: Change, share: list[UUID]) -> None:
        nonlocal done
        # No way of two rounds is the same, so that every change is one.
        way = itertools.cycle(f"{each} {began:.3f}" for each in WAYS)
        for customer in itertools.cycle(share):
            await change(customer, next(way))
            done += 1
            if perf_counter() - began >= seconds:
                return

    await asyncio.gather(
        *(keep_changing(change, share) for change, share in zip(changes, shares, strict=True))
    )
    return done / (perf_counter() - began)


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    async with big_city(size(quick=quick), months=1) as city:
        wanted = (ROUNDS_QUICK, SECONDS_QUICK) if quick else (ROUNDS, SECONDS)
        return Result(*await measure(city, *wanted))


BENCHMARK = Benchmark(
    name="write-customer",
    summary="a change of a customer through the node, against the same rows written by bare asyncpg",
    unit="changes/s",
    target=0.4,
    run=run,
)
