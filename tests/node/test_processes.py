"""Nodes as processes: several workers, several nodes, and what happens when they are killed."""

import asyncio
import contextlib
import json
import os
import re
import select
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from services.city_node.card_replacement.kind import KIND
from services.city_node.service_request.kind import Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.service import Step, begin
from shared.capability import Role
from shared.kernel.database import Database
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.kernel.tier import Tier
from shared.node.pidfile import holder
from shared.node.serve import FINISHING_SECONDS
from shared.staff.service import add_staff_member
from tests.conftest import PASSWORD

PATIENCE = 60.0
"""Seconds that anything here may take on a busy machine."""
CODES = ("000000", "440000", "440300")
LEADS = "this process leads"


class Process:
    """A running ``guanxi``, whose lines can be waited for."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.pid = process.pid
        self.lines: list[str] = []

    async def until(self, words: str, *, times: int = 1) -> str:
        """Read on until ``words`` have been said so often; returns the last such line."""
        stream = self.process.stdout
        assert stream is not None
        async with asyncio.timeout(PATIENCE):
            while sum(words in line for line in self.lines) < times:
                line = (await stream.readline()).decode()
                assert line, f"it ended without saying {words!r}:\n{''.join(self.lines)}"
                self.lines.append(line)
        return next(line for line in reversed(self.lines) if words in line)

    async def ended(self, number: signal.Signals | None = None) -> int:
        """Wait until it has ended, perhaps by a signal; returns its exit code."""
        if number is not None:
            os.kill(self.pid, number)
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            self.lines.append((await self.process.stdout.read()).decode())
            return await self.process.wait()


Guanxi = Callable[..., Awaitable[Process]]


@pytest.fixture
async def guanxi(tmp_path: Path) -> AsyncIterator[Guanxi]:
    """Start ``guanxi ...``, with both of its streams in one; what is left of it is killed after the test."""
    begun: list[asyncio.subprocess.Process] = []

    async def start(*arguments: str, **variables: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shared.node.command", *arguments),
            env=os.environ | {"GUANXI_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"} | variables,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        begun.append(process)
        return Process(process)

    yield start
    left = [each.pid for each in begun if each.returncode is None]
    left += [running for code in CODES if (running := holder(pid_file(tmp_path, code)))]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def pid_file(home: Path, code: str) -> Path:
    return home / "nodes" / code / "node.pid"


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in taken]


def workers_of(supervisor: int) -> list[int]:
    """The processes that serve for ``supervisor``."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = directory.joinpath("stat").read_text().rpartition(")")[2].split()[1]
            if (
                int(parent) == supervisor
                and b"spawn_main" in directory.joinpath("cmdline").read_bytes()
            ):
                found.append(int(directory.name))
    return found


def has_ended(descriptor: int) -> bool:
    """Wait for the end of the process that ``descriptor`` is of."""
    return bool(select.select([descriptor], [], [], PATIENCE)[0])


async def health(url: str) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        answer: dict[str, Any] = (await client.get(f"{url}/health/ready")).json()
        return answer


async def test_one_of_several_workers_leads_and_another_takes_over_when_it_is_killed(
    guanxi: Guanxi, database_url: Callable[..., Awaitable[str]], tmp_path: Path
) -> None:
    node = await guanxi(
        *("node", "run", "--node", "440300", "--port", "0", "--workers", "2"),
        GUANXI_DATABASE_URL=await database_url(),
    )
    url = json.loads(await node.until("serving"))["url"]
    await node.until(LEADS)
    assert (await health(url))["status"] == "ready"
    workers = workers_of(node.pid)
    assert len(workers) == 2

    # One of the two leads. Whichever it is, another leads after both were killed, one after the other.
    for worker in workers:
        watched = os.pidfd_open(worker)
        os.kill(worker, signal.SIGKILL)
        assert has_ended(watched)
        os.close(watched)
        assert (await health(url))["status"] == "ready"
    await node.until(LEADS, times=2)

    assert await node.ended(signal.SIGTERM) == 0
    assert workers_of(node.pid) == []
    assert holder(pid_file(tmp_path, "440300")) is None


async def test_workers_end_by_themselves_when_the_process_that_started_them_is_killed(
    guanxi: Guanxi, database_url: Callable[..., Awaitable[str]]
) -> None:
    node = await guanxi(
        *("node", "run", "--node", "440300", "--port", "0", "--workers", "2"),
        GUANXI_DATABASE_URL=await database_url(),
    )
    await node.until(LEADS)
    watched = [os.pidfd_open(worker) for worker in workers_of(node.pid)]

    os.kill(node.pid, signal.SIGKILL)

    assert len(watched) == 2
    assert all(has_ended(worker) for worker in watched)
    for worker in watched:
        os.close(worker)


