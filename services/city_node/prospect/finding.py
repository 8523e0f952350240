"""Searching for prospects: a whole city, those whose facts changed, or some customers at once.

What is due is kept by the evaluation's marks, under the name of the policy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.evaluation import repository
from services.city_node.evaluation.facts import Window
from services.city_node.evaluation.models import Evaluation, Scope
from services.city_node.evaluation.problems import EvaluationUnderWay
from services.city_node.evaluation.service import MANY, PORTION, UNIT, Progress, unwatched, watched
from services.city_node.prospect.facts import TURNING
from services.city_node.prospect.rule import Terms, terms_in_force
from services.city_node.prospect.statement import close, found, write
from shared.capability import NodeContext
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.ids import new_id
from shared.policy.kinds.prospect import PROSPECT

log = structlog.get_logger("prospect")
RULE = PROSPECT.name


@dataclass(slots=True)
class Search:
    """What a search did.

    Attributes:
        scope: whom it looked at: the city, those who changed, or some.
        policy: by which policies.
        customers: at how many.
        made: prospects that are new.
        refreshed: those with other figures.
        lapsed: those that are none any more.
        converted: those that reached the level.
        ended: those whose customer left, or was merged into another.
    """

    scope: str
    policy: str
    customers: int = 0
    made: int = 0
    refreshed: int = 0
    lapsed: int = 0
    converted: int = 0
    ended: int = 0

    @property
    def changed(self) -> int:
        """How many prospects are not as they were."""
        return self.made + self.refreshed + self.lapsed + self.converted + self.ended

    def add(self, *counted: Mapping[str, Any]) -> None:
        """Add what statements counted."""
        for each in counted:
            for name, number in each.items():
                setattr(self, name, getattr(self, name) + number)

    def as_json(self) -> dict[str, Any]:
        """Return it as it is shown."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Finder:
    """Searches on one node, at one moment.

    Attributes:
        context: the node's.
        now: when.
        by: who asked.
        progress: told how far it is.
    """

    context: NodeContext
    now: datetime
    by: str
    progress: Progress = unwatched

    @property
    def on(self) -> date:
        """The business day."""
        return business_day(self.now)

    async def terms(self, session: AsyncSession) -> Terms:
        """Return the policies in force."""
        return await terms_in_force(session, on=self.on, node=self.context.settings.code)

    async def search_city(self) -> Search:
        """Look at everybody, in one transaction."""
        async with self.context.database.transaction() as session:
            await repository.take_marks(await driver_connection(session), RULE)
        async with self.context.database.transaction() as session:
            connection = await driver_connection(session)
            await repository.prepare(connection)
            await repository.be_alone(connection, RULE)
            terms = await self.terms(session)
            search = Search(Scope.CITY.value, terms.reference)
            search.customers = await repository.count_customers(connection)
            await self.progress(0, search.customers, UNIT)
            looking = self._city(connection, terms, search)
            await watched(looking, self.progress, search.customers)
            await self.progress(search.customers, search.customers, UNIT)
            self._note(session, search)
        return search

    async def _city(self, connection: asyncpg.Connection, terms: Terms, search: Search) -> None:
        # Who is due is taken before anything is looked for: who becomes due meanwhile stays so.
        await connection.execute("DELETE FROM evaluation_due WHERE rule = $1", RULE)
        search.add(await connection.fetchrow(close(), self.now, self.by))
        # A query is done in parallel if nothing is written by the same statement, except to a new table.
        query = found(terms, terms.window(self.on))
        await connection.execute(f"CREATE TEMP TABLE found ON COMMIT DROP AS {query}")
        await connection.execute("ANALYZE found")
        values = (self.now, self.on, terms.reference, self.by)
        search.add(await connection.fetchrow(write(), *values))

    async def search_changed(self) -> Search:
        """Look at those whose facts changed since the last search, a portion at a time.

        It is the whole city if it was not searched yet in this month, or not by these policies.
        """
        async with self.context.database.transaction() as session:
            connection = await driver_connection(session)
            await repository.take_marks(connection, RULE)
            terms = await self.terms(session)
            whole = await repository.latest(session, RULE, Scope.CITY)
            last = await repository.latest(session, RULE)
            if last is not None:
                await repository.add_turning(connection, RULE, TURNING, last.as_of, self.on)
            total = await repository.count_due(connection, RULE)
        if (
            whole is None
            or whole.policy != terms.reference
            or Window(whole.as_of, 1).end != Window(self.on, 1).end
            or MANY * total > max(whole.customers, MANY * PORTION)
        ):
            return await self.search_city()
        search = Search(Scope.CHANGED.value, terms.reference)
        while True:
            await self.progress(search.customers, total, UNIT)
            async with self.context.database.transaction() as session:
                connection = await driver_connection(session)
                await repository.prepare(connection)
                await repository.be_alone(connection, RULE)
                ids = await repository.take_due(connection, RULE, PORTION)
                await self._some(connection, terms, ids, search)
                if len(ids) < PORTION:
                    self._note(session, search)
                    return search

    async def search_some(self, session: AsyncSession, ids: Sequence[UUID]) -> Search:
        """Look at some customers at once, in the caller's transaction.

        Raises:
            EvaluationUnderWay: if many are being looked at at the moment (409).
        """
        connection = await driver_connection(session)
        if not await repository.lock_some(connection, RULE, ids):
            raise EvaluationUnderWay(rule=RULE)
        await repository.prepare(connection)
        terms = await self.terms(session)
        search = Search("some", terms.reference)
        await self._some(connection, terms, ids, search)
        return search

    async def _some(
        self, connection: asyncpg.Connection, terms: Terms, ids: Sequence[UUID], search: Search
    ) -> None:
        if not ids:
            return
        search.customers += len(ids)
        search.add(await connection.fetchrow(close(restricted=True), ids, self.now, self.by))
        query = found(terms, terms.window(self.on), restricted=True)
        values = (ids, self.now, self.on, terms.reference, self.by)
        search.add(await connection.fetchrow(write(query), *values))

    def _note(self, session: AsyncSession, search: Search) -> None:
        done = Evaluation(
            id=new_id(),
            rule=RULE,
            scope=search.scope,
            as_of=self.on,
            policy=search.policy,
            customers=search.customers,
            changed=search.changed,
            at=self.now,
            by=self.by,
        )
        repository.add(session, done)
        log.info("searched for prospects", **search.as_json())
