"""What the nodes of a drill say to one another, and how long it takes.

A *request* goes from a city to one of another province and is answered, on the lane of card replacements. A *slice set*
is what a city's nightly roll-up posts: one slice for each dataset of the catalogue, here of made-up figures for every
combination of dimension values, which no real city exceeds. It is checked and kept by the province and by HQ.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from itertools import islice, product
from time import perf_counter
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from bench.drill_nation import Nation
from bench.lane_node import ANSWERED, ASKED, payload
from bench.lanes import Effects, effects_at
from shared.federation.models import Lane
from shared.federation.post import PostOffice
from shared.kernel.database import Database
from shared.kernel.settings import HQ_CODE
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period
from shared.statistics.schemas import SLICE, SliceMessage
from shared.statistics.slices import Content, Slice

BACKLOG = "backlog"
OPEN = ("a", "b", "c")
"""Values of a dimension whose values the cities say."""
PAUSE_SECONDS = 0.05
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 900


def slice_set(
    city: str, period: Period, dice: random.Random, *, cells: int
) -> list[dict[str, Any]]:
    """Return a city's slices of a period as they are sent, one for each dataset, of so many cells at most."""
    made, now = [], datetime.now(UTC)
    for dataset in CATALOGUE.dataset_list:
        measures = [each.code for each in CATALOGUE.measures_of(dataset.code)]
        values = [CATALOGUE.dimensions[each].values or OPEN for each in dataset.dimensions]
        content = Content.of(
            dataset.code,
            city,
            period,
            dimensions=dataset.dimensions,
            measures=measures,
            cells=[
                (key, [dice.randrange(10**6) for _ in measures])
                for key in islice(product(*values), cells)
            ],
        )
        made.append(SliceMessage.of(Slice(content, 1, None, now)))
    return made


async def post_slices(
    session: AsyncSession, post: PostOffice, slices: Sequence[dict[str, Any]]
) -> None:
    """Post a city's slice set, as its roll-up does."""
    for each in slices:
        await post.post(
            session,
            SLICE,
            HQ_CODE,
            each,
            lane=Lane.ROLLUP,
            partition_key=f"{each['dataset']}/{each['period']}",
            now=datetime.now(UTC),
        )


async def post_requests(
    session: AsyncSession, post: PostOffice, others: Sequence[str], dice: random.Random, count: int
) -> None:
    """Post so many requests, each to one of ``others``."""
    for _ in range(count):
        await post.post(
            session,
            ASKED,
            dice.choice(others),
            payload(dice),
            lane=Lane.REQUEST,
            partition_key=f"{BACKLOG}/{dice.getrandbits(64):x}",
            now=datetime.now(UTC),
        )


class Probe:
    """Asks a city of another province one request after another, and takes the time of each."""

    def __init__(
        self, database: Database, post: PostOffice, effects: Effects, destination: str
    ) -> None:
        self._database = database
        self._post = post
        self._effects = effects
        self._destination = destination
        self._dice = random.Random(1)  # noqa: S311 - repeatable, and nobody's secret

    async def ask(self) -> float:
        """Ask once; returns the milliseconds from the request's commit to that of the effect of its answer."""
        async with self._database.transaction() as session:
            asked = await self._post.post(
                session,
                ASKED,
                self._destination,
                payload(self._dice),
                lane=Lane.REQUEST,
                partition_key=f"probe/{self._dice.getrandbits(64):x}",
                now=datetime.now(UTC),
            )
        committed = perf_counter()
        async with asyncio.timeout(PATIENCE_SECONDS):
            return (await self._effects.expect(asked) - committed) * 1000

    async def ask_often(self, times: int) -> list[float]:
        """Ask so many times."""
        taken = []
        for _ in range(times):
            taken.append(await self.ask())
            await asyncio.sleep(PAUSE_SECONDS)
        return taken

    @contextlib.asynccontextmanager
    async def meanwhile(self) -> AsyncIterator[list[float]]:
        """Ask as long as the context is open, and once at least; the list holds the times when it is closed."""
        taken: list[float] = []
        over = asyncio.Event()

        async def keep_asking() -> None:
            while not (taken and over.is_set()):
                taken.extend(await self.ask_often(1))

        asking = asyncio.create_task(keep_asking())
        try:
            yield taken
        finally:
            over.set()
            await asking


@contextlib.asynccontextmanager
async def probe(nation: Nation) -> AsyncIterator[Probe]:
    """Open the probe of a nation."""
    asking, asked = nation.probes
    async with nation.opened(asking) as (database, post), effects_at(database) as effects:
        yield Probe(database, post, effects, asked)


async def unheard(nation: Nation) -> int:
    """Return how many nodes have not called their parents yet."""
    statement = (
        "SELECT count(*) FROM federation_peer WHERE relation = 'child' AND last_contact_at IS NULL"
    )
    return sum([await _count(nation, code, statement) for code in (HQ_CODE, *nation.provinces)])


async def slices_at_hq(nation: Nation, period: Period) -> int:
    """Return how many slices of a period HQ has kept."""
    return await _count(
        nation, HQ_CODE, "SELECT count(*) FROM statistics_slice WHERE period = $1", str(period)
    )


async def passed_hq(nation: Nation) -> int:
    """Return how many messages of the backlog's requests, asking and answering, HQ has taken in."""
    return await _count(
        nation,
        HQ_CODE,
        "SELECT count(*) FROM federation_inbox WHERE type = ANY($1) AND starts_with(partition_key, $2)",
        [ASKED, ANSWERED],
        BACKLOG,
    )


async def waiting_at(nation: Nation, codes: Sequence[str]) -> int:
    """Return how many messages of these nodes are not acknowledged yet."""
    statement = (
        "SELECT count(*) FROM federation_outbox o"
        " JOIN federation_lane l ON l.peer = o.peer AND l.lane = o.lane AND l.direction = 'out'"
        " WHERE o.sequence IS NULL OR o.sequence > l.acknowledged"
    )
    return sum([await _count(nation, code, statement) for code in codes])


async def answered_at(nation: Nation) -> int:
    """Return how many answers to the backlog's requests the cities have had."""
    statement = (
        "SELECT count(*) FROM federation_inbox"
        " WHERE type = $1 AND state = 'handled' AND starts_with(partition_key, $2)"
    )
    return sum([await _count(nation, code, statement, ANSWERED, BACKLOG) for code in nation.cities])


async def _count(nation: Nation, code: str, statement: str, *values: Any) -> int:
    connection = await asyncpg.connect(nation.database_url(code))
    try:
        found: int = await connection.fetchval(statement, *values)
        return found
    finally:
        await connection.close()


async def until(reached: Callable[[], Awaitable[bool]]) -> float:
    """Wait until it is so, and return the seconds that it took."""
    began = perf_counter()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await reached():  # noqa: ASYNC110 - the databases are other processes'
            await asyncio.sleep(LOOK_SECONDS)
    return perf_counter() - began
