"""The node's role adds to the audit log and reads it; it can neither change nor remove, nor help itself to it."""
# ruff: noqa: S608 - the statements are this file's own

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from typer.testing import CliRunner

from shared.kernel.embedded_postgres import NODE_ROLE
from shared.kernel.privileges import APPEND_ONLY, rewritable, role_of
from shared.kernel.settings import SettingsInvalid, load_settings
from shared.node.command import app
from shared.startup import open_context
from tests.addresses import as_node
from tests.audit.conftest import Log

TABLES = ("audit_record", "audit_seal")
ONLY_ADDED_TO = [
    *TABLES,
    *("billing_entry", "clearing_entry", "number_segment_edition", "offer_use"),
    *("ownership_change", "points_entry", "policy_version", "policy_withdrawal"),
    *("reporting_alarm", "reporting_statement", "till_entry"),
]


@pytest.fixture
async def node_role(sealed: Log) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(sealed.node.context.database.url)
    assert await role_of(connection) == NODE_ROLE
    yield connection
    await connection.close()


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET at = now()",
        "DELETE FROM {table}",
        "TRUNCATE {table}",
        "ALTER TABLE {table} ADD COLUMN more text",
        "ALTER TABLE {table} OWNER TO guanxi_node",
        "DROP TABLE {table}",
        "GRANT UPDATE ON {table} TO guanxi_node",
        "CREATE RULE forget AS ON INSERT TO {table} DO INSTEAD NOTHING",
        "CREATE TRIGGER forget BEFORE INSERT ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "COMMENT ON TABLE {table} IS 'anything'",
        "SET ROLE guanxi",
        "SET session_replication_role = replica",
    ],
)
async def test_whatever_would_rewrite_the_log_is_refused(
    sealed: Log, node_role: asyncpg.Connection, table: str, statement: str
) -> None:
    # A grant of what one does not have is no error, and no grant.
    script = statement.format(table=table) + f"; UPDATE {table} SET at = now()"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await node_role.execute(script)
    assert (await sealed.verify()).broken is None


async def test_the_node_works_as_a_role_that_can_rewrite_nothing_of_the_log(
    sealed: Log, node_role: asyncpg.Connection
) -> None:
    assert await rewritable(node_role) == []
    assert await rewritable(sealed.superuser) == ONLY_ADDED_TO
    described = "SELECT relname FROM pg_class WHERE obj_description(oid, 'pg_class') LIKE $1 || '%' ORDER BY 1"
    assert [row[0] for row in await node_role.fetch(described, APPEND_ONLY)] == ONLY_ADDED_TO


async def test_a_right_that_somebody_added_is_taken_away_at_the_next_start(sealed: Log) -> None:
    await sealed.superuser.execute(f"GRANT UPDATE ON audit_record TO {NODE_ROLE}")
    assert (await sealed.verify()).rewritable == ["audit_record"]
    async with open_context(sealed.node.node.settings):
        pass
    assert (await sealed.verify()).rewritable == []


async def test_one_role_for_everything_is_told_of(
    database_url: Callable[..., Awaitable[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_DATABASE_URL", await database_url())
    words = ["audit", "verify", "--node", "440300"]
    result = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert result.exit_code == 0, result.output
    assert "could rewrite audit_record, audit_seal" in result.stderr


async def test_an_administrators_own_roles(
    database_url: Callable[..., Awaitable[str]], tmp_path: Path
) -> None:
    """An owner that is no superuser, on a database that is empty at first, and a role that has no rights at all."""
    url = await database_url()
    superuser = await asyncpg.connect(url)
    for role in ("test_owner", "test_worker"):
        await superuser.execute(f"DROP ROLE IF EXISTS {role}")
        await superuser.execute(f"CREATE ROLE {role} LOGIN")
    await superuser.execute("DROP SCHEMA public, analysis CASCADE")
    await superuser.execute("CREATE SCHEMA public AUTHORIZATION test_owner")
    database = urlsplit(url).path.removeprefix("/")
    await superuser.execute(f'GRANT CREATE ON DATABASE "{database}" TO test_owner')
    settings = load_settings(
        code="440300",
        home=tmp_path,
        database_url=url.replace("//guanxi@", "//test_worker@"),
        database_owner_url=url.replace("//guanxi@", "//test_owner@"),
    )
    async with open_context(settings) as context:
        pool = await context.database.pool()
        assert await pool.fetchval("SELECT current_user") == "test_worker"
        assert await rewritable(pool) == []
        await pool.execute(
            "INSERT INTO audit_record (at, by, action, source) VALUES (now(), 'x', 'a.b', 'rest')"
        )
        await pool.execute("DELETE FROM customer")
        assert await pool.fetchval("SELECT nextval('customer_number_seq')") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute("DELETE FROM audit_record")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute("UPDATE alembic_version SET version_num = '0001'")
    await superuser.execute("DROP SCHEMA public, analysis CASCADE")
    await superuser.execute(f'REVOKE CREATE ON DATABASE "{database}" FROM test_owner')
    await superuser.execute("DROP ROLE test_owner; DROP ROLE test_worker")
    await superuser.close()


def test_an_owner_without_a_node_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(SettingsInvalid, match="needs database_url"):
        load_settings(code="440300", database_owner_url="postgresql://owner@host/x")


def test_the_role_of_a_test_database() -> None:
    assert as_node("postgresql://guanxi@/x?host=/tmp") == f"postgresql://{NODE_ROLE}@/x?host=/tmp"
