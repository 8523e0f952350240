"""Scheduled work: telling the parent which version is held."""

from datetime import datetime, timedelta

from shared.capability import Every, Job, NodeContext
from shared.kernel.language import Text
from shared.number_segment.sharing import tell_parent


async def compare(context: NodeContext, now: datetime) -> None:
    """Tell the parent which version this node holds, if that was not done today or since it joined."""
    async with context.database.transaction() as session:
        await tell_parent(session, context.post, now=now)


COMPARE = Job(
    "number-segment-compare",
    Text(
        "Tell the parent once a day, and after joining, which version of the number segments is held.",
        "每日及入网后向上级告知本节点号段表版本。",
    ),
    Every(timedelta(minutes=1)),
    compare,
)
