"""What staff asks of the clock."""

from datetime import datetime, timedelta

from shared.access.revocation import forget_revoked
from shared.capability import Every, Job, NodeContext
from shared.kernel.language import Text
from shared.staff import repository, throttle


async def forget_sign_ins(context: NodeContext, now: datetime) -> None:
    """Delete sessions and revocations that no token can belong to, and failures that no longer count."""
    async with context.database.transaction() as session:
        await repository.forget_old_sessions(session, now=now)
        await throttle.forget_old_failures(session, now=now)
        await forget_revoked(session, now=now)


jobs = (
    Job(
        name="forget-sign-ins",
        summary=Text(
            "Deletes ended sessions and old sign-in failures",
            "清理已结束的会话和过期的登录失败记录",
        ),
        schedule=Every(timedelta(hours=1)),
        run=forget_sign_ins,
    ),
)
