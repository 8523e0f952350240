"""What merges ask of the clock."""

from datetime import datetime

from services.city_node.merge import repository
from services.city_node.merge.models import UNDO_DAYS
from shared.capability import Daily, Job, NodeContext
from shared.kernel.language import Text


async def run(context: NodeContext, now: datetime) -> None:
    """Make old merges final."""
    async with context.database.transaction() as session:
        await repository.forget_copies(session, now=now)


forget_copies = Job(
    "forget-merge-copies",
    Text(
        f"Delete the copies by which merges older than {UNDO_DAYS} days could be undone",
        f"删除超过 {UNDO_DAYS} 天的合并所保留的撤销副本",
    ),
    Daily(at="03:40"),
    run,
)
