"""Changing a customer through the whole node, against the same rows written by the bare driver.

Each change gives one customer another way to pay, against the version that was read (``If-Match``): the node checks
token, permission, scope, version and input, writes the customer's row, its history and the audit log in one
transaction, and answers with the profile. The ceiling writes the same rows, as wide and with the same indexes, in one
transaction of asyncpg with a statement for each table, and does nothing else: no HTTP, no check, no answer. Both have
as many callers at once, and neither waits for the disk less than the other.
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
from bench.big_city import USERNAME, BigCity, big_city, size
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
_RECORD = """
    INSERT INTO audit_record
      (at, by, user_id, role, unit_code, unit_path, action, subject_type, subject_id, fields, source, trace_id, detail)
    VALUES ($1, $2, $3, $4, $5, $6, 'customer.changed', 'customer', $7, '["payment_method"]', 'rest', $8, '{}')"""
_TRACE = "0af7651916cd43dd8448eb211c80319c"

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
        clerk = await clerk_of(pool, USERNAME)
        versions: dict[UUID, int] = {}
        for _ in range(rounds + 1):
            changes = [bare_change(pool, clerk) for _ in range(CALLERS)]
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


async def clerk_of(pool: asyncpg.Pool, username: str) -> asyncpg.Record:
    """Return what an audit record says of a member of staff."""
    return await pool.fetchrow(
        "SELECT m.id, m.username, m.role, u.code, u.path FROM staff_member m "
        "JOIN organisation_unit u ON u.code = m.unit_code WHERE m.username = $1",
        username,
    )


def bare_change(pool: asyncpg.Pool, clerk: asyncpg.Record) -> Change:
    """Return what writes the rows of a change and does nothing else."""
    user_id, by, role, unit, path = clerk

    async def change(customer: UUID, way: str) -> None:
        now = datetime.now(UTC)
        # What was there before is not read; the row is as wide as if it were.
        changes = orjson.dumps([{"field": "payment_method", "old": way, "new": way}]).decode()
        async with pool.acquire() as connection, connection.transaction():
            await connection.fetchval(_UPDATE, customer, way, now, by)
            await connection.execute(_HISTORY, customer, now, by, changes)
            await connection.execute(
                _RECORD, now, by, user_id, role, unit, path, str(customer), _TRACE
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
