"""How the nodes below are: each tells its parent, and the parent passes it on, so that one page shows a whole subtree.

A *report* is what a node says of itself: its release, and its links, lane by lane. It rides on the polls that a child
makes anyway, at most every :data:`INTERVAL`; the newest takes the place of the one before, and none is ever sent again:
a report is worth nothing once there is a newer one. How old it is says how long nobody has heard from the node.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import backlog, repository
from shared.federation.records import NodeReport

INTERVAL = timedelta(seconds=30)
STALE = timedelta(minutes=5)
"""A node that nobody has heard from for so long is shown as needing attention."""
WAITING_TOO_LONG = timedelta(minutes=10)


class Report(BaseModel):
    """What a node says of itself."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    code: str = Field(pattern=r"^\d{6}$")
    parent: str | None = Field(default=None, pattern=r"^\d{6}$")
    version: str = Field(max_length=100)
    at: datetime
    waiting: int = Field(ge=0)
    oldest_seconds: float = Field(ge=0)
    parked: int = Field(ge=0)
    stopped: int = Field(ge=0)
    failures: int = Field(ge=0)
    epoch: int = Field(ge=1)
    links: list[dict[str, Any]] = Field(max_length=4000)


async def write(session: AsyncSession, code: str, version: str, *, now: datetime) -> Report:
    """Return this node's report, and keep it as its own."""
    lanes = await backlog.status(session, now=now)
    parent = await repository.parent(session)
    report = Report(
        code=code,
        parent=parent.code if parent else None,
        version=version,
        at=now,
        waiting=sum(lane["waiting"] for lane in lanes),
        oldest_seconds=max((lane["oldest_seconds"] or 0.0 for lane in lanes), default=0.0),
        parked=sum(lane["parked"] for lane in lanes),
        stopped=sum(lane["stopped_because"] is not None for lane in lanes),
        failures=parent.failures if parent else 0,
        epoch=max((lane["epoch"] for lane in lanes), default=1),
        links=[_in_short(lane) for lane in lanes],
    )
    await keep(session, [report], now=now)
    return report


def _in_short(lane: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "peer": lane["peer"],
        "lane": lane["lane"],
        "sent": lane["sent"],
        "acknowledged": lane["acknowledged"],
        "received": lane["received"],
        "waiting": lane["waiting"],
        "oldest_seconds": lane["oldest_seconds"],
        "parked": lane["parked"],
        "stopped_because": lane["stopped_because"],
        "last_contact_at": lane["last_contact_at"] and lane["last_contact_at"].isoformat(),
    }


async def keep(session: AsyncSession, reports: Sequence[Report], *, now: datetime) -> None:
    """Keep reports, each in the place of an older one."""
    for report in reports:
        statement = insert(NodeReport).values(**report.model_dump(), received_at=now)
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=[NodeReport.code],
                set_={
                    name: statement.excluded[name]
                    for name in (*Report.model_fields, "received_at")
                    if name != "code"
                },
                where=NodeReport.at < statement.excluded.at,
            )
        )


async def to_tell(session: AsyncSession, after: datetime | None) -> list[Report]:
    """Return what was heard after a moment from the nodes below, and of this one; everything without it."""
    query = select(NodeReport).order_by(NodeReport.code)
    if after is not None:
        query = query.where(NodeReport.received_at >= after)  # again rather than never
    return [_report(row) for row in await session.scalars(query)]


@dataclass(frozen=True, slots=True)
class Heard:
    """A node as it last told of itself.

    Attributes:
        report: what it said.
        age_seconds: how long ago that was, by this node's clock.
        needs_attention: whether somebody should look: something waits too long, is parked or stopped, its parent does
            not answer it, or nobody has heard from it for :data:`STALE`.
    """

    report: Report
    age_seconds: float
    needs_attention: bool


async def subtree(session: AsyncSession, *, now: datetime) -> list[Heard]:
    """Return every node at or below this one that has told of itself, by code."""
    heard = []
    for report in await to_tell(session, None):
        age = now - report.at
        heard.append(
            Heard(
                report,
                max(age.total_seconds(), 0.0),
                needs_attention=age > STALE
                or bool(report.parked or report.stopped or report.failures)
                or (
                    report.waiting > 0 and report.oldest_seconds > WAITING_TOO_LONG.total_seconds()
                ),
            )
        )
    return heard


def _report(row: NodeReport) -> Report:
    return Report.model_validate({name: getattr(row, name) for name in Report.model_fields})
