"""Dry runs: what a draft of a policy would give, to whom, and what it would cost.

The customers who would have another result are those that :func:`~services.city_node.evaluation.statement.judged` finds
by the draft; an evaluation by the draft once it is published writes the same rows. They are kept for
:data:`RETENTION`, with a summary by unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.evaluation import repository
from services.city_node.evaluation.facts import Window
from services.city_node.evaluation.models import EvaluationTrial, EvaluationTrialChange
from services.city_node.evaluation.problems import TrialNotFound
from services.city_node.evaluation.rule import Rule
from services.city_node.evaluation.service import UNIT, Progress, unwatched, watched
from services.city_node.evaluation.statement import judged
from shared.capability import NodeContext, Requester, WorkHandle
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.ids import new_id
from shared.kernel.listing import Listing, Sort
from shared.organisation.models import OrganisationUnit
from shared.policy.service import draft_in_force, in_force
from shared.work.service import request_work

# ruff: noqa: S608 - put together from declarations, never from input
RETENTION = timedelta(days=30)
_KEEP = """
    INSERT INTO evaluation_trial_change (trial_id, customer_id, unit_code, was_label, label, was_cost_fen, cost_fen, used)
    SELECT $1::uuid, f.customer_id, f.unit_code, f.was_label, f.label, f.was_cost_fen, f.cost_fen, f.used
    FROM found f JOIN organisation_unit u ON u.code = f.unit_code WHERE starts_with(u.path, $2::text)"""
_SUMMARY = """
    SELECT coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.unit_code, s.was_label, s.label), '[]')::text FROM (
        SELECT unit_code, was_label, label, count(*) AS customers,
               sum(was_cost_fen)::bigint AS was_cost_fen, sum(cost_fen)::bigint AS cost_fen
        FROM evaluation_trial_change WHERE trial_id = $1 GROUP BY unit_code, was_label, label) s"""

_FIELDS = ("id", "rule", "draft", "publisher", "document", "as_of", "policy", "unit_code", "requested_by", "created_at", "finished_at", "summary")  # fmt: skip
trials = Listing(
    source="evaluation_trial t JOIN organisation_unit u ON u.code = t.unit_code",
    key=Sort("t.id", "uuid"),
    columns={name: f"t.{name}" for name in _FIELDS},
    sorts={"id": Sort("t.id", "uuid")},
    filters={"scope": "starts_with(u.path, {})", "rule": "t.rule = {}", "id": "t.id = {}"},
)
"""Dry runs."""
changes = Listing(
    source="evaluation_trial_change p JOIN organisation_unit u ON u.code = p.unit_code "
    "LEFT JOIN customer c ON c.id = p.customer_id",
    key=Sort("p.customer_id", "uuid"),
    columns={
        **{name: f"p.{name}" for name in ("customer_id", "unit_code", "was_label", "label")},
        **{name: f"p.{name}" for name in ("was_cost_fen", "cost_fen", "used")},
        "customer_number": "c.customer_number",
    },
    sorts={"customer_id": Sort("p.customer_id", "uuid")},
    filters={
        "scope": "starts_with(u.path, {})",
        "trial": "p.trial_id = {}",
        "unit": "starts_with(u.path, (SELECT path FROM organisation_unit WHERE code = {}))",
        "was": "p.was_label = {}",
        "becomes": "p.label = {}",
        "moves": "(p.was_label IS DISTINCT FROM p.label) = {}",
    },
)
"""Who would have another result."""


def trying(rule: Rule[Any]) -> str:
    """Return the kind of work that tries drafts of a rule's policy."""
    return f"try-{rule.name}"


@dataclass(frozen=True, slots=True)
class Ask:
    """A draft, and who would publish it: the node itself without anybody."""

    draft: Mapping[str, Any]
    publisher: str | None = None


async def make(
    session: AsyncSession,
    context: NodeContext,
    rule: Rule[Any],
    ask: Ask,
    requester: Requester,
    *,
    now: datetime,
) -> EvaluationTrial:
    """Note a draft to be tried on the customers of the requester's unit.

    Raises:
        PolicyInvalid, PolicyOutsideBounds: if the draft could not be published (422).
    """
    node, on = context.settings.code, business_day(now)
    publisher = ask.publisher or node
    await draft_in_force(session, rule.kind, draft=ask.draft, on=on, node=node, publisher=publisher)
    trial = EvaluationTrial(
        id=new_id(),
        rule=rule.name,
        draft=dict(ask.draft),
        publisher=publisher,
        as_of=on,
        unit_code=requester.unit_code,
        requested_by=requester.name,
        created_at=now,
    )
    session.add(trial)
    return trial


