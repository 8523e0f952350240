"""A city to evaluate, and what is measured with it: a whole evaluation, one of the changed, and bare statements.

``make bench ARGS="--customers 1000000 evaluate-levels"`` says how large it is.
"""

import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

from bench.big_city import MONTHS
from bench.city import CITY, NOW, open_city, owner_url
from services.city_node.evaluation.repository import prepare
from services.city_node.evaluation.rule import Rule
from services.city_node.evaluation.service import Evaluator
from services.city_node.generator.people import City
from services.city_node.generator.service import generate, months_before
from services.city_node.group.industry import ensure_industries
from shared.capability import NodeContext

ROUNDS, ROUNDS_QUICK = 5, 3
_CHANGE = """
    UPDATE bill b SET charge_fen = greatest(0, charge_fen + $1) FROM customer c
    WHERE c.id = b.customer_id AND abs(hashtext(c.id::text)) % 100 = $2"""


Evaluating = Callable[[NodeContext, datetime], Awaitable[Any]]
"""Evaluates a whole city at a moment."""


def by_rule(rule: Rule[Any]) -> Evaluating:
    """Return what evaluates by a rule."""

    async def evaluate(context: NodeContext, now: datetime) -> None:
        await Evaluator(context, rule, now, "bench").evaluate_city()

    return evaluate


@dataclass
class Evaluated:
    """A city whose customers have results, in a table."""

    context: NodeContext
    connection: asyncpg.Connection
    results: str
    rounds: int = 0

    def moment(self) -> datetime:
        """Return when the next evaluation is: each time a minute later."""
        self.rounds += 1
        return NOW + timedelta(minutes=self.rounds)

    async def change(self) -> None:
        """Change the bills of one customer in a hundred."""
        await self.connection.execute(_CHANGE, 30_000, self.rounds)
        for table in ("bill", self.results, "evaluation_mark", "evaluation_due"):
            await self.connection.execute(f"VACUUM ANALYZE {table}")

    async def bare(self, statement: str) -> list[asyncpg.Record]:
        """Run a bare statement with the settings of an evaluation."""
        async with self.connection.transaction():
            await prepare(self.connection)
            return list(await self.connection.fetch(statement))


@contextlib.asynccontextmanager
async def evaluated_city(
    results: str, customers: int, more: str | None = None
) -> AsyncIterator[Evaluated]:
    """Make a city with a year of bills, to be evaluated into a table, and ``more``, a statement, if there is any."""
    with tempfile.TemporaryDirectory(prefix="guanxi-bench-") as home:
        async with open_city(Path(home)) as context:
            await ensure_industries(context)
            async with context.database.transaction() as session:
                made = City(
                    seed=1,
                    node=CITY,
                    place="深圳",
                    units=[CITY],
                    months=months_before(NOW.date().replace(day=1), MONTHS),
                    cipher=context.cipher,
                    now=NOW,
                    by="bench",
                )
                await generate(
                    session,
                    made,
                    customers,
                    append=False,
                    usage=False,
                    on_progress=lambda _what, _done, _total: None,
                )
            connection = await asyncpg.connect(owner_url(context))
            try:
                if more is not None:
                    await connection.execute(more)
                await connection.execute("VACUUM ANALYZE")
                yield Evaluated(context, connection, results)
            finally:
                await connection.close()


async def seconds(act: Callable[[], Awaitable[Any]]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    await act()
    return time.perf_counter() - began


@dataclass
class Comparison:
    """Medians in seconds: of a whole evaluation, and of the bare statement; and what the first evaluation took."""

    evaluation: float
    bare: float
    first: float


async def against(  # noqa: PLR0917 - what is compared, and how
    evaluate: Evaluating,
    results: str,
    statement: str,
    counted: str,
    customers: int,
    rounds: int,
    more: str | None = None,
) -> Comparison:
    """Compare whole evaluations with a bare statement that computes the same numbers, by turns.

    Args:
        evaluate: evaluates.
        results: the table of what it finds.
        statement: the bare statement: counts and sums of what it computes.
        counted: the same counts and sums of the results that the evaluation wrote.
        customers: how many.
        rounds: how often.
        more: a statement that makes what a generated city does not have.
    """
    async with evaluated_city(results, customers, more) as city:
        first = await seconds(lambda: evaluate(city.context, city.moment()))
        whole, bare = [], []
        for _ in range(rounds):
            await city.change()
            bare.append(await seconds(lambda: city.bare(statement)))
            whole.append(await seconds(lambda: evaluate(city.context, city.moment())))
        computed = [tuple(row) for row in await city.bare(statement)]
        assert computed == [tuple(row) for row in await city.bare(counted)]
    return Comparison(median(whole), median(bare), first)
