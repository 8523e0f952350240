"""Every query about reports and their runs."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import flush_unless_taken
from shared.kernel.listing import Listing, Sort
from shared.organisation.models import OrganisationUnit
from shared.statistics_report.models import StatisticsReport, StatisticsReportRun
from shared.statistics_report.schemas import ReportOut
from shared.work.models import OPEN, Work

LISTING = Listing(
    source="statistics_report r JOIN organisation_unit u ON u.code = r.unit_code",
    key=Sort("r.id", "uuid"),
    columns={name: f"r.{name}" for name in ReportOut.model_fields},
    sorts={
        "id": Sort("r.id", "uuid"),
        "name": Sort("r.name", "text"),
        "updated_at": Sort("r.updated_at", "timestamptz"),
    },
    filters={"scope": "starts_with(u.path, {})", "schedule": "r.schedule = {}"},
)

RUNS = Listing(
    source="statistics_report_run x LEFT JOIN work w ON w.id = x.id",
    key=Sort("x.id", "uuid"),
    columns={
        **{
            name: f"x.{name}"
            for name in (
                *("id", "report_id", "report_version", "format", "requested_by", "created_at"),
                *("expires_at", "row_count", "byte_count", "sha256"),
            )
        },
        # Work is forgotten before its run may be.
        "state": "coalesce(w.state, CASE WHEN x.sha256 IS NULL THEN 'failed' ELSE 'done' END)",
        "error": "coalesce(x.error, w.error)",
    },
    sorts={"id": Sort("x.id", "uuid")},
    filters={"report": "x.report_id = {}", "id": "x.id = {}"},
)


def add(session: AsyncSession, row: StatisticsReport | StatisticsReportRun) -> None:
    """Keep a new row."""
    session.add(row)


async def write(session: AsyncSession) -> bool:
    """Write what was changed; tells whether the name was free."""
    return await flush_unless_taken(session, "statistics_report_name_key")


async def report_in_scope(
    session: AsyncSession, report_id: UUID, scope: str, *, lock: bool = False
) -> StatisticsReport | None:
    """Return a report whose unit lies below ``scope``, a path."""
    question = (
        select(StatisticsReport)
        .join(OrganisationUnit, OrganisationUnit.code == StatisticsReport.unit_code)
        .where(
            StatisticsReport.id == report_id,
            OrganisationUnit.path.startswith(scope, autoescape=True),
        )
    )
    if lock:
        question = question.with_for_update(of=StatisticsReport)
    return (await session.scalars(question)).one_or_none()


async def due(session: AsyncSession, today: date) -> Sequence[StatisticsReport]:
    """Return the reports that the clock has to run, locked."""
    found = await session.scalars(
        select(StatisticsReport)
        .where(StatisticsReport.next_on <= today)
        .order_by(StatisticsReport.id)
        .with_for_update(skip_locked=True)
    )
    return found.all()


async def open_run(session: AsyncSession, report_id: UUID) -> UUID | None:
    """Return the run of a report that waits or is under way."""
    found: UUID | None = await session.scalar(
        select(StatisticsReportRun.id)
        .join(Work, Work.id == StatisticsReportRun.id)
        .where(StatisticsReportRun.report_id == report_id, Work.state.in_(OPEN))
        .limit(1)
    )
    return found


async def run_of(
    session: AsyncSession, report_id: UUID, run_id: UUID
) -> tuple[StatisticsReportRun, str] | None:
    """Return a run of a report, and in what state its work is."""
    row = (
        await session.execute(
            select(StatisticsReportRun, Work.state)
            .outerjoin(Work, Work.id == StatisticsReportRun.id)
            .where(StatisticsReportRun.id == run_id, StatisticsReportRun.report_id == report_id)
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1] or "failed")


async def report_of_run(
    session: AsyncSession, run_id: UUID
) -> tuple[StatisticsReportRun, StatisticsReport] | None:
    """Return a run and its report."""
    row = (
        await session.execute(
            select(StatisticsReportRun, StatisticsReport)
            .join(StatisticsReport, StatisticsReport.id == StatisticsReportRun.report_id)
            .where(StatisticsReportRun.id == run_id)
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1])


async def remove(session: AsyncSession, report: StatisticsReport) -> None:
    """Delete a report and its runs."""
    await session.execute(delete(StatisticsReport).where(StatisticsReport.id == report.id))


async def forget_runs(session: AsyncSession, now: datetime) -> None:
    """Forget the runs whose time is over and which are not under way."""
    under_way = select(Work.id).where(Work.id == StatisticsReportRun.id, Work.state.in_(OPEN))
    await session.execute(
        delete(StatisticsReportRun).where(
            StatisticsReportRun.expires_at <= now, ~under_way.exists()
        )
    )


async def wanted(session: AsyncSession) -> set[UUID]:
    """Return the runs that are known: of any other no file is wanted."""
    return set((await session.scalars(select(StatisticsReportRun.id))).all())
