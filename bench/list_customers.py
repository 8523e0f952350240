"""Finding customers in a large city: how long the slowest twentieth of the answers takes.

Each question is asked one after another in three ways: through the whole node (token, scope, masks, JSON, the record on
disk of who was shown); of bare FastAPI and asyncpg, which run the statement and turn its rows into JSON; and as the SQL
statement itself, over one connection of the driver, with nothing else. The figure is the worst of the questions: the
95th percentile through the node over that of the bare server. What was found for each of the three, in milliseconds,
and how far the node is from the statement itself, are in the details: a search by number takes PostgreSQL less time
than HTTP takes to ask for it, or a disk to remember who did.
"""

import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

import asyncpg
import orjson

from bench import Benchmark, Result
from bench.big_city import BigCity, big_city, size
from bench.http_load import Connection
from bench.lanes import percentile
from bench.list_questions import PAGE, RICH, STATEMENTS
from bench.processes import clean_environment, free_port, process, uvicorn_command
from shared.kernel.encryption import Cipher
from shared.kernel.listing import write_cursor

ROUNDS, ROUNDS_QUICK = 200, 40
WARM_UP = 10
FAR = 1000
"""Which page is the far one."""
_SAMPLE = 5_000


@dataclass(frozen=True)
class Question:
    """One way to look for customers: what the node is asked, and the parameters of the statement."""

    query: dict[str, str]
    values: Sequence[str] = ()


@dataclass(frozen=True)
class Times:
    """The 95th percentiles of one question, in milliseconds."""

    node: float
    served: float
    sql: float


async def measure(city: BigCity, rounds: int) -> dict[str, Times]:
    """Return how long each question takes, by its name."""
    async with contextlib.AsyncExitStack() as stack:
        sql = await asyncpg.connect(city.context.database.url)
        stack.push_async_callback(sql.close)
        bare = await stack.enter_async_context(_bare(city))
        questions = await _questions(sql, city.context.cipher)
        return {
            name: await _times(city, bare, sql, name, ask, rounds)
            for name, ask in questions.items()
        }


async def _times(  # noqa: PLR0917 - where to ask, what, and how often
    city: BigCity,
    bare: int,
    sql: asyncpg.Connection,
    name: str,
    ask: Callable[[], Question],
    rounds: int,
) -> Times:
    node, served = await Connection.open(city.port), await Connection.open(bare)

    def through_node(question: Question) -> Awaitable[Any]:
        return node.ask("GET", f"/customers?{urlencode(question.query)}", city.headers)

    def through_bare(question: Question) -> Awaitable[Any]:
        values = urlencode({"value": question.values}, doseq=True)
        return served.ask("GET", f"/questions/{name}?{values}", {})

    def as_sql(question: Question) -> Awaitable[Any]:
        rows: Awaitable[Any] = sql.fetch(STATEMENTS[name], *question.values)
        return rows

    ways = (through_node, through_bare, as_sql)
    took: list[list[float]] = [[], [], []]
    for number in range(WARM_UP + rounds):
        question, found = ask(), set()
        # In turn, for whoever is the first to ask waits for the disk.
        for which in (number % 3, (number + 1) % 3, (number + 2) % 3):
            began = perf_counter()
            answer = await ways[which](question)
            took[which].append((perf_counter() - began) * 1000)
            found.add(_ids(answer))
        assert len(found) == 1, question
        assert found != {()}, question
    await node.close()
    await served.close()
    return Times(*(percentile(each[WARM_UP:], 95) for each in took))


def _ids(answer: Any) -> tuple[str, ...]:
    """Return who was found: by a server's status, head and body, or as rows."""
    if isinstance(answer, list):
        return tuple(str(row["id"]) for row in answer)
    status, _, body = answer
    assert status == 200, body
    return tuple(item["id"] for item in orjson.loads(body)["items"])


