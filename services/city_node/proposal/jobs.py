"""What proposals ask of the clock."""

from datetime import datetime, timedelta

from services.city_node.proposal import repository
from shared.capability import Every, Job, NodeContext
from shared.kernel.language import Text


async def run(context: NodeContext, now: datetime) -> None:
    """Let proposals expire."""
    async with context.database.transaction() as session:
        await repository.expire(session, now=now)


expiry = Job(
    "expire-proposals",
    Text("Let proposals expire that nobody decided", "使逾期未审批的变更申请失效"),
    Every(timedelta(hours=1)),
    run,
)
