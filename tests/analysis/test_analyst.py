"""The analysts' role reads the star and nothing else, and can change nothing."""
# ruff: noqa: S608 - the statements are this file's own

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from typer.testing import CliRunner

from shared.analysis import analyst, star
from shared.analysis.problems import AnalystNotMade, AnalystPasswordUnfit, AnalystSeesMore
from shared.kernel.embedded_postgres import NODE_ROLE
from shared.node.command import app
from tests.addresses import as_node
from tests.conftest import TestNode

OUTSIDE = """
    SELECT c.oid::regclass::text, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'S') ORDER BY 1"""


async def test_every_view_of_the_star_is_open(sql: asyncpg.Connection) -> None:
    for name in star.VIEWS:
        await sql.fetch(f"SELECT * FROM analysis.{name} LIMIT 1")
    assert await sql.fetchval("SELECT sum(value) FROM fact_current") > 0


REFUSED = (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError)
"""The second of a view of several tables, which nobody may write to."""


async def test_nothing_else_is(sql: asyncpg.Connection, owner: asyncpg.Connection) -> None:
    outside = await owner.fetch(OUTSIDE)
    await sql.execute("SET default_transaction_read_only = off")
    assert {"customer", "audit_record", "statistics_fact", "analysis_fact"} <= {
        x[0] for x in outside
    }
    for name, kind in outside:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await sql.fetch(f"SELECT * FROM public.{name}")
        if kind != "S":
            with pytest.raises(REFUSED):
                await sql.execute(f"DELETE FROM public.{name}")


FORBIDDEN = [
    "UPDATE analysis.dim_dataset SET name_en = 'x'",
    "DELETE FROM analysis.dim_dataset",
    "INSERT INTO analysis.dim_dataset VALUES ('x', 'x', 'x', '{}', '{}')",
    "CREATE TABLE analysis.mine (x int)",
    "CREATE TABLE public.mine (x int)",
    "CREATE FUNCTION analysis.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DROP VIEW analysis.slice",
    "ALTER VIEW analysis.slice SET (security_barrier = false)",
    "SET ROLE guanxi",
    f"SET ROLE {NODE_ROLE}",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT lo_import('/etc/hostname')",
    "ALTER ROLE guanxi_analyst_000000 CONNECTION LIMIT 1000",
]


