"""A report of a unit, and a run of it."""

from datetime import timedelta

from shared.kernel.ids import new_id
from shared.statistics_report.models import StatisticsReport, StatisticsReportRun
from tests.conftest import TestNode


async def settle_report(node: TestNode, unit: str) -> dict[str, str]:
    """Add a report of ``unit`` with a run that failed; returns the ids that a path names."""
    report_id, run_id, now = new_id(), new_id(), node.clock.now()
    async with node.database.transaction() as session:
        session.add(
            StatisticsReport(
                id=report_id,
                unit_code=unit,
                owner_id=new_id(),
                owner="test",
                name="x",
                question={"indicator": ["customers"]},
                format="csv",
                language="zh",
                schedule="manual",
                created_at=now,
                updated_at=now,
                updated_by="test",
            )
        )
        await session.flush()
        session.add(
            StatisticsReportRun(
                id=run_id,
                report_id=report_id,
                report_version=1,
                format="csv",
                created_at=now,
                expires_at=now + timedelta(days=1),
            )
        )
    return {"report_id": str(report_id), "run_id": str(run_id)}