@pytest.fixture
async def topology(
    postgres: EmbeddedPostgres, template: str, tmp_path: Path
) -> AsyncIterator[Path]:
    """A topology of three nodes; HQ's database is not there yet, the others' are."""
    names = [f"guanxi_{code}" for code in CODES]
    server = await asyncpg.connect(postgres.database_url("postgres"))
    for name in names[1:]:
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    ports = free_ports(len(CODES))
    file = tmp_path / "three.toml"
    file.write_text(
        "".join(
            f'[nodes.{code}]\nlisten = "127.0.0.1:{port}"\n'
            for code, port in zip(CODES, ports, strict=True)
        )
    )
    yield file
    for name in names:
        await server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await server.close()


@pytest.mark.thorough
async def test_a_federation_starts_survives_and_ends_as_one(
    guanxi: Guanxi, topology: Path, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    def up() -> Awaitable[Process]:
        server = postgres.database_url("postgres")
        return guanxi("up", "--topology", str(topology), "--json", DATABASE_URL=server)

    first = await up()
    nodes = json.loads(await first.until('"nodes"'))["nodes"]
    processes = {code: holder(pid_file(tmp_path, code)) for code in CODES}
    assert {code: node["tier"] for code, node in nodes.items()} == {
        "000000": "hq",
        "440000": "province",
        "440300": "city",
    }
    assert None not in processes.values()
    assert sum("has joined" in line for line in first.lines) == 2

    # A city that is killed comes back by itself.
    os.kill(processes["440300"] or 0, signal.SIGKILL)
    await first.until("440300 Shenzhen 深圳市 ended unexpectedly (killed by signal 9)")
    await first.until("440300 Shenzhen 深圳市 is ready", times=2)
    assert holder(pid_file(tmp_path, "440300")) not in {None, processes["440300"]}

    # A second one leaves the first alone.
    other = await up()
    assert await other.ended() == 1
    assert f"is running already, as process {first.pid}" in other.lines[-1]

    # Nodes outlive one that is killed, and the next one replaces them.
    assert await first.ended(signal.SIGKILL) == -signal.SIGKILL
    left = {code: holder(pid_file(tmp_path, code)) for code in CODES}
    assert None not in left.values()
    second = await up()
    await second.until('"nodes"')
    for code in CODES:
        assert re.search(
            rf"{code} .* is still running from before, as process {left[code]}: it is ended",
            "".join(second.lines),
        )
        assert holder(pid_file(tmp_path, code)) not in {None, left[code]}
    assert not any("has joined" in line for line in second.lines)
    assert (await health(nodes["440300"]["url"]))["checks"]["parent"]["node"] == "440000"

    assert await second.ended(signal.SIGINT) == 0
    assert [holder(pid_file(tmp_path, code)) for code in CODES] == [None] * 3
    assert "All nodes have ended." in second.lines[-1]


async def test_a_port_that_is_taken_stops_the_start_before_anything_runs(
    guanxi: Guanxi, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = tmp_path / "taken.toml"
        file.write_text(f'[nodes.000000]\nlisten = "127.0.0.1:{port}"\n')
        up = await guanxi("up", "--topology", str(file))

        assert await up.ended() == 1

    assert f"Node 000000 cannot listen on 127.0.0.1 port {port}" in up.lines[-1]
    assert holder(pid_file(tmp_path, "000000")) is None
    assert not (tmp_path / "postgres").exists()


async def test_a_node_that_is_told_to_end_ends_the_streams_that_it_holds(
    guanxi: Guanxi, database_url: Callable[..., Awaitable[str]]
) -> None:
    address = await database_url()
    node = await guanxi(
        *("node", "run", "--node", "440300", "--port", "0", "--workers", "2"),
        GUANXI_DATABASE_URL=address,
    )
    url = json.loads(await node.until("serving"))["url"]
    assert (await health(url))["status"] == "ready"
    database, now = Database(address), datetime.now(UTC)
    async with database.transaction() as session:
        await add_staff_member(
            session,
            username="li.na",
            password=PASSWORD,
            role=Role.CLERK,
            unit_code="440300",
            by="test",
            now=now,
            tier=Tier.CITY,
        )
        asked = ServiceRequest(
            id=new_id(),
            role=Party.VISITED,
            home="110100",
            visited="440300",
            subject="138****5678",
            deadline=now + timedelta(hours=1),
            data={},
            unit_code="440300",
            created_by="li.na",
        )
        step = Step("asked", Party.VISITED, now, "440300", "li.na", Text("Asked", "已申请"))
        await begin(session, KIND, asked, step)
    await database.close()
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as client:
        form = {"grant_type": "password", "username": "li.na", "password": PASSWORD}
        token = (await client.post("/oauth/token", data=form)).json()["access_token"]
        path = f"/service-requests/{asked.id}/trail/stream"
        headers = {"Authorization": f"Bearer {token}"}
        async with client.stream("GET", path, headers=headers) as answer:
            lines = answer.aiter_lines()
            assert await anext(lines) == "event: trail"
            ending = time.monotonic()
            assert await node.ended(signal.SIGTERM) == 0
            assert time.monotonic() - ending < FINISHING_SECONDS / 2
            rest = [line async for line in lines]
    assert "event: end" not in rest, "the request has not ended"
