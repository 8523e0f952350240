"""Where a scraper finds a node's metrics, and who may see them."""

from datetime import datetime

import asyncpg
import structlog
from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, Metric
from sqlalchemy.exc import SQLAlchemyError

from shared.access import Principal, Requirement
from shared.capability import Capability, Permission, Role
from shared.kernel.database import Database, is_away
from shared.kernel.edge import NodeDatabase, Now, settings_of
from shared.kernel.language import Text
from shared.node.metrics import NodeMetrics, read_tables

log = structlog.get_logger("metrics")

router = APIRouter()


class Scraping(Requirement):
    """Lets through whoever holds the permission; everybody if the setting ``metrics_public`` says so."""

    async def __call__(self, request: Request) -> Principal | None:  # type: ignore[override] # nobody asks who
        """Return who scrapes; nobody where everybody may."""
        return None if settings_of(request).metrics_public else await super().__call__(request)


@router.get(
    "/metrics",
    summary="The node's metrics, for Prometheus",
    dependencies=[Depends(Scraping("metrics:read"))],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request, database: NodeDatabase, now: Now) -> Response:
    """Show what this process counted and what the tables say, in Prometheus's text format.

    It answers 200 also while the database is away, with ``guanxi_database_up 0``.
    """
    node_metrics: NodeMetrics = request.app.state.metrics
    content = node_metrics.exposition(await _tables(database, now))
    return Response(content, media_type=CONTENT_TYPE_LATEST)


async def _tables(database: Database, now: datetime) -> list[Metric] | None:
    try:
        async with database.transaction() as session:
            return await read_tables(session, now=now)
    except (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        if not is_away(error):
            raise
        log.warning("the database is away: nothing is said of links, lanes and jobs")
        return None


capability = Capability(
    name="metrics",
    summary=Text("Metrics for Prometheus", "供 Prometheus 采集的指标"),
    routers=(router,),
    permissions=(
        Permission(
            "metrics:read",
            Text("Read the node's metrics", "读取节点指标"),
            frozenset({Role.OPERATOR, Role.INTEGRATION}),
        ),
    ),
)
