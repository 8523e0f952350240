"""A city whose audit log holds some records."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from shared import audit
from shared.audit.sealing import seal
from shared.audit.verification import Break, Verification, verify
from shared.capability import Action
from shared.kernel.language import Text
from tests.conftest import MakeNode, TestNode

TESTED = Action("test.done", Text("Something was done", "测试"))
WHO = audit.Actor("li.wei", unit_code="440300", unit_path="000000/440000/440300/")


class Log:
    """The audit log of a node: written and sealed as its role, tampered with as the superuser."""

    def __init__(self, node: TestNode, superuser: asyncpg.Connection) -> None:
        self.node = node
        self.superuser = superuser

    async def write(self, *subjects: object) -> None:
        """Write a record for each subject, each in a transaction of its own."""
        for subject in subjects:
            async with self.node.context.database.transaction() as session:
                audit.record(
                    session,
                    WHO,
                    TESTED,
                    at=self.node.clock.now(),
                    subject=("thing", subject),
                    fields=["name"],
                    detail={"n": 1, "text": "改"},
                )

    async def seal(self, most: int = 10_000) -> int:
        """Seal what is there; returns how many records that were."""
        return await seal(self.node.context, now=self.node.clock.now(), most=most)

    async def verify(self, first: int = 1) -> Verification:
        """Check the log."""
        return await verify(self.node.context, first=first)

    async def broken(self) -> Break:
        """Return what is wrong with the log, which must be something."""
        found = (await self.verify()).broken
        assert found is not None
        return found

    async def ids(self) -> list[int]:
        """Return the ids of the records that `write` made, in their order."""
        rows = await self.superuser.fetch(
            "SELECT id FROM audit_record WHERE action = 'test.done' ORDER BY id"
        )
        return [row["id"] for row in rows]


@pytest.fixture
async def log(make_node: MakeNode) -> AsyncIterator[Log]:
    node = await make_node("440300")
    superuser = await asyncpg.connect(node.database.url)
    yield Log(node, superuser)
    await superuser.close()


@pytest.fixture
async def sealed(log: Log) -> Log:
    """Three seals of three records each."""
    for n in range(3):
        await log.write(*(f"{n}.{m}" for m in range(3)))
        await log.seal()
    return log
