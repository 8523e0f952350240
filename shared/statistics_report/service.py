"""Keeping reports: making, changing, deleting and running them."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.capability import Requester
from shared.kernel.clock import business_day
from shared.kernel.preconditions import require_version
from shared.kernel.problems import Problem
from shared.kernel.settings import Settings
from shared.statistics.asking import scope_of_unit
from shared.statistics.definition import catalogue_in_force
from shared.statistics.question import read_question
from shared.statistics_report import repository
from shared.statistics_report.audited import record_act
from shared.statistics_report.models import Schedule, StatisticsReport, StatisticsReportRun
from shared.statistics_report.problems import (
    ReportNameTaken,
    ReportNotFound,
    ReportRunNotFound,
    ReportUnderWay,
)
from shared.statistics_report.schemas import NewReport, ReportChange, ReportQuestion
from shared.work.service import request_work

KIND = "statistics-report"
MONTHLY_DAY = 4
"""The night in which cities count the past month for the last time by themselves ends on the third."""


def next_night(schedule: Schedule, after: date) -> date | None:
    """Return the first day after ``after`` on which the clock runs a report; ``None`` if it never does."""
    if schedule is Schedule.MANUAL:
        return None
    if schedule is Schedule.NIGHTLY:
        return after + timedelta(days=1)
    here = after.replace(day=MONTHLY_DAY)
    return here if here > after else here + timedelta(days=monthrange(here.year, here.month)[1])


@dataclass(frozen=True, slots=True)
class Reports:
    """The reports as somebody may see and change them, in one transaction.

    Attributes:
        session: the transaction.
        settings: the node's.
        requester: who.
        scope: path of the unit below which they see.
        now: when.
    """

    session: AsyncSession
    settings: Settings
    requester: Requester
    scope: str
    now: datetime

    async def create(self, id: UUID, new: NewReport, owner_id: UUID) -> StatisticsReport:  # noqa: A002 - its id
        """Keep a new report of the requester's unit.

        Raises:
            ReportNameTaken: if the unit has one of that name (409).
            Problem: as :func:`~shared.statistics.question.read_question`, pointing into the body.
        """
        unit = self.requester.unit_code
        report = StatisticsReport(
            id=id,
            unit_code=unit,
            owner_id=owner_id,
            owner=self.requester.name,
            name=new.name,
            question=await self._fixed(new.question, unit),
            format=new.format,
            with_bom=new.with_bom,
            language=new.language,
            schedule=new.schedule,
            next_on=next_night(new.schedule, business_day(self.now)),
            version=0,
            created_at=self.now,
        )
        repository.add(self.session, report)
        await self._keep(report, "created", new.model_fields_set)
        return report

    async def find(self, report_id: UUID, *, lock: bool = False) -> StatisticsReport:
        """Return a report.

        Raises:
            ReportNotFound: if the requester sees none (404).
        """
        found = await repository.report_in_scope(self.session, report_id, self.scope, lock=lock)
        if found is None:
            raise ReportNotFound(report=report_id)
        return found

    async def change(
        self, report_id: UUID, change: ReportChange, expected: int
    ) -> StatisticsReport:
        """Change what is named.

        Raises:
            ReportNotFound, VersionStale: if it is not there, or was changed (404, 412).
            ReportNameTaken, Problem: as :meth:`create`.
        """
        report = await self._expected(report_id, expected)
        values: dict[str, Any] = {
            name: value
            for name in change.model_fields_set
            if (value := getattr(change, name)) is not None
        }
        if change.question is not None:
            values["question"] = await self._fixed(change.question, report.unit_code)
        changed = {name: x for name, x in values.items() if x != getattr(report, name)}
        if "schedule" in changed:
            changed["next_on"] = next_night(changed["schedule"], business_day(self.now))
        for name, value in changed.items():
            setattr(report, name, value)
        if changed:
            await self._keep(report, "changed", changed)
        return report

    async def delete(self, report_id: UUID, expected: int) -> None:
        """Delete a report with its runs; their files follow.

        Raises:
            ReportNotFound, VersionStale: as :meth:`change`.
        """
        report = await self._expected(report_id, expected)
        record_act(self.session, self._actor(), "deleted", report, at=self.now)
        await repository.remove(self.session, report)

    async def run(self, report_id: UUID, *, id: UUID) -> StatisticsReportRun:  # noqa: A002 - of the run
        """Ask for a run now.

        Raises:
            ReportNotFound: if the requester sees no such report (404).
            ReportUnderWay: while it is being run (409).
        """
        report = await self.find(report_id, lock=True)
        under_way = await repository.open_run(self.session, report.id)
        if under_way is not None:
            raise ReportUnderWay(run=under_way)
        record_act(self.session, self._actor(), "run", report, at=self.now)
        return await request_run(
            self.session, self.settings, report, id=id, requester=self.requester, now=self.now
        )

    async def run_of(self, report_id: UUID, run_id: UUID) -> tuple[StatisticsReportRun, str]:
        """Return a run of a report, and the state of its work.

        Raises:
            ReportNotFound, ReportRunNotFound: if there is no such report or run (404).
        """
        await self.find(report_id)
        found = await repository.run_of(self.session, report_id, run_id)
        if found is None:
            raise ReportRunNotFound(run=run_id)
        return found

    async def _expected(self, report_id: UUID, expected: int) -> StatisticsReport:
        report = await self.find(report_id, lock=True)
        require_version(report.version, expected)
        return report

    async def _fixed(self, asked: ReportQuestion, unit: str) -> Mapping[str, Any]:
        """Return a question that makes sense to the report's unit, with its region fixed."""
        here = self.settings.code
        catalogue = await catalogue_in_force(self.session, here, self.now)
        scope = scope_of_unit(unit, here)
        try:
            question = read_question(asked.words(), catalogue, scope=scope, now=self.now)
        except Problem as problem:
            problem.faults = tuple(
                replace(fault, pointer=_in_body(fault.pointer)) for fault in problem.faults
            )
            raise
        return asked.model_copy(update={"region": question.region.code}).kept()

    async def _keep(self, report: StatisticsReport, act: str, fields: Any) -> None:
        report.version += 1
        report.updated_at, report.updated_by = self.now, self.requester.name
        unit, name = report.unit_code, report.name  # a row that could not be written cannot be read
        if not await repository.write(self.session):
            raise ReportNameTaken(unit, name)
        record_act(self.session, self._actor(), act, report, fields, at=self.now)

    def _actor(self) -> audit.Actor:
        requester = self.requester
        if requester.id is None:
            return audit.Actor.command(requester.name)
        return audit.Actor(
            requester.name,
            user_id=requester.id,
            unit_code=requester.unit_code,
            unit_path=self.scope,
        )


def _in_body(pointer: str) -> str:
    """Return where a fault of a question lies in the body of a report."""
    kind, _, name = pointer.partition(":")
    if kind != "query":
        return pointer
    names = {field.alias or name for name, field in ReportQuestion.model_fields.items()}
    return f"/question/{name}" if name in names else f"/question/filters/{name}"


async def request_run(
    session: AsyncSession,
    settings: Settings,
    report: StatisticsReport,
    *,
    id: UUID,  # noqa: A002 - of the run and its work
    requester: Requester | None,
    now: datetime,
) -> StatisticsReportRun:
    """Ask for a run of a report; for the clock, if nobody asks."""
    run = StatisticsReportRun(
        id=id,
        report_id=report.id,
        report_version=report.version,
        format=report.format,
        requested_by=requester.name if requester else None,
        created_at=now,
        expires_at=now + timedelta(days=settings.report_retention_days),
    )
    repository.add(session, run)
    owner = Requester(report.owner, report.owner_id, report.unit_code, frozenset())
    await request_work(
        session,
        KIND,
        id=id,
        title=report.name,
        parameters={},
        requester=requester or owner,
        now=now,
    )
    return run
