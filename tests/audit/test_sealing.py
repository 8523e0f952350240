"""Every committed record is sealed once, whatever order transactions end in, and nobody waits for it."""

import asyncio
import dataclasses
import functools
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from shared import audit
from shared.kernel.database import Database
from shared.kernel.embedded_postgres import EmbeddedPostgres
from tests.audit.conftest import TESTED, WHO, Log


async def test_what_commits_late_is_sealed_later_and_holds_up_nobody(log: Log) -> None:
    database, now = log.node.context.database, log.node.clock.now()
    async with database.transaction() as long:
        audit.record(long, WHO, TESTED, at=now, subject=("thing", "long"))
        await long.flush()
        await log.write("a", "b")
        assert await log.seal() == 2
        await log.write("c")
        assert await log.seal() == 1
        assert (await log.verify()).broken is None
    assert await log.seal() == 1
    await log.write("d")
    assert await log.seal() == 1
    found = await log.verify()
    assert (found.broken, found.records, found.unsealed) == (None, 5, 0)


async def test_what_is_rolled_back_was_never_there(log: Log) -> None:
    async def fail() -> None:
        async with log.node.context.database.transaction() as session:
            audit.record(session, WHO, TESTED, at=log.node.clock.now())
            await session.flush()
            raise ZeroDivisionError

    await asyncio.gather(fail(), return_exceptions=True)
    await log.write("a")
    assert await log.seal() == 1
    assert (await log.verify()).broken is None


async def test_nothing_new_makes_no_seal(sealed: Log) -> None:
    assert await sealed.seal() == 0
    assert (await sealed.verify()).seals == 3


async def test_many_records_make_several_seals(log: Log) -> None:
    await log.write(*range(7))
    async with log.node.context.database.transaction() as session:
        for n in range(5):  # one transaction is never divided
            audit.record(session, WHO, TESTED, at=log.node.clock.now(), subject=("thing", n))
    await log.write("last")
    assert await log.seal(most=3) == 13
    sizes = await log.superuser.fetch("SELECT records FROM audit_seal ORDER BY number")
    assert [row["records"] for row in sizes] == [3, 3, 1, 5, 1]
    assert (await log.verify()).broken is None


async def test_several_who_seal_at_once_take_turns(log: Log) -> None:
    await log.write(*range(6))
    assert sum(await asyncio.gather(*(log.seal(most=1) for _ in range(4)))) == 6
    assert (await log.verify()).broken is None


async def test_writers_and_the_sealer_at_the_same_time(log: Log) -> None:
    async def writer(name: int) -> None:
        for n in range(8):
            async with log.node.context.database.transaction() as session:
                audit.record(session, WHO, TESTED, at=log.node.clock.now(), subject=("thing", n))
                await session.flush()
                await asyncio.sleep(0)
            await audit.record_now(
                log.node.context.database, WHO, TESTED, at=log.node.clock.now(), subject=("now", n)
            )

    writing = asyncio.gather(*(writer(n) for n in range(6)))
    sealed = 0
    while not writing.done():
        sealed += await log.seal(most=5)
    await writing
    assert sealed + await log.seal() == 96
    found = await log.verify()
    assert (found.broken, found.records) == (None, 96)


@pytest.fixture
def other_server() -> Iterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="guanxi-test-") as home:
        Path(home).chmod(0o755)
        server = EmbeddedPostgres(Path(home) / "postgres")
        server.start()
        yield server
        server.release()


async def test_a_log_that_is_dumped_and_restored_on_another_server_goes_on(
    sealed: Log, postgres: EmbeddedPostgres, other_server: EmbeddedPostgres
) -> None:
    """Transactions are counted anew there, and what was not sealed at the dump still is."""
    await sealed.superuser.execute(
        "DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
    )
    database, now = sealed.node.context.database, sealed.node.clock.now()
    async with database.transaction() as long:
        audit.record(long, WHO, TESTED, at=now, subject=("thing", "long"))
        await long.flush()
        await sealed.write("short")
        await sealed.seal()
    await sealed.write("unsealed")
    other_server.create_database("restored")
    url, binaries = other_server.database_url("restored"), postgres.binaries
    dump = [binaries / "pg_dump", "-d", sealed.node.database.url]
    restore = [binaries / "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", url]
    run = functools.partial(subprocess.run, check=True, capture_output=True)
    dumped = await asyncio.to_thread(run, dump)
    await asyncio.to_thread(run, restore, input=dumped.stdout)
    restored = Database(url, 2)
    sealed.node.node.context = dataclasses.replace(sealed.node.context, database=restored)
    try:
        assert (await sealed.verify()).broken is None  # before anything is sealed there, too
        await sealed.write("new")
        xids = await _xids(restored)
        assert xids[-1] < xids[-2]
        assert await sealed.seal() == 3
        found = await sealed.verify()
        assert (found.broken, found.records, found.unsealed) == (None, 13, 0)
        await sealed.write("newer")
        assert await sealed.seal() == 1
        assert (await sealed.verify()).broken is None
    finally:
        sealed.node.node.context = dataclasses.replace(sealed.node.context, database=database)
        await restored.close()


async def _xids(database: Database) -> list[int]:
    connection = await asyncpg.connect(database.url)
    try:
        rows = await connection.fetch(
            "SELECT xid FROM audit_record WHERE action = 'test.done' ORDER BY id"
        )
        return [row["xid"] for row in rows]
    finally:
        await connection.close()
