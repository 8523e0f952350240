"""When a slice is due: HQ's policy."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from shared.capability import PolicyKind
from shared.kernel.language import Text
from shared.kernel.settings import HQ_CODE
from shared.policy.declaration import PolicyDocument
from shared.policy.service import in_force
from shared.statistics.expectation import moment_of_end
from shared.statistics.period import Period, PeriodKind

Hours = Annotated[int, Field(ge=1, le=24 * 31)]


class ReportingPolicy(PolicyDocument):
    """How long after its end a period's slices are due."""

    day_due_hours: Hours = Field(
        default=12,
        description="Hours after a day's end at which its slices are due. 日统计上报时限（小时）",
    )
    month_due_hours: Hours = Field(
        default=36,
        description="Hours after a month's end at which its slices are due. 月统计上报时限（小时）",
    )


REPORTING = PolicyKind(
    name="reporting",
    title=Text("When statistics are due", "统计报送时限"),
    document=ReportingPolicy,
    default=ReportingPolicy(),
)
"""National: it has no bounds, for the nation's board is one."""


async def due_at(session: AsyncSession, period: Period) -> datetime:
    """Return when the slices of a period are due, by the policy in force on the day after it."""
    document = (await in_force(session, REPORTING, on=period.end, node=HQ_CODE)).document
    hours = document.month_due_hours if period.kind is PeriodKind.MONTH else document.day_due_hours
    return moment_of_end(period) + timedelta(hours=hours)
