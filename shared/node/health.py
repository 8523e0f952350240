"""Whether the node is alive, and whether it can do its work."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from shared.federation import repository as federation
from shared.federation.models import Relation
from shared.kernel.edge import NodeDatabase, NodeSettings, Now
from shared.kernel.migrations import current_revision, newest_revision
from shared.kernel.privileges import rewritable
from shared.kernel.tier import Tier
from shared.port.status import states

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Whether the process answers")
async def live() -> dict[str, str]:
    """Answer, and nothing more: a node that cannot is to be restarted."""
    return {"status": "alive"}


@router.get("/ready", summary="Whether the node can do its work")
async def ready(
    database: NodeDatabase, settings: NodeSettings, now: Now, request: Request
) -> Response:
    """Check the database, its migrations, whether its role could rewrite the audit log, and the link to the parent.

    200 if the node can serve its own customers; a link that is down is shown and does not make the node unready,
    because a city that is cut off goes on working; and so is a system outside that does not answer, and a node that
    was restored from a backup and still recalls what it had done, for it can be asked. 503 otherwise.
    """
    checks: dict[str, Any] = {}
    try:
        pool = await database.pool()
        async with pool.acquire(timeout=3) as connection:
            present, newest = await current_revision(connection), newest_revision()
            exposed = await rewritable(connection)
        checks["database"] = {"status": "up"}
        checks["migrations"] = {
            "status": "current" if present == newest else "behind",
            "present": present,
            "newest": newest,
        }
        checks["audit"] = {
            "status": "rewritable" if exposed else "protected",
            "tables": exposed,
        }
        checks["parent"] = await _parent(request, settings.tier)
        recalled = await request.app.state.context.high_water.reached()
        checks["history"] = {"status": "whole" if recalled else "recalling"}
        if settings.tier is Tier.CITY:
            async with database.transaction() as session:
                checks["ports"] = await states(session, settings)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the database is the answer
        checks["database"] = {"status": "down", "reason": f"{type(error).__name__}: {error}"}
    well = checks["database"]["status"] == "up" and checks["migrations"]["status"] == "current"
    body = {
        "status": "ready" if well else "unready",
        "node": settings.code,
        "tier": settings.tier.value,
        "at": now,
        "checks": checks,
    }
    return Response(orjson.dumps(body), 200 if well else 503, media_type="application/json")


async def _parent(request: Request, tier: Tier) -> dict[str, Any]:
    if tier is Tier.HQ:
        return {"status": "none"}
    database: NodeDatabase = request.app.state.database
    async with database.transaction() as session:
        peers = await federation.peers(session, Relation.PARENT)
    if not peers:
        return {"status": "not enrolled"}
    parent = peers[0]
    return {
        "status": "up" if not parent.failures and parent.last_contact_at else "down",
        "node": parent.code,
        "last_contact_at": parent.last_contact_at,
        "failures": parent.failures,
        "retry_at": parent.retry_at,
        "last_error": parent.last_error,
    }
