"""The nightly export."""

from datetime import datetime

from shared.analysis.exporting import export_lake
from shared.capability import Daily, Job, NodeContext
from shared.kernel.language import Text


async def _export(context: NodeContext, now: datetime) -> None:
    await export_lake(context, now=now)


EXPORT_LAKE = Job(
    "export-lake",
    Text("Write what has changed to the Parquet lake", "将变化的统计数据写入 Parquet 数据湖"),
    Daily(setting="lake_time"),
    _export,
)
