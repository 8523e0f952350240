"""What is expected of a period and what came of it: the board, and the alarms of what is overdue."""

import hashlib
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.clock import business_day
from shared.kernel.language import Text
from shared.kernel.problems import Fault as Place
from shared.kernel.problems import Problem
from shared.organisation.division import UnknownDivision, cities_of, division, is_within
from shared.reporting import repository
from shared.reporting.models import AlarmKind
from shared.reporting.policy import due_at
from shared.reporting.repository import Expected
from shared.statistics.expectation import expected_cities, moment_of_end
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period, PeriodKind

log = structlog.get_logger("reporting")

WATCHED_DAYS = 31
"""For so many days back a node looks for periods whose time was up while it was down."""
STATES = ("awaited", "on_time", "late", "missing", "final", "restated", "pending", "differing")


class RegionNotSeen(Problem):
    """The board of a region was asked for that the asker may not see."""

    status = 403
    title = Text("Region out of scope", "地区超出权限范围")
    sentence = Text(
        "You may see the board of {scope} and what lies in it, not that of {region}.",
        "您只能查看 {scope} 及其下属地区的报送情况，不能查看 {region}。",
    )


@dataclass(frozen=True, slots=True)
class Board:
    """A board and the tag by which it is recognised."""

    entity_tag: str
    body: bytes


def last_over(now: datetime, kind: PeriodKind = PeriodKind.MONTH) -> Period:
    """Return the last month or day that is over."""
    return Period.of(business_day(now), kind).previous


async def expected_of(
    session: AsyncSession,
    period: Period,
    *,
    here: str,
    region: str,
    datasets: Collection[str] | None = None,
) -> Expected:
    """Return what is expected of a period: the cities of the region that were there, times the datasets kept for it.

    Args:
        session: where to look.
        period: a month or a day.
        here: this node's code.
        region: division code; what lies in it.
        datasets: only these; all without it.
    """
    within = [city.code for city in cities_of(region)]
    nodes = (await expected_cities(session, [period], within, here=here))[period]
    kept = [
        dataset.code
        for dataset in CATALOGUE.dataset_list
        if period.kind in dataset.periods and (datasets is None or dataset.code in datasets)
    ]
    return Expected(
        str(period), moment_of_end(period), await due_at(session, period), list(nodes), kept
    )


async def board(
    session: AsyncSession,
    period: Period,
    *,
    here: str,
    region: str,
    datasets: Collection[str] | None = None,
    state: str | None = None,
    with_slices: bool = True,
    now: datetime,
) -> Board:
    """Return the board of a period as JSON: a summary for each dataset, and each slice that is expected.

    Args:
        session: where to look.
        period: a month or a day.
        here: this node's code.
        region: division code; what lies in it.
        datasets: only these.
        state: only slices of this state, one of :data:`STATES`; the summary counts all.
        with_slices: whether to tell the slices one by one.
        now: the present moment: what is due after it is awaited, what was due before it is missing.
    """
    expected = await expected_of(session, period, here=here, region=region, datasets=datasets)
    head = orjson.dumps(
        {
            "period": expected.period,
            "region": region,
            "due_at": expected.due_at,
            "cities": len(expected.nodes),
        }
    )
    body = head[:-1] + b',"summary":' + await repository.summary(session, expected, now=now)
    if with_slices:
        body += b',"slices":' + await repository.cells(session, expected, state=state, now=now)
    body += b"}"
    return Board(f'"{hashlib.sha256(body).hexdigest()[:32]}"', body)


def region_seen(given: str, scope: str) -> str:
    """Return the code of the region whose board is asked for.

    Raises:
        UnknownDivision: if there is none of that code (422).
        RegionNotSeen: if it lies outside what the asker may see (403).
    """
    try:
        region = division(given).code
    except UnknownDivision as unknown:
        unknown.faults = (Place("query:region", "a six-digit division code", "六位行政区划代码"),)
        raise
    if not is_within(region, scope):
        raise RegionNotSeen(
            faults=[Place("query:region", f"{scope} or a division in it", f"{scope} 或其下属地区")],
            region=region,
            scope=scope,
        )
    return region


async def missing_of_month(
    session: AsyncSession, month: Period, *, here: str, now: datetime
) -> dict[str, list[tuple[str, str]]]:
    """Return city and dataset of what has not come of a month and its days, by period."""
    found = {}
    for period in month.with_days:
        expected = await expected_of(session, period, here=here, region=here)
        lacking = await repository.missing(session, expected, now=now)
        if lacking:
            found[str(period)] = lacking
    return found


# Alarms


async def sound(session: AsyncSession, *, here: str, now: datetime) -> None:
    """Raise an alarm for each slice that is overdue, and tell of each that came after all.

    A period is looked through once, when its time is up; after that only what was overdue then is looked for.
    """
    overdue = await repository.overdue(session)
    for period in await _due_now(session, now):
        expected = await expected_of(session, period, here=here, region=here)
        lacking = await repository.missing(session, expected, now=now)
        await repository.raise_alarms(session, str(period), lacking, AlarmKind.OVERDUE, at=now)
        await repository.watch(session, str(period), expected.due_at, now=now)
        for node, datasets in _by_node(lacking).items():
            log.warning("slices overdue", period=str(period), node=node, datasets=datasets)
    for name, cells in overdue.items():
        expected = await expected_of(session, Period.parse(name), here=here, region=here)
        came = await repository.received(session, expected, now=now)
        arrived = [cell for cell in cells if cell in came]
        await repository.raise_alarms(session, name, arrived, AlarmKind.RECEIVED, at=now)
        for node, datasets in _by_node(arrived).items():
            log.info("overdue slices received", period=name, node=node, datasets=datasets)


async def _due_now(session: AsyncSession, now: datetime) -> list[Period]:
    """Return the periods whose time is up and was not noted yet."""
    day, month = (last_over(now, kind) for kind in (PeriodKind.DAY, PeriodKind.MONTH))
    periods = [month, month.previous]
    first = day.start - timedelta(days=WATCHED_DAYS)
    while day.start > first:
        periods.append(day)
        day = day.previous
    known = await repository.watched(session, [str(each) for each in periods])
    return [
        each
        for each in sorted(periods)
        if str(each) not in known and await due_at(session, each) < now
    ]


def _by_node(cells: Collection[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for node, dataset in cells:
        found[node].append(dataset)
    return found
