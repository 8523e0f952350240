"""What comparisons found, until it is repaired."""

from collections.abc import Collection, Iterable
from datetime import datetime

import structlog
from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.reporting.models import Fault, ReportingDifference
from shared.statistics.standing import MONTH_LENGTH

log = structlog.get_logger("reporting")

Key = tuple[str, str, str, int]
"""City, period, dataset and revision of a slice; of a total the province, and revision 0."""


async def note(
    session: AsyncSession, found: Iterable[Key], fault: Fault, *, peer: str, now: datetime
) -> None:
    """Keep what differs, each once until it is repaired, and log what is new."""
    rows = [
        {
            "node": node,
            "period": period,
            "dataset": dataset,
            "revision": revision,
            "fault": fault.value,
            "peer": peer,
            "found_at": now,
        }
        for node, period, dataset, revision in found
    ]
    if not rows:
        return
    added = await session.execute(
        insert(ReportingDifference)
        .values(rows)
        .on_conflict_do_nothing()
        .returning(
            ReportingDifference.node, ReportingDifference.period, ReportingDifference.dataset
        )
    )
    for node, period, dataset in added:
        log.warning(
            "difference found",
            fault=fault.value,
            peer=peer,
            node=node,
            period=period,
            dataset=dataset,
        )


async def note_whole(session: AsyncSession, which: Key, *, now: datetime) -> None:
    """Note that a slice is here and whole."""
    node, period, dataset, revision = which
    await session.execute(
        update(ReportingDifference)
        .where(
            ReportingDifference.node == node,
            ReportingDifference.period == period,
            ReportingDifference.dataset == dataset,
            ReportingDifference.revision == revision,
            ReportingDifference.fault.in_((Fault.LACKING.value, Fault.DAMAGED.value)),
            ReportingDifference.repaired_at.is_(None),
        )
        .values(repaired_at=now)
    )


async def note_agreed(
    session: AsyncSession,
    nodes: Collection[str],
    months: Collection[str],
    faults: Collection[Fault],
    *,
    peer: str,
    now: datetime,
) -> None:
    """Note that this node and a peer agree on these months of these nodes."""
    await session.execute(
        update(ReportingDifference)
        .where(
            ReportingDifference.peer == peer,
            ReportingDifference.node.in_(nodes),
            func.left(ReportingDifference.period, MONTH_LENGTH).in_(months),
            ReportingDifference.fault.in_([each.value for each in faults]),
            ReportingDifference.repaired_at.is_(None),
        )
        .values(repaired_at=now)
    )
