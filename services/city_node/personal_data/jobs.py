"""Sealing what is not sealed yet."""

from datetime import datetime, timedelta

from services.city_node.personal_data import service
from shared.capability import Every, Job, NodeContext
from shared.kernel.language import Text


async def run(context: NodeContext, now: datetime) -> None:
    """Seal what an earlier release kept in clear, and go on with a rotation that was interrupted."""
    if await service.is_due(context.database, now=now):
        async for _ in service.seal(context.database, context.cipher):
            pass
        await service.end(context.database, now=now)


sealing = Job(
    "personal-data-sealing",
    Text(
        "Encrypt personal values that are in clear, and go on with a rotation of their keys",
        "加密尚为明文的个人信息，并继续未完成的密钥轮换",
    ),
    Every(timedelta(minutes=1)),
    run,
)
