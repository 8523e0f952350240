"""The history makes what the models say, also where Alembic does not compare; forward, back, and at once."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from shared.kernel import migrations
from shared.kernel.database import Base, Database
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.ids import new_id
from shared.kernel.migrations import MigrationRefused

MakeDatabase = Callable[..., Awaitable[str]]


@pytest.fixture
async def empty(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    name = f"empty_{new_id().hex}"
    postgres.create_database(name)
    yield postgres.database_url(name)
    connection = await asyncpg.connect(postgres.database_url("postgres"))
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


def shape(postgres: EmbeddedPostgres, url: str) -> set[str]:
    """The statements that make a database, as PostgreSQL writes them: checks, defaults and sequences too."""
    dumped = subprocess.run(
        [
            postgres.binaries / "pg_dump",
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            "--restrict-key=test",
            "-d",
            url,
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    statements = re.split(r";\n", re.sub(r"^(--.*|\\.*|)\n", "", dumped, flags=re.MULTILINE))
    return {
        statement.strip()
        for statement in statements
        if statement.strip() and "alembic_version" not in statement
    }


async def test_the_history_makes_exactly_what_the_models_say(
    postgres: EmbeddedPostgres, database_url: MakeDatabase, empty: str
) -> None:
    by_models = Database(empty)
    async with by_models.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await by_models.close()
    migrated, modelled = shape(postgres, await database_url()), shape(postgres, empty)
    assert len(modelled) > 100
    assert migrated ^ modelled == set()


async def test_back_to_nothing_and_forward_again(empty: str) -> None:
    await migrations.upgrade(empty)
    await migrations.downgrade(empty, "base")
    connection = await asyncpg.connect(empty)
    left = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')"
    )
    assert [row["relname"] for row in left] == ["alembic_version"]
    await migrations.upgrade(empty)
    assert await migrations.current_revision(connection) == migrations.newest_revision()
    await connection.close()


async def test_several_processes_that_start_at_once_take_turns(empty: str) -> None:
    await asyncio.gather(*[migrations.upgrade(empty) for _ in range(3)])
    connection = await asyncpg.connect(empty)
    assert await migrations.current_revision(connection) == migrations.newest_revision()
    await connection.close()


async def test_a_database_newer_than_the_program_is_left_alone(database_url: MakeDatabase) -> None:
    url = await database_url()
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(
        MigrationRefused, match="revision 9999, which this version of Guanxi does not know"
    ):
        await migrations.upgrade(url)
    assert await migrations.current_revision(connection) == "9999"
    await connection.close()


def test_a_revision_gets_a_number_that_no_other_has(tmp_path: Path) -> None:
    """Also where numbers have gaps, and the head is not the last of a count."""
    scripts = ScriptDirectory(str(tmp_path), version_locations=[str(tmp_path)])
    assert migrations.next_revision(scripts) == "0001"
    for revision, down in (("0001", None), ("0002", "0001"), ("0007", "0002")):
        (tmp_path / f"{revision}_x.py").write_text(
            f"revision = {revision!r}\ndown_revision = {down!r}\n"
        )
    scripts = ScriptDirectory(str(tmp_path), version_locations=[str(tmp_path)])
    assert scripts.get_current_head() == "0007"
    assert migrations.next_revision(scripts) == "0008"
