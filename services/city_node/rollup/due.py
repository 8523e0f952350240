"""What is to be counted: the periods that are not over, those that just ended, and those whose rows have changed.

A dataset that was counted for a period before its end stays due, and so is counted once more when the period is over.
After that only what the triggers marked makes it due again. So no day is counted a second time that would come out
the same, and none is forgotten, however late its rows come.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.rollup.models import RollupDue, rollup_mark
from shared.statistics.catalogue import Dataset
from shared.statistics.indicators import CATALOGUE
from shared.statistics.models import StatisticsSlice
from shared.statistics.period import Period, PeriodKind

LATE_DAYS = 3
"""On so many first days of a month the state at the end of the month before is counted once more."""
MOST_DAYS = 31
"""So many days that a node was down are counted afterwards."""


def is_over(period: Period, today: date) -> bool:
    """Tell whether nothing can happen in a period any more."""
    return period.end <= today


def is_countable(dataset: Dataset, period: Period, today: date) -> bool:
    """Tell whether a dataset is kept for a period, and the tables still know it."""
    if period.kind not in dataset.periods:
        return False
    return not dataset.present_only or today < period.end + timedelta(days=LATE_DAYS)


async def note(session: AsyncSession, node: str, today: date) -> None:
    """Note what has become due by ``today``: what the triggers marked, and what the calendar brings."""
    month = Period(PeriodKind.MONTH, today.replace(day=1))
    due = await _marked(session, node)
    for dataset in CATALOGUE.dataset_list:
        periods = [month, *await _days_missed(session, node, dataset, today)]
        is_state = not dataset.late and not dataset.present_only
        if is_state and today - month.start < timedelta(days=LATE_DAYS):
            periods.append(month.previous)
        due |= {(str(each), dataset.code) for each in periods if is_countable(dataset, each, today)}
    rows = [{"period": period, "dataset": dataset} for period, dataset in sorted(due)]
    if rows:
        await session.execute(insert(RollupDue).values(rows).on_conflict_do_nothing())


async def _marked(session: AsyncSession, node: str) -> set[tuple[str, str]]:
    """Take the marks, and return the periods among those told that they speak of."""
    taken = await session.execute(
        delete(rollup_mark).returning(rollup_mark.c.source, rollup_mark.c.day)
    )
    days: dict[str, set[date]] = defaultdict(set)
    for source, day in taken:
        days[source].add(day)
    marked = {
        (str(Period.of(day, kind)), dataset.code)
        for dataset in CATALOGUE.dataset_list
        for source in dataset.late
        for day in days[source]
        for kind in dataset.periods
    }
    told = await session.execute(
        select(StatisticsSlice.period, StatisticsSlice.dataset).where(
            StatisticsSlice.node == node,
            StatisticsSlice.superseded_at.is_(None),
            StatisticsSlice.dataset.in_({dataset for _, dataset in marked}),
        )
    )
    return marked & {(row.period, row.dataset) for row in told}


async def _days_missed(
    session: AsyncSession, node: str, dataset: Dataset, today: date
) -> list[Period]:
    """Return the days that have ended since the last that was told; yesterday, if none was."""
    if PeriodKind.DAY not in dataset.periods:
        return []
    last = await session.scalar(
        select(func.max(StatisticsSlice.period)).where(
            StatisticsSlice.node == node,
            StatisticsSlice.dataset == dataset.code,
            func.length(StatisticsSlice.period) > len(str(Period(PeriodKind.MONTH, today))),
            StatisticsSlice.period < today.isoformat(),
        )
    )
    yesterday = Period(PeriodKind.DAY, today - timedelta(days=1))
    first = Period.parse(last).next if last else yesterday
    missed = [yesterday]
    while missed[-1] > first and len(missed) < MOST_DAYS:
        missed.append(missed[-1].previous)
    return missed if first <= yesterday else []


async def read(session: AsyncSession) -> Mapping[Period, Collection[str]]:
    """Return the datasets that are due, by period."""
    found: dict[Period, set[str]] = defaultdict(set)
    for row in await session.execute(select(RollupDue.period, RollupDue.dataset)):
        found[Period.parse(row.period)].add(row.dataset)
    return dict(sorted(found.items()))


async def settle(
    session: AsyncSession, period: Period, datasets: Collection[str], today: date
) -> None:
    """Note that a period was counted: what is over is due no more, what is not is due still."""
    if is_over(period, today):
        await session.execute(
            delete(RollupDue).where(
                RollupDue.period == str(period), RollupDue.dataset.in_(datasets)
            )
        )
        return
    rows = [{"period": str(period), "dataset": dataset} for dataset in sorted(datasets)]
    if rows:
        await session.execute(insert(RollupDue).values(rows).on_conflict_do_nothing())
