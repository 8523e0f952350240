"""Old records go by whole seals, by the owner alone, and the chain can still be checked."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest
from typer.testing import CliRunner

from shared.audit.problems import RetentionRunning
from shared.audit.retention import drop
from shared.audit.verification import Tampering
from shared.node.command import app
from tests.audit.conftest import Log

KEPT = timedelta(days=1095)


@pytest.fixture
async def aged(log: Log) -> Log:
    """Four seals of two records each, of four successive years."""
    for year in range(4):
        await log.write(f"{year}.0", f"{year}.1")
        await log.seal()
        log.node.clock.advance(timedelta(days=365))
    return log


async def dropped(
    log: Log, connection: asyncpg.Connection | None = None, days: int = 1095
) -> tuple[int, int]:
    now = log.node.clock.now()
    return await drop(
        connection or log.superuser,
        before=now - timedelta(days=days),
        keep=KEPT,
        by="command:test",
        now=now,
    )


async def test_whole_seals_go_and_the_chain_stays(aged: Log) -> None:
    assert await dropped(aged) == (1, 2)
    assert len(await aged.ids()) == 6
    await aged.seal()
    found = await aged.verify()
    assert (found.broken, found.seals, found.records) == (None, 5, 7)
    assert found.dropped is not None
    assert (found.dropped.through_seal, found.dropped.records, found.dropped.by) == (
        1,
        2,
        "command:test",
    )


async def test_again_drops_nothing_and_later_drops_more(aged: Log) -> None:
    await dropped(aged)
    assert await dropped(aged) == (1, 0)
    aged.node.clock.advance(timedelta(days=365))
    assert await dropped(aged) == (2, 2)
    await aged.seal()
    found = await aged.verify()
    assert found.broken is None
    assert found.dropped is not None
    assert (found.dropped.through_seal, found.dropped.records) == (2, 4)


async def test_what_has_to_be_kept_is_kept(aged: Log) -> None:
    with pytest.raises(RetentionRunning):
        await dropped(aged, days=1094)
    assert len(await aged.ids()) == 8


async def test_the_node_itself_cannot_drop(aged: Log) -> None:
    node = await asyncpg.connect(aged.node.context.database.url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await dropped(aged, node)
    await node.close()
    assert (await aged.verify()).records == 8


async def test_what_is_removed_beyond_what_was_dropped_is_found(aged: Log) -> None:
    await dropped(aged)
    await aged.superuser.execute("DELETE FROM audit_record WHERE id = $1", (await aged.ids())[0])
    found = await aged.broken()
    assert (found.tampering, found.seal) == (Tampering.REMOVED, 2)


async def test_what_is_put_where_records_were_dropped_is_found(aged: Log) -> None:
    columns = "at, by, action, source, era, xid"
    row = await aged.superuser.fetchrow(f"SELECT {columns} FROM audit_record ORDER BY id LIMIT 1")  # noqa: S608
    await dropped(aged)
    await aged.superuser.execute(
        f"INSERT INTO audit_record ({columns}) VALUES ($1, $2, $3, $4, $5, $6)",  # noqa: S608
        *row,
    )
    found = await aged.broken()
    assert (found.tampering, found.seal) == (Tampering.INSERTED, 1)


async def test_by_command(aged: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = aged.node.node.settings
    monkeypatch.setenv("GUANXI_HOME", str(settings.home))
    monkeypatch.setenv("GUANXI_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("GUANXI_DATABASE_OWNER_URL", str(settings.database_owner_url))

    async def guanxi(*arguments: str, exit_code: int = 0) -> str:
        words = ["audit", *arguments, "--node", "440300"]
        result = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert result.exit_code == exit_code, result.output
        return result.output

    refused = await guanxi("drop", "--before", "2100-01-01", exit_code=1)
    assert "kept for 1095 days" in refused
    assert '"through_seal":0' in await guanxi(
        "drop", "--json"
    )  # by the real clock nothing is that old
    assert "li.wei" in await guanxi("search", "--action", "test.done", "--json")
    assert "nothing to show" in await guanxi("search", "--by", "nobody", "--from", "2026-01-01")
    assert '"sealed":' in await guanxi("seal", "--json")
    assert '"intact":true' in await guanxi("verify", "--json")
    await aged.superuser.execute("UPDATE audit_record SET \"by\" = 'x' WHERE id = 1")
    assert '"tampering":"changed"' in await guanxi("verify", "--json", exit_code=1)
