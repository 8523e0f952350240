"""What many add at once is written together, each learns what became of its own, and nobody is forgotten."""

import asyncio
import contextlib
from collections.abc import Sequence

import asyncpg
import pytest

from shared.kernel.database import Database, Insert
from shared.kernel.group_commit import GroupCommit

INSERT = Insert(
    "INSERT INTO organisation_test (name) VALUES ($1)",
    "INSERT INTO organisation_test (name) SELECT * FROM unnest($1::text[])",
)


class Disk:
    """Writes a batch when it is told to, and fails as it is told."""

    def __init__(self) -> None:
        self.batches: list[Sequence[str]] = []
        self.go = asyncio.Event()
        self.failure: dict[str, Exception] = {}

    async def write(self, rows: Sequence[str]) -> None:
        self.batches.append(rows)
        await self.go.wait()
        for row in rows:
            if row in self.failure:
                raise self.failure[row]


def group(disk: Disk) -> GroupCommit[str]:
    return GroupCommit(disk.write, lambda error: isinstance(error, ConnectionError))


async def test_what_comes_while_a_batch_is_written_is_the_next_batch() -> None:
    disk = Disk()
    commit = group(disk)
    adding = [asyncio.create_task(commit.add("first"))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    adding += [asyncio.create_task(commit.add(f"later {n}")) for n in range(5)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in adding)
    disk.go.set()
    await asyncio.gather(*adding)
    assert disk.batches == [["first"], [f"later {n}" for n in range(5)]]


async def test_one_row_that_cannot_be_written_fails_alone() -> None:
    disk = Disk()
    disk.go.set()
    disk.failure = {"bad": ValueError("bad")}
    commit = group(disk)
    done = await asyncio.gather(
        *(commit.add(r) for r in "abc"), commit.add("bad"), return_exceptions=True
    )
    assert done[:3] == [None] * 3
    assert isinstance(done[3], ValueError)


async def test_when_the_database_is_away_all_of_the_batch_fail_at_once() -> None:
    disk = Disk()
    disk.go.set()
    disk.failure = {"a": ConnectionResetError()}
    commit = group(disk)
    done = await asyncio.gather(*(commit.add(r) for r in "abc"), return_exceptions=True)
    assert [type(each) for each in done] == [ConnectionResetError] * 3
    assert len(disk.batches) == 1
    disk.failure = {}
    await commit.add("d")


async def test_a_caller_that_gives_up_disturbs_nobody() -> None:
    disk = Disk()
    commit = group(disk)
    leaving, staying = (asyncio.create_task(commit.add(r)) for r in "ab")
    await asyncio.sleep(0)
    leaving.cancel()
    disk.go.set()
    await staying
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_rows_are_committed_when_the_wait_is_over(database: Database) -> None:
    onlooker = await asyncpg.connect(database.url)
    await onlooker.execute("CREATE TABLE organisation_test (name text CHECK (name <> 'bad'))")
    done = await asyncio.gather(
        *(database.append(INSERT, [f"{n}" if n else "bad"]) for n in range(50)),
        return_exceptions=True,
    )
    assert isinstance(done[0], asyncpg.CheckViolationError)
    assert await onlooker.fetchval("SELECT count(*) FROM organisation_test") == 49
    transactions = await onlooker.fetchval(
        "SELECT count(DISTINCT xmin::text) FROM organisation_test"
    )
    assert transactions <= 50
    await onlooker.close()


async def test_a_lost_connection_is_replaced(database: Database) -> None:
    onlooker = await asyncpg.connect(database.url)
    await onlooker.execute("CREATE TABLE organisation_test (name text)")
    await database.append(INSERT, ["a"])
    await onlooker.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with contextlib.suppress(Exception):
        await database.append(INSERT, ["b"])
    await database.append(INSERT, ["c"])
    assert await onlooker.fetchval("SELECT max(name) FROM organisation_test") == "c"
    await onlooker.close()
