"""Making slices: counting, comparing with what was said before, and telling HQ what is new."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.rollup import due, repository
from shared.federation.models import Lane
from shared.federation.post import PostOffice
from shared.kernel.database import Database
from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem
from shared.kernel.settings import HQ_CODE
from shared.reporting.confirmation import confirm
from shared.reporting.problems import RestatementUnexplained
from shared.statistics import repository as statistics
from shared.statistics import standing
from shared.statistics.catalogue import Dataset
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period, PeriodKind
from shared.statistics.schemas import SLICE, SliceMessage
from shared.statistics.slices import Content, Slice

log = structlog.get_logger("rollup")

RECOMPUTED = "recomputed"
"""Reason of a restatement for which nobody gave another."""
LATE = "late data"
"""Reason of a restatement because rows of a period that was over came, changed or went."""


class PeriodNotBegun(Problem):
    """A roll-up of a period that lies in the future."""

    status = 422
    title = Text("Period not begun", "期间尚未开始")
    sentence = Text(
        "{period} has not begun: a roll-up counts the present or a past month or day.",
        "{period} 尚未开始：只能汇总当期或以往的月份、日期。",
    )


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of one dataset in a roll-up.

    Attributes:
        changed: whether the count differs from the revision before, so that a new one was made and posted.
    """

    dataset: str
    period: str
    revision: int
    hash: str
    row_count: int
    changed: bool


async def roll_up_due(database: Database, post: PostOffice, *, now: datetime) -> list[Counted]:
    """Count what is due: what has changed since it was counted last, and what the calendar brings.

    Args:
        database: the city's.
        post: the city's.
        now: the present moment.
    """
    today = Period.at(now, PeriodKind.DAY).start
    async with repository.snapshot(database) as session:
        await due.note(session, post.code, today)
        listed = await due.read(session)
    counted: list[Counted] = []
    for period, datasets in listed.items():
        reason = LATE if due.is_over(period, today) else None
        counted += await roll_up(
            database, post, [period], datasets=datasets, reason=reason, now=now
        )
    return counted


async def roll_up(
    database: Database,
    post: PostOffice,
    periods: Sequence[Period],
    *,
    datasets: Collection[str] | None = None,
    reason: str | None = None,
    now: datetime,
) -> list[Counted]:
    """Count datasets for some periods, each period in a transaction of its own.

    Args:
        database: the city's.
        post: the city's.
        periods: months or days; datasets that are not kept by day have none.
        datasets: codes; all without it. One that only knows the present is not counted for a period long over.
        reason: why, if figures that were told before change.
        now: the present moment.

    Raises:
        PeriodNotBegun: if one lies in the future; nothing is counted.
        RestatementUnexplained: if one belongs to a closed month and there is no reason (422); nothing is counted.
    """
    today = Period.at(now, PeriodKind.DAY).start
    for period in periods:
        if period.start > today:
            raise PeriodNotBegun(
                faults=[Fault("/period", "not in the future", "不得晚于当期")], period=period
            )
    if reason is None:
        await _require_open(database, post.code, periods)
    counted: list[Counted] = []
    for period in periods:
        wanted = [
            dataset
            for dataset in CATALOGUE.dataset_list
            if (datasets is None or dataset.code in datasets)
            and due.is_countable(dataset, period, today)
        ]
        async with repository.snapshot(database) as session:
            # Of a closed month the first word is a restatement as well.
            closed = await standing.closing(session, post.code, str(period)) is not None
            made = [
                await _count(
                    session, post, dataset, period, reason=reason, is_closed=closed, now=now
                )
                for dataset in wanted
            ]
            if due.is_over(period, today):
                await _confirm(session, post, period, made, now=now)
            counted += made
            await due.settle(session, period, datasets or {each.code for each in wanted}, today)
    return counted


async def _require_open(database: Database, node: str, periods: Sequence[Period]) -> None:
    async with database.reading() as session:
        for period in periods:
            if await standing.closing(session, node, str(period)) is not None:
                fault = Fault("/reason", "needed: the month is closed", "该月已结账，必须填写")
                raise RestatementUnexplained(faults=[fault], period=period)


async def _confirm(
    session: AsyncSession,
    post: PostOffice,
    period: Period,
    counted: Sequence[Counted],
    *,
    now: datetime,
) -> None:
    """Tell HQ of those slices that were counted before the period's end that they still hold."""
    early = await statistics.counted_before(session, post.code, period)
    unchanged = {
        each.dataset: (each.revision, each.hash)
        for each in counted
        if not each.changed and each.dataset in early
    }
    await confirm(session, post, period, unchanged, now=now)


async def _count(
    session: AsyncSession,
    post: PostOffice,
    dataset: Dataset,
    period: Period,
    *,
    reason: str | None,
    is_closed: bool,
    now: datetime,
) -> Counted:
    measures = CATALOGUE.measures_of(dataset.code)
    cells = await repository.count(session, dataset, measures, period)
    codes = [measure.code for measure in measures]
    content = Content.of(
        dataset.code, post.code, period, dimensions=dataset.dimensions, measures=codes, cells=cells
    )
    told = await statistics.newest(session, content)
    if told is not None and told[1] == content.hash:
        return Counted(
            dataset.code, str(period), told[0], content.hash, content.row_count, changed=False
        )
    slice_ = (
        Slice(content, 1, reason if is_closed else None, now)
        if told is None
        else Slice(content, told[0] + 1, reason or RECOMPUTED, now)
    )
    await statistics.store(session, slice_, received_at=now)
    await post.post(
        session,
        SLICE,
        HQ_CODE,
        SliceMessage.of(slice_),
        lane=Lane.ROLLUP,
        partition_key=f"{dataset.code}/{period}",
        subject=f"{dataset.code}/{period}/{slice_.revision}",
        now=now,
    )
    log.info("slice made", slice=slice_.name, cells=content.row_count, reason=slice_.reason)
    return Counted(
        dataset.code, str(period), slice_.revision, content.hash, content.row_count, changed=True
    )
