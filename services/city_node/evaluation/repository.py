"""The queries of evaluations beside the one statement: who is due, what was evaluated."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.evaluation.models import Evaluation, Scope
from shared.kernel.listing import Listing, Sort

MEMORY = "64MB"
"""What one sort or hash of an evaluation may use before it goes to disk."""
_ALONE = "SELECT {}(hashtextextended('evaluation/' || $1, 0))"
_LOCK = "SELECT FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_TAKE_MARKS = """
    WITH taken AS (DELETE FROM evaluation_mark RETURNING customer_id)
    INSERT INTO evaluation_due (rule, customer_id)
    SELECT r.rule, t.customer_id FROM (SELECT DISTINCT customer_id FROM taken) t
    CROSS JOIN (SELECT rule FROM evaluation UNION SELECT $1::text) r ON CONFLICT DO NOTHING"""
_ADD_TURNING = """
    INSERT INTO evaluation_due (rule, customer_id) SELECT $3::text, t.customer_id FROM ({}) t ON CONFLICT DO NOTHING"""
# Up to an id and not by a join, whose plan would depend on statistics of a table that is empty most of the day.
_TAKE_DUE = """
    DELETE FROM evaluation_due WHERE rule = $1 AND customer_id <= (
        SELECT customer_id FROM (SELECT customer_id FROM evaluation_due WHERE rule = $1 ORDER BY customer_id LIMIT $2) portion
        ORDER BY customer_id DESC LIMIT 1)
    RETURNING customer_id"""

evaluations = Listing(
    source="evaluation e",
    key=Sort("e.id", "uuid"),
    columns={
        name: f"e.{name}"
        for name in ("id", "rule", "scope", "as_of", "policy", "customers", "changed", "at", "by")
    },
    sorts={"id": Sort("e.id", "uuid")},
    filters={"rule": "e.rule = {}", "scope": "e.scope = {}"},
)
"""What was evaluated."""


async def prepare(connection: asyncpg.Connection) -> None:
    """Set the transaction up: memory for whole tables, plans for the customers of each call, nothing compiled."""
    await connection.execute(
        f"SET LOCAL work_mem = '{MEMORY}'; SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off"
    )


async def be_alone(connection: asyncpg.Connection, rule: str) -> None:
    """Wait until nobody else writes results of a rule, and keep them waiting until the transaction ends."""
    await connection.execute(_ALONE.format("pg_advisory_xact_lock"), rule)


async def lock_some(connection: asyncpg.Connection, rule: str, ids: Sequence[UUID]) -> bool:
    """Keep others from evaluating these customers; tells whether nobody evaluates many, for whom it does not wait."""
    found: bool = await connection.fetchval(_ALONE.format("pg_try_advisory_xact_lock_shared"), rule)
    if found:
        await connection.execute(_LOCK, ids)
    return found


async def take_marks(connection: asyncpg.Connection, rule: str) -> None:
    """Make the customers whose facts changed due, for this rule and every other that was ever evaluated."""
    await connection.execute(_TAKE_MARKS, rule)


async def add_turning(
    connection: asyncpg.Connection, rule: str, turning: str, after: date, on: date
) -> None:
    """Make the customers due whose facts turned with the days since ``after``."""
    await connection.execute(_ADD_TURNING.format(turning), after, on, rule)


async def count_due(connection: asyncpg.Connection, rule: str) -> int:
    """Return how many customers are due."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM evaluation_due WHERE rule = $1", rule
    )
    return found


async def take_due(connection: asyncpg.Connection, rule: str, most: int) -> Sequence[UUID]:
    """Take the first customers who are due."""
    return [row[0] for row in await connection.fetch(_TAKE_DUE, rule, most)]


async def count_customers(connection: asyncpg.Connection) -> int:
    """Return how many customers a whole evaluation looks at."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM customer WHERE library = 'in_network'"
    )
    return found


async def latest(session: AsyncSession, rule: str, scope: Scope | None = None) -> Evaluation | None:
    """Return the latest evaluation by a rule, or the latest of a scope."""
    query = select(Evaluation).where(Evaluation.rule == rule)
    if scope is not None:
        query = query.where(Evaluation.scope == scope)
    found: Evaluation | None = await session.scalar(query.order_by(Evaluation.id.desc()).limit(1))
    return found


def add(session: AsyncSession, evaluation: Evaluation) -> None:
    """Note an evaluation, written with the transaction."""
    session.add(evaluation)
