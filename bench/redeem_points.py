"""Redeeming points through the service, against the same rows written by the bare driver: at random accounts.

The service finds what the policy asks, locks the accounts of the customer, checks scope, library, freeze and catalogue,
and takes the lots that expire first. The ceiling knows account, lot and price, locks and checks nothing beforehand: a
statement for each row, in one transaction. Both have as many callers at once, and neither waits for the disk less.
"""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from statistics import median
from time import perf_counter
from uuid import UUID

import asyncpg

from bench import Benchmark, Result
from bench.big_city import generated, size
from bench.city import CITY, NOW, owner_url
from services.city_node.points.accrual import accrue
from services.city_node.points.verification import verify
from services.city_node.redemption.schemas import RedemptionCreate
from services.city_node.redemption.service import Counter, redeem
from shared.access import Principal
from shared.capability import NodeContext, Role
from shared.kernel.database import Database
from shared.kernel.ids import new_id
from shared.organisation.service import path_of_division

CALLERS = 16
ROUNDS, ROUNDS_QUICK = 7, 3
SECONDS, SECONDS_QUICK = 2.0, 0.5
REWARD, PRICE = "bench", 100

_REWARD = """
    INSERT INTO reward (code, name_zh, name_en, points, valid_from, levels, version, updated_at, updated_by)
    VALUES ($1, 'bench', 'bench', $2, '2020-01-01', '[]', 1, now(), 'bench')"""
_ENRICH = """
    WITH more AS (
        INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on, cause_id)
        SELECT now(), 'adjustment', 4, account_id, 1000000000, expires_on, gen_random_uuid() FROM points_lot
        RETURNING credit_id, expires_on, points),
    lot AS (
        UPDATE points_lot l SET remaining = l.remaining + m.points FROM more m
        WHERE l.account_id = m.credit_id AND l.expires_on = m.expires_on)
    UPDATE points_balance b SET balance = b.balance + m.points
    FROM (SELECT credit_id, sum(points) AS points FROM more GROUP BY 1) m WHERE b.account_id = m.credit_id"""
_HOLDERS = """
    SELECT a.customer_id, a.id, min(l.expires_on) AS expires_on
    FROM points_account a JOIN points_lot l ON l.account_id = a.id JOIN customer c ON c.id = a.customer_id
    WHERE c.library = 'in_network' GROUP BY 1, 2 ORDER BY 2 LIMIT 5000"""
_BARE = (
    "UPDATE points_account SET version = version + 1 WHERE id = $1",
    "UPDATE points_balance SET balance = balance - $2 WHERE account_id = $1",
    "UPDATE points_lot SET remaining = remaining - $3 WHERE account_id = $1 AND expires_on = $2",
    """INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on, cause_id)
       VALUES (now(), 'redemption', $1, 2, $3, $2, $4)""",
    """INSERT INTO redemption (id, customer_id, reward_code, quantity, points, state, at, by, version)
       VALUES ($1, $2, $3, 1, $4, 'open', now(), 'bench', 1)""",
    """INSERT INTO audit_record (at, by, role, unit_code, unit_path, action, subject_type, subject_id, source, cause_id)
       VALUES (now(), 'bench', 'supervisor', '440300', '000000/440000/440300/', 'points.redeemed', 'customer', $1, 'rest', $2)""",
)

Holder = tuple[UUID, int, date]
Redeem = Callable[[Holder], Awaitable[None]]


async def measure(
    context: NodeContext, *, hot: bool, rounds: int, seconds: float
) -> tuple[float, float]:
    """Return redemptions a second through the service and bare: medians of alternating rounds."""
    await accrue(context.database, node=CITY, now=NOW)
    owner = await asyncpg.connect(owner_url(context))
    await owner.execute(_REWARD, REWARD, PRICE)
    await owner.execute(_ENRICH)
    await owner.execute("VACUUM ANALYZE")
    holders: list[Holder] = [tuple(row) for row in await owner.fetch(_HOLDERS)]
    await owner.close()
    random.Random(5).shuffle(holders)  # noqa: S311 - repeatable, and nobody's secret
    shares = [holders[:1] if hot else holders[nth::CALLERS] for nth in range(CALLERS)]
    database = Database(context.database.url, CALLERS)
    pool = await asyncpg.create_pool(context.database.url, min_size=CALLERS, max_size=CALLERS)
    served: list[float] = []
    bare: list[float] = []
    try:
        for _ in range(rounds + 1):
            bare.append(await _a_second(_by_hand(pool), shares, seconds))
            served.append(await _a_second(_by_service(database), shares, seconds))
    finally:
        await pool.close()
        await database.close()
    assert {each.check.code for each in await verify(context.database) if each.breaches} <= {"acts"}
    return median(served[1:]), median(bare[1:])  # the first round of both warms up


def _by_service(database: Database) -> Redeem:
    someone = Principal(
        new_id(), "bench", Role.SUPERVISOR, CITY, path_of_division(CITY), frozenset(), new_id()
    )
    body = RedemptionCreate(reward=REWARD)

    async def act(holder: Holder) -> None:
        async with database.writer() as connection, connection.transaction():
            await redeem(Counter(connection, database, someone, NOW, CITY), holder[0], body)

    return act


def _by_hand(pool: asyncpg.Pool) -> Redeem:
    async def act(holder: Holder) -> None:
        customer, account, day = holder
        cause = new_id()
        values: tuple[tuple[object, ...], ...] = (
            (account,),
            (account, PRICE),
            (account, day, PRICE),
            (account, day, PRICE, cause),
            (cause, customer, REWARD, PRICE),
            (str(customer), cause),
        )
        async with pool.acquire() as connection, connection.transaction():
            for statement, given in zip(_BARE, values, strict=True):
                await connection.execute(statement, *given)

    return act


async def _a_second(act: Redeem, shares: Sequence[Sequence[Holder]], seconds: float) -> float:
    done = 0
    began = perf_counter()

    async def keep_redeeming(share: Sequence[Holder]) -> None:
        nonlocal done
        for holder in itertools.cycle(share):
            await act(holder)
            done += 1
            if perf_counter() - began >= seconds:
                return

    await asyncio.gather(*(keep_redeeming(share) for share in shares))
    return done / (perf_counter() - began)


async def compare(*, quick: bool, hot: bool) -> Result:
    """Measure at one account, or at random ones."""
    rounds, seconds = (ROUNDS_QUICK, SECONDS_QUICK) if quick else (ROUNDS, SECONDS)
    async with generated(size(quick=quick), months=1) as (context, _):
        return Result(*await measure(context, hot=hot, rounds=rounds, seconds=seconds))


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    return await compare(quick=quick, hot=False)


BENCHMARK = Benchmark(
    name="redeem-points",
    summary="redemptions at random accounts through the service, against the same rows written by bare asyncpg",
    unit="redemptions/s",
    target=0.4,
    run=run,
)
