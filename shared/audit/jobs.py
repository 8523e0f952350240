"""The audit log's scheduled work."""

from datetime import datetime, timedelta

import structlog

from shared.audit.sealing import seal
from shared.capability import Every, Job, NodeContext
from shared.kernel.language import Text
from shared.kernel.privileges import rewritable

SEALING_INTERVAL = timedelta(seconds=10)

log = structlog.get_logger("audit")


async def _seal(context: NodeContext, now: datetime) -> None:
    await seal(context, now=now)


jobs = (
    Job(
        "seal-audit",
        Text("Seal the audit records committed since the last time", "封存新写入的审计记录"),
        Every(SEALING_INTERVAL),
        _seal,
    ),
)


async def warn_if_rewritable(context: NodeContext) -> None:
    """Say it in the log when the node's own role could rewrite the audit log."""
    tables = await rewritable(await context.database.pool())
    if tables:
        log.warning(
            "the node's database role could rewrite the audit log; give the tables another owner: set "
            "`database_owner_url`",
            tables=list(tables),
        )
