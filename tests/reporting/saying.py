"""What cities say in the tests of reporting, and what nodes make of it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from shared.federation.models import Lane
from shared.kernel.settings import HQ_CODE
from shared.statistics import repository
from shared.statistics.catalogue import Dataset
from shared.statistics.indicators import CATALOGUE
from shared.statistics.models import StatisticsSlice
from shared.statistics.period import Period
from shared.statistics.schemas import SLICE, SliceMessage
from shared.statistics.slices import Content, Slice
from tests.conftest import Nation, TestNode
from tests.sketched import distinct, distribution, persons
from tests.statistics.slices_by_hand import GOLD_MAN

NOVEMBER = "2026-11"
Headers = dict[str, str]


async def say(
    node: TestNode,
    customers: int | None,
    revision: int = 1,
    *,
    period: str = NOVEMBER,
    dataset: str = "customer",
) -> None:
    """Let a city say how many customers it has, as its roll-up does; ``None`` says a slice without cells."""
    declared: Dataset = CATALOGUE.datasets[dataset]
    measures = [each.code for each in CATALOGUE.measures_of(dataset)]
    values = [customers if each == "customers" else None for each in measures]
    content = Content.of(
        dataset,
        node.code,
        Period.parse(period),
        dimensions=declared.dimensions,
        measures=measures,
        cells=[] if customers is None else [(GOLD_MAN, values)],
    )
    await tell(node, content, revision)


async def say_people(node: TestNode, number: int) -> None:
    """Let a city say in sketches who its customers are, and what they pay."""
    measures = [each.code for each in CATALOGUE.measures_of("people")]
    images = {
        "distinct_customers": distinct(persons(number)),
        "median_monthly_charge_fen": distribution(range(number)),
    }
    content = Content.of(
        *("people", node.code, Period.parse(NOVEMBER)),
        dimensions=("level",),
        measures=measures,
        cells=[(("gold",), [images.get(each) for each in measures])],
    )
    await tell(node, content, 1)


async def tell(node: TestNode, content: Content, revision: int) -> None:
    """Keep what a city says, and post it."""
    now = node.clock.now()
    slice_ = Slice(content, revision, None if revision == 1 else "late data", now)
    async with node.database.transaction() as session:
        await repository.store(session, slice_, received_at=now)
        await node.context.post.post(
            session,
            SLICE,
            HQ_CODE,
            SliceMessage.of(slice_),
            lane=Lane.ROLLUP,
            partition_key=f"{content.dataset}/{content.period}",
            now=now,
        )


async def say_all(node: TestNode, period: str = NOVEMBER) -> None:
    """Let a city say that nothing happened, for every dataset that is kept for the period."""
    for each in CATALOGUE.dataset_list:
        if Period.parse(period).kind in each.periods:
            await say(node, None, period=period, dataset=each.code)


async def in_force(node: TestNode, city: str, period: str = NOVEMBER) -> int | None:
    """Return which revision of a city's customers is in force at a node."""
    async with node.database.transaction() as session:
        return await session.scalar(
            select(StatisticsSlice.revision).where(
                StatisticsSlice.node == city,
                StatisticsSlice.period == period,
                StatisticsSlice.dataset == "customer",
                StatisticsSlice.superseded_at.is_(None),
            )
        )


async def in_force_everywhere(nation: Nation, city: str) -> set[int | None]:
    """Return the revisions that are in force at the city, its province and HQ."""
    return {await in_force(nation[code], city) for code in (city, "440000", "000000")}


async def ask(node: TestNode, path: str, who: Headers, **params: Any) -> Any:
    """Read something that can be read."""
    answer = await node.client.get(f"/statistics/{path}", params=params, headers=who)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def order(
    node: TestNode, path: str, who: Headers, body: Mapping[str, Any], tag: str | None = None
) -> Any:
    """Ask for something to be done; returns the answer."""
    headers = who if tag is None else {**who, "If-Match": tag}
    return await node.client.post(f"/statistics/{path}", json=body, headers=headers)


async def close(nation: Nation, one: Headers, other: Headers, month: str = NOVEMBER) -> None:
    """Close a month at HQ, whatever is missing, and let everybody hear of it."""
    await decide(nation["000000"], one, other, "close", month)
    await nation.settle()


async def decide(hq: TestNode, one: Headers, other: Headers, act: str, month: str) -> None:
    """Let one person propose an act and another approve it."""
    made = await order(hq, f"periods/{month}/{act}", one, {"reason": "the books are due"})
    assert made.status_code == 201, made.text
    done = await order(hq, f"periods/{month}/approve", other, {}, made.headers["etag"])
    assert done.status_code == 200, done.text
