"""What must hold of every transfer, at every moment and at the end, read from the nodes' databases."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import asyncpg

from services.city_node.points.verification import verify
from services.city_node.transfer.jobs import PATIENCE
from services.city_node.transfer.kind import KIND
from shared.kernel.database import driver_connection
from shared.kernel.ids import new_id
from shared.kernel.problems import of_breach
from tests.transfer.nation import CITIES, HQ, OLD, Place, SmallNation
from tests.transfer.people import insert

_STATE = """
    SELECT c.library, coalesce(o.state, 'live') AS state, coalesce(o.epoch, 1) AS epoch, c.version
    FROM customer c LEFT JOIN customer_ownership o ON o.customer_id = c.id WHERE c.id = $1"""
_BALANCE = """
    SELECT coalesce(sum(b.balance), 0)::int FROM points_balance b JOIN points_account a ON a.id = b.account_id
    WHERE a.customer_id = $1"""
_ELSEWHERE = """
    SELECT coalesce(sum(CASE WHEN credit_id = 6 THEN points ELSE -points END), 0)::int FROM points_entry WHERE kind = 'move'"""


@dataclass
class Watch:
    """One customer, looked at in every city."""

    nation: SmallNation
    customer: UUID
    points: int
    changes: set[UUID] = field(default_factory=set)
    """What was changed of the record so far, wherever the customer was."""

    @classmethod
    async def of(cls, nation: SmallNation, customer: UUID) -> "Watch":
        return cls(nation, customer, await nation[OLD].value(_BALANCE, customer))

    async def owner(self) -> tuple[str, int]:
        """Return whose the customer is, and in which epoch, by HQ's directory."""
        found = await self.nation[HQ].fetch(
            "SELECT owner, epoch FROM ownership WHERE customer_id = $1", self.customer
        )
        return (found[0]["owner"], found[0]["epoch"]) if found else (OLD, 1)

    async def live(self) -> list[tuple[str, int]]:
        """Return where the customer can be changed, and in which epoch."""
        found = []
        for code in CITIES:
            for row in await self.nation[code].fetch(_STATE, self.customer):
                if row["state"] == "live":
                    assert row["library"] == "in_network"
                    found.append((code, row["epoch"]))
                else:
                    assert (row["state"] == "left") == (row["library"] == "retained"), row
        return found

    async def change(self, code: str) -> bool:
        """Change the record at a city as everybody does, if it lets one, and tell whether it did."""
        change = new_id()
        place = self.nation[code]
        try:
            async with place.transaction() as session:
                connection = await driver_connection(session)
                found = await connection.fetchval(
                    "SELECT library FROM customer WHERE id = $1 FOR UPDATE", self.customer
                )
                if found != "in_network":
                    return False
                await insert(
                    connection, "interaction", id=change, customer_id=self.customer, at=self.nation.clock.now(),
                    channel="hall", kind="inquiry", subject="变更",
                )  # fmt: skip
        except asyncpg.CheckViolationError as error:
            if of_breach(error) is None:
                raise
            return False
        self.changes.add(change)
        return True

    async def check(self) -> None:
        """Check what must hold at every moment."""
        owner, live = await self.owner(), await self.live()
        assert not live or live == [owner], (owner, live)
        for code, _ in live:
            assert await self.nation[code].value(_BALANCE, self.customer) == self.points
            await self._has_changes(self.nation[code])

    async def _has_changes(self, place: Place) -> None:
        found = await place.fetch(
            "SELECT id FROM interaction WHERE customer_id = $1 AND subject = '变更'", self.customer
        )
        assert {row["id"] for row in found} == self.changes, "a change was lost on the way"

    async def finish(self) -> None:
        """Let the links heal and all time run out; then check what must hold at the end."""
        for _ in range(4):
            await self.nation.settle()
            self.nation.clock.advance(KIND.time_limit + KIND.home_grace + PATIENCE + timedelta(1))
            for code in CITIES:
                await self.nation[code].run_jobs()
        await self.nation.settle()
        await self.check()
        assert len(await self.live()) == 1
        elsewhere = 0
        for code in CITIES:
            place = self.nation[code]
            still = await place.fetch(
                "SELECT id, role, state FROM service_request WHERE ended_at IS NULL"
            )
            assert still == [], (code, still)
            assert await place.value("SELECT count(*) FROM transfer_chunk") == 0
            assert all(found.breaches == 0 for found in await verify(place.context.database))
            elsewhere += await place.value(_ELSEWHERE)
            sims = await place.value("SELECT count(*) FROM sim WHERE state = 'active'")
            assert sims == (1 if [code] == [c for c, _ in await self.live()] else 0)
        assert elsewhere == 0, "points were made or lost on the way"
