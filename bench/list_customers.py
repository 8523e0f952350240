"""Finding customers in a large city: how long the slowest twentieth of the answers takes, against the bare SQL.

Each question is asked through the whole node (token, scope, masks, JSON), one after another, and as a SQL statement
that returns the same rows, over one connection of the driver, with nothing else. The figure is the worst of the
questions: the 95th percentile through the node over that of the statement. What was found for each is in the details,
in milliseconds.
"""

import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

import asyncpg
import orjson

from bench import Benchmark, Result
from bench.big_city import BigCity, big_city, size
from bench.http_load import Connection
from bench.lanes import percentile
from services.city_node.customer.profile import FIELDS
from shared.kernel.listing import write_cursor

ROUNDS, ROUNDS_QUICK = 200, 40
PAGE = 50
FAR = 1000
"""Which page is the far one."""

# ruff: noqa: S608 - put together from what is declared here
_COLUMNS = ", ".join(f"c.{name}" for name in FIELDS)
_FROM = f"SELECT {_COLUMNS} FROM customer c"
_RICH = 30_000


@dataclass(frozen=True)
class Question:
    """One way to look for customers: what the node is asked, and the same as SQL."""

    name: str
    query: dict[str, str]
    sql: str
    values: Sequence[Any]


async def measure(city: BigCity, rounds: int) -> dict[str, tuple[float, float]]:
    """Return the 95th percentiles through the node and bare, in milliseconds, by question."""
    found: dict[str, tuple[float, float]] = {}
    async with contextlib.AsyncExitStack() as stack:
        bare = await asyncpg.connect(city.context.database.url)
        stack.push_async_callback(bare.close)
        line = await Connection.open(city.port)
        stack.push_async_callback(line.close)
        for name, ask in (await _questions(bare)).items():
            node: list[float] = []
            sql: list[float] = []
            for number in range(rounds + 5):
                question = ask(number)
                target = f"/customers?{urlencode(question.query)}"
                took, (status, _, body) = await _timed(line.ask("GET", target, city.headers))
                took_bare, rows = await _timed(bare.fetch(question.sql, *question.values))
                assert status == 200, body
                assert len(orjson.loads(body)["items"]) == len(rows) > 0, question
                if number >= 5:  # both are warm
                    node.append(took)
                    sql.append(took_bare)
            found[name] = percentile(node, 95), percentile(sql, 95)
    return found


async def _timed(act: Awaitable[Any]) -> tuple[float, Any]:
    began = perf_counter()
    result = await act
    return (perf_counter() - began) * 1000, result


async def _questions(bare: asyncpg.Connection) -> dict[str, Callable[[int], Question]]:
    dice = random.Random(7)  # noqa: S311 - repeatable, and nobody's secret
    msisdns = [
        row[0]
        for row in await bare.fetch(
            "SELECT msisdn FROM subscription s JOIN customer c ON c.id = s.customer_id "
            "WHERE c.library = 'in_network' AND s.status = 'active' LIMIT 5000"
        )
    ]
    names = [
        row[0]
        for row in await bare.fetch(
            "SELECT name FROM customer WHERE library = 'in_network' LIMIT 5000"
        )
    ]
    far_name = await _far(bare, "c.name_sort", "", [])
    far_rich = await _far(
        bare, "c.monthly_charge_fen", "AND c.level = 'gold' AND c.monthly_charge_fen >= $1", [_RICH]
    )

    def phone(_: int) -> Question:
        msisdn = dice.choice(msisdns)
        sql = (
            f"{_FROM} WHERE c.library = 'in_network' AND c.id IN "
            "(SELECT customer_id FROM subscription WHERE msisdn = $1 AND status <> 'ended') ORDER BY c.id LIMIT 51"
        )
        return Question("phone", {"msisdn": msisdn}, sql, [msisdn])

    def name(_: int) -> Question:
        prefix = dice.choice(names)[:2]
        sql = (
            f"{_FROM} WHERE c.library = 'in_network' AND c.name >= $1 AND c.name < $1 || E'\\U0010FFFF' "
            "ORDER BY c.name_sort, c.id LIMIT 50"
        )
        return Question("name", {"name": prefix, "sort": "name"}, sql, [prefix])

    def listed(after: tuple[str, str] | None) -> Callable[[int], Question]:
        def ask(_: int) -> Question:
            query = {"sort": "name"}
            where = ""
            values: list[Any] = []
            if after is not None:
                query["cursor"] = write_cursor("name", after)
                where = "AND (c.name_sort, c.id) > ($1, $2::text::uuid)"
                values += after
            sql = f"{_FROM} WHERE c.library = 'in_network' {where} ORDER BY c.name_sort, c.id LIMIT 50"
            return Question("listed", query, sql, values)

        return ask

    def filtered(after: tuple[str, str] | None) -> Callable[[int], Question]:
        def ask(_: int) -> Question:
            query = {
                "sort": "monthly_charge_fen",
                "level": "gold",
                "min_monthly_charge_fen": str(_RICH),
            }
            where = ""
            values: list[Any] = [_RICH]
            if after is not None:
                query["cursor"] = write_cursor("monthly_charge_fen", after)
                where = "AND (c.monthly_charge_fen, c.id) > ($2::text::bigint, $3::text::uuid)"
                values += after
            sql = (
                f"{_FROM} WHERE c.library = 'in_network' AND c.level = 'gold' AND c.monthly_charge_fen >= $1 {where} "
                "ORDER BY c.monthly_charge_fen, c.id LIMIT 50"
            )
            return Question("filtered", query, sql, values)

        return ask

    return {
        "phone": phone,
        "name": name,
        "list_first": listed(None),
        "list_far": listed(far_name),
        "filter_first": filtered(None),
        "filter_far": filtered(far_rich),
    }


async def _far(
    bare: asyncpg.Connection, by: str, more: str, values: Sequence[Any]
) -> tuple[str, str]:
    """Return where the thousandth page begins, or the last but one if there are fewer."""
    where = f"FROM customer c WHERE c.library = 'in_network' {more}"
    count: int = await bare.fetchval(f"SELECT count(*) {where}", *values)
    offset = min(PAGE * (FAR - 1), max(count - 2 * PAGE, 0))
    row = await bare.fetchrow(
        f"SELECT ({by})::text, c.id::text {where} ORDER BY {by}, c.id LIMIT 1 OFFSET {offset}",
        *values,
    )
    return row[0], row[1]


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    async with big_city(size(quick=quick), months=1) as city:
        found = await measure(city, ROUNDS_QUICK if quick else ROUNDS)
    worst = max(found.values(), key=lambda times: times[0] / times[1])
    details = {}
    for name, (node, bare) in found.items():
        details[name], details[f"{name}_sql"] = node, bare
    details["median_ratio"] = median(node / bare for node, bare in found.values())
    return Result(*worst, details)


BENCHMARK = Benchmark(
    name="list-customers",
    summary="the slowest twentieth of searches and pages through the node, against the bare SQL; the worst of them",
    unit="ms",
    target=0.5,
    run=run,
    smaller_is_better=True,
)
