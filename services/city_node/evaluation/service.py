"""Evaluating a whole city, those whose facts changed, or some customers at once: one statement for all three."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.evaluation import repository
from services.city_node.evaluation.facts import Window
from services.city_node.evaluation.models import Evaluation, Scope
from services.city_node.evaluation.problems import EvaluationUnderWay
from services.city_node.evaluation.rule import Rule
from services.city_node.evaluation.statement import end_of_those_who_left, judged, write
from shared.capability import NodeContext
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.ids import new_id
from shared.policy.declaration import PolicyInForce
from shared.policy.service import in_force

log = structlog.get_logger("evaluation")

PORTION = 10_000
"""Customers of one transaction of an evaluation of those whose facts changed."""
MANY = 5
"""If one customer in so many is due, the whole city is evaluated: one pass over its bills takes less time."""
UNIT = "customers"
WATCH_SECONDS = 1.0

Found = TypeVar("Found")
Progress = Callable[[int, int, str], Awaitable[None]]
"""Told how far it is; ends it, by raising, if it is no longer wanted."""


async def unwatched(done: int, total: int, unit: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates by one rule, on one node, at one moment.

    Attributes:
        context: the node's.
        rule: by which.
        now: when.
        by: who asked.
        progress: told how far it is.
    """

    context: NodeContext
    rule: Rule[Any]
    now: datetime
    by: str
    progress: Progress = unwatched

    @property
    def on(self) -> date:
        """The business day."""
        return business_day(self.now)

    async def policy(self, session: AsyncSession) -> PolicyInForce[Any]:
        """Return the policy in force."""
        return await in_force(session, self.rule.kind, on=self.on, node=self.context.settings.code)

    async def evaluate_city(self) -> Evaluation:
        """Evaluate everybody, in one transaction."""
        async with self.context.database.transaction() as session:
            connection = await driver_connection(session)
            await repository.take_marks(connection, self.rule.name)
        async with self.context.database.transaction() as session:
            connection = await driver_connection(session)
            await repository.prepare(connection)
            await repository.be_alone(connection, self.rule.name)
            policy = await self.policy(session)
            total = await repository.count_customers(connection)
            await self.progress(0, total, UNIT)
            changed = await watched(self._city(connection, policy), self.progress, total)
            await self.progress(total, total, UNIT)
            return self._note(session, Scope.CITY, policy, total, changed)

    async def _city(self, connection: asyncpg.Connection, policy: PolicyInForce[Any]) -> int:
        # Who is due is taken before results are looked for: who becomes due meanwhile stays so.
        due = "WITH due AS (DELETE FROM evaluation_due WHERE rule = $2 RETURNING customer_id) "
        left = end_of_those_who_left(self.rule, "r.customer_id IN (SELECT customer_id FROM due)")
        ended = _rows(await connection.execute(due + left, self.now, self.rule.name))
        document = policy.document
        window = Window(self.on, self.rule.window(document))
        # A query is done in parallel if nothing is written by the same statement, except to a new table.
        found = judged(self.rule, document, window)
        await connection.execute(f"CREATE TEMP TABLE found ON COMMIT DROP AS {found}")
        status = await connection.execute(write(self.rule), self.now, self.on, policy.reference)
        return ended + _rows(status)

    async def evaluate_changed(self) -> Evaluation:
        """Evaluate those whose facts changed since the last evaluation, a portion at a time.

        It is the whole city that is evaluated if it was not yet in this month, or not by this policy: then everybody's
        facts, or what is made of them, may be others.
        """
        rule = self.rule
        async with self.context.database.transaction() as session:
            connection = await driver_connection(session)
            await repository.take_marks(connection, rule.name)
            policy = await self.policy(session)
            whole = await repository.latest(session, rule.name, Scope.CITY)
            last = await repository.latest(session, rule.name)
            if last is not None and rule.turning is not None:
                await repository.add_turning(
                    connection, rule.name, rule.turning, last.as_of, self.on
                )
            total = await repository.count_due(connection, rule.name)
        this_month = Window(self.on, 1)
        if (
            whole is None
            or whole.policy != policy.reference
            or Window(whole.as_of, 1).end != this_month.end
            or MANY * total > max(whole.customers, MANY * PORTION)
        ):
            return await self.evaluate_city()
        done = changed = 0
        while True:
            await self.progress(done, total, UNIT)
            async with self.context.database.transaction() as session:
                connection = await driver_connection(session)
                await repository.prepare(connection)
                await repository.be_alone(connection, rule.name)
                ids = await repository.take_due(connection, rule.name, PORTION)
                changed += await self._some(connection, policy, ids)
                done += len(ids)
                if len(ids) < PORTION:
                    return self._note(session, Scope.CHANGED, policy, done, changed)

    async def evaluate_some(self, session: AsyncSession, ids: Sequence[UUID]) -> int:
        """Evaluate some customers at once, in the caller's transaction; return how many have another result.

        Raises:
            EvaluationUnderWay: if many are being evaluated at the moment (409).
        """
        connection = await driver_connection(session)
        if not await repository.lock_some(connection, self.rule.name, ids):
            raise EvaluationUnderWay(rule=self.rule.name)
        await repository.prepare(connection)
        return await self._some(connection, await self.policy(session), ids)

    async def _some(
        self, connection: asyncpg.Connection, policy: PolicyInForce[Any], ids: Sequence[UUID]
    ) -> int:
        if not ids:
            return 0
        left = end_of_those_who_left(self.rule, "r.customer_id = ANY($2::uuid[])")
        ended = _rows(await connection.execute(left, self.now, ids))
        window = Window(self.on, self.rule.window(policy.document))
        found = judged(self.rule, policy.document, window, restricted=True)
        status = await connection.execute(
            write(self.rule, found), ids, self.now, self.on, policy.reference
        )
        return ended + _rows(status)

    def _note(
        self,
        session: AsyncSession,
        scope: Scope,
        policy: PolicyInForce[Any],
        customers: int,
        changed: int,
    ) -> Evaluation:
        evaluation = Evaluation(
            id=new_id(),
            rule=self.rule.name,
            scope=scope.value,
            as_of=self.on,
            policy=policy.reference,
            customers=customers,
            changed=changed,
            at=self.now,
            by=self.by,
        )
        repository.add(session, evaluation)
        log.info(
            "evaluated", rule=self.rule.name, scope=scope, customers=customers, changed=changed
        )
        return evaluation


async def watched(act: Awaitable[Found], progress: Progress, total: int) -> Found:
    """Wait for one long statement, and end it if it is no longer wanted."""
    task = asyncio.ensure_future(act)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=WATCH_SECONDS)
            if not task.done():
                await progress(0, total, UNIT)
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _rows(status: str) -> int:
    return int(status.rsplit(maxsplit=1)[-1])
