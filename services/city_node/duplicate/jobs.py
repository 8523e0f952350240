"""The nightly scan."""

from datetime import datetime

from services.city_node.duplicate.service import scan
from shared.capability import Daily, Job, NodeContext
from shared.kernel.language import Text


async def run(context: NodeContext, now: datetime) -> None:
    """Compare those who changed with all others."""
    await scan(context.database, context.cipher, now=now)


nightly = Job(
    "scan-duplicates",
    Text(
        "Look for duplicates of the profiles that changed since the last scan",
        "在上次扫描后变更的档案中查找疑似重复客户",
    ),
    Daily(at="02:30"),
    run,
)
