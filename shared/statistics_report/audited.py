"""What reports leave in the audit log."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.capability import Action
from shared.kernel.language import Text
from shared.statistics_report.models import StatisticsReport

ACTIONS: Mapping[str, Action] = {
    act: Action(f"report.{act}", text)
    for act, text in (
        ("created", Text("A report was made", "新建报表")),
        ("changed", Text("A report was changed", "修改报表")),
        ("run", Text("A report was run by hand", "手工运行报表")),
        ("deleted", Text("A report was deleted", "删除报表")),
    )
}


def record_act(
    session: AsyncSession,
    actor: audit.Actor,
    act: str,
    report: StatisticsReport,
    fields: Iterable[str] = (),
    *,
    at: datetime,
) -> None:
    """Add the audit record of an act on a report to its transaction."""
    audit.record(
        session,
        actor,
        ACTIONS[act],
        at=at,
        subject=("report", report.id),
        fields=sorted(fields),
        detail={"version": report.version},
    )
