"""The clock's part in reports: running those that are due, and deleting files whose time is over."""

import asyncio
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from shared.capability import Daily, Every, Job, NodeContext
from shared.kernel.clock import business_day
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.statistics_report import repository
from shared.statistics_report.delivery import directory
from shared.statistics_report.models import Schedule
from shared.statistics_report.service import next_night, request_run

_DAY_AND_DASH = len("2026-11-23-")
_UUID = len("0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a40")


async def run_due(context: NodeContext, now: datetime) -> None:
    """Ask for a run of every report that is due, each once however many nights were missed."""
    today = business_day(now)
    async with context.database.transaction() as session:
        for report in await repository.due(session, today):
            report.next_on = next_night(Schedule(report.schedule), today)
            if await repository.open_run(session, report.id) is None:
                await request_run(
                    session, context.settings, report, id=new_id(), requester=None, now=now
                )


async def delete_files(context: NodeContext, now: datetime) -> None:
    """Forget the runs whose time is over, and delete the files that no run claims."""
    async with context.database.transaction() as session:
        await repository.forget_runs(session, now)
    async with context.database.transaction() as session:
        wanted = await repository.wanted(session)
    await asyncio.to_thread(_delete_unwanted, directory(context.settings), wanted)


def _delete_unwanted(reports: Path, wanted: set[UUID]) -> None:
    for of_report in [path for path in reports.iterdir() if path.is_dir() and _id(path.name)]:
        for path in of_report.iterdir():
            run = _id(path.name[_DAY_AND_DASH : _DAY_AND_DASH + _UUID])
            if run is not None and run not in wanted:
                path.unlink(missing_ok=True)
        if not any(of_report.iterdir()):
            shutil.rmtree(of_report, ignore_errors=True)


def _id(text: str) -> UUID | None:
    """Return the id that a name is; what has another name is not ours."""
    try:
        return UUID(text)
    except ValueError:
        return None


JOBS = (
    Job(
        "run-reports",
        Text("Run the reports that are due", "运行到期的统计报表"),
        Daily(setting="report_time"),
        run_due,
    ),
    Job(
        "delete-reports",
        Text("Delete the files of reports whose time is over", "删除超过保存期的报表文件"),
        Every(timedelta(hours=1)),
        delete_files,
    ),
)
