"""Scheduled work: telling the parent what is held."""

from datetime import datetime, timedelta

from shared.capability import Every, Job, NodeContext
from shared.kernel.language import Text
from shared.policy.sharing import tell_parent


async def compare(context: NodeContext, now: datetime) -> None:
    """Tell the parent what this node holds, if that was not done today or since it joined."""
    async with context.database.transaction() as session:
        await tell_parent(session, context.post, now=now)


COMPARE = Job(
    "policy-compare",
    Text(
        "tells the parent once a day, and after joining, which policies are held here",
        "每日及入网后向上级告知本节点持有的政策",
    ),
    Every(timedelta(minutes=1)),
    compare,
)
