"""When scores are computed."""

from datetime import datetime, timedelta
from uuid import UUID

from services.city_node.completeness import repository
from shared.capability import Daily, Every, Job, NodeContext
from shared.kernel.language import Text


async def compute_changed(context: NodeContext, now: datetime) -> None:
    """Compute the scores of those who changed."""
    async with context.database.transaction() as session:
        await repository.compute_changed(session, now=now)


async def compute_all(context: NodeContext, now: datetime) -> None:
    """Compute everybody's score, a portion at a time; interrupted, it begins anew the next night."""
    after = UUID(int=0)
    while True:
        async with context.database.transaction() as session:
            last = await repository.end_of_portion(session, after)
            if last is None:
                return
            await repository.compute_portion(session, after, last, now=now)
        after = last


often = Job(
    "compute-changed-completeness",
    Text("Compute the completeness of profiles that changed", "计算变更档案的完整度"),
    Every(timedelta(minutes=1)),
    compute_changed,
)
nightly = Job(
    "compute-completeness",
    Text("Compute the completeness of all profiles", "计算全部档案的完整度"),
    Daily(at="03:10"),
    compute_all,
)
