"""Taking up what is not sealed yet."""

from datetime import datetime, timedelta

from services.city_node.personal_data import service
from shared.capability import Every, Job, NodeContext
from shared.kernel.language import Text


async def run(context: NodeContext, now: datetime) -> None:
    """Go on with a rotation that was interrupted."""
    if await service.is_due(context.database, now=now):
        async for _ in service.seal(context.database, context.cipher):
            pass
        await service.end(context.database, now=now)


sealing = Job(
    "personal-data-sealing",
    Text(
        "Go on with a rotation of the keys for personal data that was interrupted",
        "继续被中断的个人信息密钥轮换",
    ),
    Every(timedelta(minutes=1)),
    run,
)