async def request(
    session: AsyncSession,
    context: NodeContext,
    rule: Rule[Any],
    ask: Ask,
    requester: Requester,
    *,
    now: datetime,
) -> EvaluationTrial:
    """Ask for a dry run in the background; otherwise as :func:`make`."""
    trial = await make(session, context, rule, ask, requester, now=now)
    await request_work(
        session,
        trying(rule),
        id=trial.id,
        title=f"{rule.name} {trial.publisher}",
        parameters={},
        requester=requester,
        now=now,
    )
    return trial


async def compare(
    session: AsyncSession,
    context: NodeContext,
    rule: Rule[Any],
    trial: EvaluationTrial,
    progress: Progress = unwatched,
) -> dict[str, Any]:
    """Find out what a draft would give, keep it, and return a summary of it."""
    connection = await driver_connection(session)
    await repository.prepare(connection)
    total = await repository.count_customers(connection)
    await progress(0, total, UNIT)
    node, on = context.settings.code, trial.as_of
    present = await in_force(session, rule.kind, on=on, node=node)
    would_be = await draft_in_force(
        session, rule.kind, draft=trial.draft, on=on, node=node, publisher=trial.publisher
    )
    found = _keep(connection, trial, _query(rule, present.document, would_be.document, on))
    await watched(found, progress, total)
    trial.summary = orjson.loads(await connection.fetchval(_SUMMARY, trial.id))
    trial.policy = present.reference
    trial.document = would_be.document.model_dump(mode="json")
    lines = trial.summary or []
    moved = [each["customers"] for each in lines if each["was_label"] != each["label"]]
    return {
        "customers": total,
        "results": sum(each["customers"] for each in lines),
        "moved": sum(moved),
        "cost_fen": sum(each["cost_fen"] - each["was_cost_fen"] for each in lines),
    }


def _query(rule: Rule[Any], present: Any, would_be: Any, on: date) -> str:
    was, becomes = rule.cost(present).format("was_"), rule.cost(would_be).format("")
    found = judged(rule, would_be, Window(on, rule.window(would_be)))
    return f"""
        SELECT customer_id, unit_code, was_{rule.label} AS was_label, {rule.label} AS label, used,
               {was} AS was_cost_fen, {becomes} AS cost_fen FROM ({found}) j"""


async def _keep(connection: asyncpg.Connection, trial: EvaluationTrial, query: str) -> None:
    path = await connection.fetchval(
        "SELECT path FROM organisation_unit WHERE code = $1", trial.unit_code
    )
    await connection.execute(f"CREATE TEMP TABLE found ON COMMIT DROP AS {query}")
    await connection.execute(_KEEP, trial.id, path)


async def run(context: NodeContext, rule: Rule[Any], handle: WorkHandle) -> Mapping[str, Any]:
    """Do the work of a dry run, in one transaction."""
    async with context.database.transaction() as session:
        trial = await session.get(EvaluationTrial, handle.id, with_for_update=True)
        if trial is None:
            raise TrialNotFound(trial=handle.id)
        result = await compare(session, context, rule, trial, handle.progress)
        trial.finished_at = context.clock.now()
        await handle.finish(session, result)
    return result


async def find(session: AsyncSession, rule: str, trial_id: UUID, unit_path: str) -> EvaluationTrial:
    """Return a dry run by a rule, of the caller's scope.

    Raises:
        TrialNotFound: if there is none (404).
    """
    found: EvaluationTrial | None = await session.scalar(
        select(EvaluationTrial)
        .join(OrganisationUnit, OrganisationUnit.code == EvaluationTrial.unit_code)
        .where(
            EvaluationTrial.id == trial_id,
            EvaluationTrial.rule == rule,
            OrganisationUnit.path.startswith(unit_path, autoescape=True),
        )
    )
    if found is None:
        raise TrialNotFound(trial=trial_id)
    return found


async def forget(context: NodeContext, before: datetime) -> None:
    """Delete dry runs that are older than they are kept."""
    async with context.database.transaction() as session:
        old = select(EvaluationTrial.id).where(EvaluationTrial.created_at < before)
        await session.execute(
            delete(EvaluationTrialChange).where(EvaluationTrialChange.trial_id.in_(old))
        )
        await session.execute(delete(EvaluationTrial).where(EvaluationTrial.created_at < before))
