"""Runs over a whole city, as work in the background, by the clock and by command: accrual and expiry.

Each leaves one record in the audit log; the ledger has every bill and every lot.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from services.city_node.points.accrual import accrue
from services.city_node.points.audited import ACCRUED, EXPIRED
from services.city_node.points.expiry import expire
from services.city_node.points.schemas import Scope
from shared import audit
from shared.capability import Action, Daily, Job, NodeContext, WorkHandle, WorkKind
from shared.kernel.language import Text

ACCRUAL, EXPIRY = "points-accrual", "points-expiry"
NODE = audit.Actor("node", audit.Source.COMMAND)
"""Who acts when nobody asked."""


async def run_accrual(
    context: NodeContext,
    scope: Scope,
    actor: audit.Actor,
    *,
    now: datetime,
    on_progress: Callable[[int, int], Awaitable[None]] | None = None,
) -> Mapping[str, Any]:
    """Judge the bills of a scope and post what they earn."""
    done = await accrue(
        context.database,
        node=context.settings.code,
        now=now,
        whole_city=scope is Scope.CITY,
        on_progress=on_progress,
    )
    result = {"scope": scope.value, **asdict(done)}
    await _record(context, actor, ACCRUED, result, now)
    return result


async def run_expiry(
    context: NodeContext,
    actor: audit.Actor,
    *,
    now: datetime,
    on_progress: Callable[[int], Awaitable[None]] | None = None,
) -> Mapping[str, Any]:
    """Let every lot expire whose day has come."""
    done = asdict(await expire(context.database, now=now, on_progress=on_progress))
    await _record(context, actor, EXPIRED, done, now)
    return done


async def _record(
    context: NodeContext,
    actor: audit.Actor,
    action: Action,
    result: Mapping[str, Any],
    now: datetime,
) -> None:
    if any(value for value in result.values() if isinstance(value, int)):
        async with context.database.transaction() as session:
            audit.record(
                session, actor, action, at=now, subject=("points", action.code), detail=result
            )


async def _accrual_work(context: NodeContext, work: WorkHandle) -> Mapping[str, Any]:
    async def tell(done: int, total: int) -> None:
        await work.progress(done, total, "bills")

    actor = audit.Actor(work.requester.name, user_id=work.requester.id)
    scope = Scope(work.parameters["scope"])
    return await run_accrual(context, scope, actor, now=context.clock.now(), on_progress=tell)


async def _expiry_work(context: NodeContext, work: WorkHandle) -> Mapping[str, Any]:
    async def tell(done: int) -> None:
        await work.progress(done, None, "lots")

    actor = audit.Actor(work.requester.name, user_id=work.requester.id)
    return await run_expiry(context, actor, now=context.clock.now(), on_progress=tell)


async def _accrue_nightly(context: NodeContext, now: datetime) -> None:
    await run_accrual(context, Scope.CHANGED, NODE, now=now)


async def _expire_nightly(context: NodeContext, now: datetime) -> None:
    await run_expiry(context, NODE, now=now)


works = (
    WorkKind(ACCRUAL, Text("Let bills earn their points", "账单积分"), _accrual_work),
    WorkKind(EXPIRY, Text("Let points expire that are over", "积分到期"), _expiry_work),
)
jobs = (
    Job(
        "expire-points",
        Text("Let points expire whose day has come", "使到期积分失效"),
        Daily(at="00:20"),
        _expire_nightly,
    ),
    Job(
        "accrue-points",
        Text("Let bills earn points that came or changed since", "为新增及变更账单积分"),
        Daily(at="05:10"),
        _accrue_nightly,
    ),
)
