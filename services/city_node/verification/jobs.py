"""The nightly plan."""

from datetime import datetime

from services.city_node.verification.plan import plan
from shared.capability import Daily, Job, NodeContext
from shared.kernel.language import Text


async def run(context: NodeContext, now: datetime) -> None:
    """Make the tasks that are due."""
    await plan(context.database, now=now)


nightly = Job(
    "plan-verification",
    Text("Make tasks of profiles that must be verified", "为待核实的客户档案生成核实任务"),
    Daily(at="04:10"),
    run,
)
