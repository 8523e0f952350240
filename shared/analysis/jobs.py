"""Work by the clock: the nightly export, and what is withheld."""

from datetime import datetime, timedelta

from shared.analysis.exporting import export_lake
from shared.analysis.withholding import run_withholding
from shared.capability import Daily, Every, Job, NodeContext
from shared.kernel.language import Text


async def _export(context: NodeContext, now: datetime) -> None:
    await export_lake(context, now=now)


EXPORT_LAKE = Job(
    "export-lake",
    Text("Write what has changed to the Parquet lake", "将变化的统计数据写入 Parquet 数据湖"),
    Daily(setting="lake_time"),
    _export,
)
WITHHOLD = Job(
    "analysis-withholding",
    Text(
        "Decide which small cells the star and the lake withhold",
        "判定分析星型库与数据湖中须隐匿的小单元格",
    ),
    Every(timedelta(minutes=5)),
    run_withholding,
)
