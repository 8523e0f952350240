"""Adding a province and a city to a running federation, and taking one out again, by the commands alone."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shared.federation.high_water import FILE
from shared.kernel.embedded_postgres import EmbeddedPostgres
from tests.node.test_processes import Guanxi, Process, free_ports, guanxi, health  # noqa: F401 - a fixture

CODES = ("000000", "440000", "440300")
PATIENCE = 90.0


@pytest.fixture
async def databases(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[dict[str, str]]:
    """A migrated database for each node, by code."""
    server = await asyncpg.connect(postgres.database_url("postgres"))
    names = {code: f"added_{code}" for code in CODES}
    for name in names.values():
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield {code: postgres.database_url(name) for code, name in names.items()}
    for name in names.values():
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()


@pytest.mark.thorough
async def test_a_province_and_a_city_are_added_by_the_commands(
    guanxi: Guanxi,  # noqa: F811
    databases: dict[str, str],
    tmp_path: Path,
) -> None:
    ports = dict(zip(CODES, free_ports(len(CODES)), strict=True))
    urls = {code: f"http://127.0.0.1:{port}" for code, port in ports.items()}
    running: list[Process] = []

    async def command(code: str, person: str, *arguments: str) -> tuple[int, Any, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shared.node.command", *arguments, "--node", code, "--json"),
            env=os.environ
            | {
                "GUANXI_HOME": str(tmp_path),
                "GUANXI_DATABASE_URL": databases[code],
                "LOGNAME": person,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
        return process.returncode or 0, json.loads(out) if out else None, err.decode()

    async def run(code: str) -> None:
        node = await guanxi(
            *("node", "run", "--node", code, "--port", str(ports[code])),
            GUANXI_DATABASE_URL=databases[code],
        )
        await node.until("this process leads")
        running.append(node)

    async def add(child: str, parent: str) -> None:
        _, invited, _ = await command(parent, "alice", "node", "invite", child)
        enrol = ("node", "enrol", "--parent-url", urls[parent], "--code", invited["code"])
        failed, _, said = await command(child, "carol", *enrol)
        assert failed == 1
        assert "A second person there has to compare this node's fingerprint" in said
        _, (asking,), _ = await command(parent, "bob", "federation", "requests")
        assert asking["child"] == child
        assert asking["fingerprint"] in said
        admit = ("node", "admit", child, "--fingerprint", asking["fingerprint"])
        failed, _, said = await command(parent, "alice", *admit)
        assert failed == 1
        assert "somebody else must decide it" in said
        assert (await command(parent, "bob", *admit))[0] == 0
        status, joined, said = await command(child, "carol", *enrol, "--wait")
        assert status == 0, said
        assert joined["parent"] == parent

    await run("000000")
    for code, parent in (("440000", "000000"), ("440300", "440000")):
        await run(code)
        await add(code, parent)
    async with asyncio.timeout(PATIENCE):
        while True:  # until HQ has published the city, and the city has heard it
            _, known, _ = await command("440300", "carol", "federation", "keys")
            if {key["node"] for key in known["keys"] if key["confirmed"]} == set(CODES):
                break
    assert (await health(urls["440300"]))["checks"]["parent"]["status"] == "up"

    assert (await command("440300", "carol", "node", "rotate-key"))[1]["stage"] == "made"
    retire = ("node", "retire", "440300")
    for person, way, status in (
        ("alice", ("--reason", "merged"), 0),
        ("alice", ("--approve",), 1),
        ("bob", ("--approve",), 0),
    ):
        assert (await command("440000", person, *retire, *way))[0] == status
    revoke = ("federation", "revoke", "440300", "--reason", "stolen")
    assert (await command("000000", "alice", *revoke))[1]["status"] == "revoked"
    _, renewed, _ = await command("440300", "carol", "node", "new-key")
    assert renewed["before"] != renewed["fingerprint"]

    for node in reversed(running):
        assert await node.ended(signal.SIGTERM) == 0

    (tmp_path / "nodes" / "440300" / FILE).unlink()  # as on a new machine: nobody can tell
    trust = ("federation", "trust-database", "--reason", "the backup is of this minute")
    trusted = [await command("440300", "carol", *trust) for _ in range(2)]
    assert [answer["was_recalling"] for _, answer, _ in trusted] == [True, False]