async def test_nothing_can_be_changed_or_gained(
    sql: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    await sql.execute("SET default_transaction_read_only = off")
    for statement in FORBIDDEN:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await sql.execute(statement)
    await sql.execute("GRANT SELECT ON analysis.slice TO PUBLIC")  # a warning, and no grant
    query = "SELECT has_table_privilege($1, 'analysis.slice', 'SELECT')"
    assert await owner.fetchval(query, NODE_ROLE) is False


async def test_a_function_of_theirs_sees_no_row_that_a_view_leaves_out(
    sql: asyncpg.Connection, hq: TestNode
) -> None:
    await sql.execute("SET default_transaction_read_only = off")
    await sql.execute(
        "CREATE FUNCTION pg_temp.peep(city text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS "
        "$$BEGIN RAISE NOTICE '%', city; RETURN true; END$$"
    )
    seen: list[str] = []
    sql.add_log_listener(lambda _, message: seen.append(message.message))
    query = "SELECT city FROM fact_current WHERE pg_temp.peep(city) AND period = '2026-10'"
    assert [row["city"] for row in await sql.fetch(query)] == ["440300"]
    assert set(seen) == {"440300"}


async def test_sessions_have_limits(sql: asyncpg.Connection, owner: asyncpg.Connection) -> None:
    for setting, value in analyst.SETTINGS.items():
        shown = await sql.fetchval(f"SHOW {setting}")
        assert shown.lower() == value.lower()
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await sql.execute("CREATE TEMP TABLE mine (x int)")
    role = await owner.fetchrow("SELECT * FROM pg_roles WHERE rolname = 'guanxi_analyst_000000'")
    assert role is not None
    assert role["rolconnlimit"] == analyst.CONNECTIONS
    rights = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls")
    assert not any(role[right] for right in rights)


async def test_granting_again_gives_a_new_password_and_revoking_ends_it(
    hq: TestNode, owner: asyncpg.Connection, sql: asyncpg.Connection, access: analyst.Access
) -> None:
    kept = "SELECT rolpassword FROM pg_authid WHERE rolname = $1"
    before = await owner.fetchval(kept, access.role)
    assert access.password is not None
    salt = before.split("$")[1].split(":")[1]
    assert analyst.verifier(access.password, base64.b64decode(salt)) == before
    async with owner.transaction():
        again = await analyst.grant(owner, hq.code, hq.database.url, "a-password-of-an-operator")
    assert again.password == "a-password-of-an-operator"
    assert await owner.fetchval(kept, access.role) != before
    ended = asyncio.Event()
    sql.add_termination_listener(lambda _: ended.set())
    async with owner.transaction():
        assert await analyst.revoke(owner, hq.code) is True
    async with asyncio.timeout(10):
        await ended.wait()
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(access.url, password=access.password)
    assert await owner.fetchval(kept, access.role) is None
    async with owner.transaction():
        assert await analyst.revoke(owner, "110100") is False


async def test_another_nodes_analysts_find_nothing(
    sql: asyncpg.Connection, database_url: Callable[..., Awaitable[str]], access: analyst.Access
) -> None:
    other = await asyncpg.connect(
        (await database_url()).replace("//guanxi@", f"//{access.role}@"), password=access.password
    )
    for name in ("analysis.slice", "public.customer", "public.analysis_fact"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await other.fetch(f"SELECT * FROM {name}")
    await other.close()


@pytest.mark.parametrize(
    "password", ["short", "像密码一样长的一个中文密码字符串", "with\nnew lines inside"]
)
async def test_an_unfit_password_is_refused(
    hq: TestNode, owner: asyncpg.Connection, password: str
) -> None:
    with pytest.raises(AnalystPasswordUnfit):
        await analyst.grant(owner, hq.code, hq.database.url, password)


async def test_a_role_that_sees_more_is_not_let_in(hq: TestNode, owner: asyncpg.Connection) -> None:
    await owner.execute("GRANT SELECT (name) ON customer TO PUBLIC")
    with pytest.raises(AnalystSeesMore, match="customer"):
        async with owner.transaction():
            await analyst.grant(owner, hq.code, hq.database.url, None)
    await owner.execute("REVOKE SELECT (name) ON customer FROM PUBLIC")


async def test_an_owner_that_makes_no_roles(hq: TestNode, owner: asyncpg.Connection) -> None:
    """An administrator makes the role, and the owner of the tables lets it read."""
    await owner.execute("DROP ROLE IF EXISTS test_star_owner; CREATE ROLE test_star_owner LOGIN")
    await owner.execute("ALTER SCHEMA analysis OWNER TO test_star_owner")
    for name in star.VIEWS:
        await owner.execute(f"ALTER VIEW analysis.{name} OWNER TO test_star_owner")
    await owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO test_star_owner")
    url = hq.database.url.replace("//guanxi@", "//test_star_owner@")
    plain = await asyncpg.connect(url)
    try:
        with pytest.raises(AnalystNotMade, match="CREATE ROLE guanxi_analyst_999999"):
            async with plain.transaction():
                await analyst.grant(plain, "999999", url, None)
        await owner.execute("CREATE ROLE guanxi_analyst_999999 LOGIN")
        async with plain.transaction():
            access = await analyst.grant(plain, "999999", url, None)
        assert access.password is None
        by_hand = await asyncpg.connect(access.url)
        assert await by_hand.fetchval("SELECT sum(value) FROM analysis.fact_current") > 0
        async with plain.transaction():
            assert await analyst.revoke(plain, "999999") is True
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await by_hand.fetchval("SELECT sum(value) FROM analysis.fact_current")
        await by_hand.close()
    finally:
        await plain.close()
        await owner.execute("DROP OWNED BY test_star_owner CASCADE; DROP ROLE test_star_owner")
        await owner.execute("DROP OWNED BY guanxi_analyst_999999; DROP ROLE guanxi_analyst_999999")


async def test_by_command(
    database_url: Callable[..., Awaitable[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await database_url()
    owner = await asyncpg.connect(url)
    await owner.execute("TRUNCATE analysis_edition, analysis_indicator")  # it has never run
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_DATABASE_URL", as_node(url))
    monkeypatch.setenv("GUANXI_DATABASE_OWNER_URL", url)

    async def guanxi(*words: str) -> dict[str, Any]:
        given = ["analysis", *words, "--node", "440300", "--json"]
        result = await asyncio.to_thread(CliRunner().invoke, app, given)
        assert result.exit_code == 0, result.output
        document: dict[str, Any] = orjson.loads(result.stdout)
        return document

    granted = await guanxi("grant")
    assert granted["role"] == "guanxi_analyst_440300"
    assert granted["password"] not in granted["url"]
    analysts = await asyncpg.connect(granted["url"], password=granted["password"])
    assert await analysts.fetchval("SELECT count(*) FROM dim_indicator") > 100
    await analysts.close()

    nowhere = ["analysis", "grant", "--password-file", str(tmp_path / "none"), "--node", "440300"]
    refused = await asyncio.to_thread(CliRunner().invoke, app, nowhere)
    assert (refused.exit_code, "Invalid value for '--password-file'" in refused.output) == (2, True)

    unreadable = tmp_path / "unreadable"
    unreadable.write_bytes(b"\xff\xfe" * 16)
    given = ["analysis", "grant", "--password-file", str(unreadable), "--node", "440300"]
    refused = await asyncio.to_thread(CliRunner().invoke, app, given)
    assert (refused.exit_code, "printable ASCII" in refused.stderr) == (1, True)

    secret = tmp_path / "secret"
    secret.write_text("a-password-of-an-operator\n")
    assert "password" not in await guanxi("grant", "--password-file", str(secret))
    assert await guanxi("revoke") == {"role": "guanxi_analyst_440300", "revoked": True}
    assert await guanxi("revoke") == {"role": "guanxi_analyst_440300", "revoked": False}
    actions = await owner.fetch("SELECT action, subject_id FROM audit_record ORDER BY id")
    await owner.close()
    assert [tuple(row) for row in actions] == [
        *[("analysis.granted", "guanxi_analyst_440300")] * 2,
        ("analysis.revoked", "guanxi_analyst_440300"),
    ]