@contextlib.asynccontextmanager
async def _bare(city: BigCity) -> AsyncIterator[int]:
    port = free_port()
    environment = clean_environment(
        BENCH_DATABASE=city.context.database.url,
        BENCH_POOL=str(city.context.settings.database_pool),
    )
    command = uvicorn_command("bench.bare_reader:app", port)
    async with process(command, environment, f"http://127.0.0.1:{port}/openapi.json"):
        yield port


async def _questions(
    connection: asyncpg.Connection, cipher: Cipher
) -> dict[str, Callable[[], Question]]:
    dice = random.Random(7)  # noqa: S311 - repeatable, and nobody's secret
    msisdns = await _sample(
        connection,
        "s.msisdn",
        "JOIN subscription s ON s.customer_id = c.id AND s.status = 'active'",
    )
    names = await _sample(connection, "c.name")
    sealed = await _sample(
        connection, "c.document_cipher", more="AND c.document_cipher IS NOT NULL"
    )
    documents = [(number, cipher.index(number).hex()) for number in map(cipher.decrypt, sealed)]
    gold = {
        "sort": "monthly_charge_fen",
        "level": "gold",
        "min_monthly_charge_fen": str(RICH),
    }
    far_name = await _far(connection, "c.name_sort", "")
    far_gold = await _far(
        connection,
        "c.monthly_charge_fen",
        f"AND c.level = 'gold' AND c.monthly_charge_fen >= {RICH}",
    )

    def phone() -> Question:
        msisdn = dice.choice(msisdns)
        return Question({"msisdn": msisdn}, [msisdn])

    def document() -> Question:
        number, index = dice.choice(documents)
        return Question({"document": number}, [index])

    def name() -> Question:
        prefix = dice.choice(names)[:2]
        return Question({"name": prefix, "sort": "name"}, [prefix])

    def after(query: dict[str, str], place: Sequence[str]) -> Question:
        return Question({**query, "cursor": write_cursor(query["sort"], place)}, place)

    by_name = {"sort": "name"}
    return {
        "phone": phone,
        "document": document,
        "name": name,
        "list_first": lambda: Question(by_name),
        "list_far": lambda: after(by_name, far_name),
        "filter_first": lambda: Question(gold),
        "filter_far": lambda: after(gold, far_gold),
    }


# ruff: noqa: S608 - put together from what is written here
async def _sample(
    connection: asyncpg.Connection, column: str, join: str = "", more: str = ""
) -> list[Any]:
    found = await connection.fetch(
        f"SELECT {column} FROM customer c {join} WHERE c.library = 'in_network' {more} LIMIT {_SAMPLE}"
    )
    return [row[0] for row in found]


async def _far(connection: asyncpg.Connection, by: str, more: str) -> tuple[str, str]:
    """Return where the thousandth page begins, or the last but one if there are fewer."""
    where = f"FROM customer c WHERE c.library = 'in_network' {more}"
    count: int = await connection.fetchval(f"SELECT count(*) {where}")
    offset = min(PAGE * (FAR - 1), max(count - 2 * PAGE, 0))
    row = await connection.fetchrow(
        f"SELECT ({by})::text, c.id::text {where} ORDER BY {by}, c.id LIMIT 1 OFFSET {offset}"
    )
    return row[0], row[1]


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    async with big_city(size(quick=quick), months=1) as city:
        found = await measure(city, ROUNDS_QUICK if quick else ROUNDS)
    worst = max(found.values(), key=lambda times: times.node / times.served)
    details: dict[str, float] = {}
    for name, times in found.items():
        details |= {name: times.node, f"{name}_served": times.served, f"{name}_sql": times.sql}
    details["worst_over_sql"] = max(times.node / times.sql for times in found.values())
    return Result(worst.node, worst.served, details)


BENCHMARK = Benchmark(
    name="list-customers",
    summary="the slowest twentieth of searches and pages through the node, against bare FastAPI and asyncpg; the worst of them",
    unit="ms",
    target=0.5,
    run=run,
    smaller_is_better=True,
)
