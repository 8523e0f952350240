"""The clock's part in clearing: stating the days that are over, and comparing again what has changed."""

from datetime import datetime, timedelta

from shared.capability import Every, Job, NodeContext
from shared.clearing import repository, statement
from shared.clearing.repository import HORIZON
from shared.federation import repository as federation
from shared.federation.models import Relation
from shared.kernel.clock import business_day
from shared.kernel.language import Text

INTERVAL = timedelta(minutes=10)


async def state_days(context: NodeContext, now: datetime) -> None:
    """At a child: send its parent what the past days' books say, as far as it does not know."""
    async with context.database.transaction() as session:
        parent = await federation.parent(session)
        if parent is not None:
            await statement.state(session, context.post, parent.code, now=now)


async def compare_days(context: NodeContext, now: datetime) -> None:
    """At a parent: compare again the days whose books have changed here, each child in a transaction of its own."""
    today = business_day(now)
    async with context.database.transaction() as session:
        children = [peer.code for peer in await federation.peers(session, Relation.CHILD)]
        booked = await repository.counts(session, since=today - HORIZON, before=today)
    for child in children:
        async with context.database.transaction() as session:
            days = booked.get(child, {})
            await statement.look_again(session, context.post, child, days, now=now)


JOBS = (
    Job(
        "clearing-statement",
        Text(
            "States to the parent, once a day is over, what was booked with it; again if that has changed.",
            "日终向上级报送双方清算账，账目变化后重述。",
        ),
        Every(INTERVAL),
        state_days,
    ),
    Job(
        "clearing-comparison",
        Text(
            "Compares again the days whose books have changed since a child stated them, and notes which are awaited.",
            "下级报送后账目有变的日期重新核对，并登记未报送者。",
        ),
        Every(INTERVAL),
        compare_days,
    ),
)
