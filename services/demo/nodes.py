"""The nodes of the demo: where they listen, who may sign in, and commands that are run on them."""

import asyncio
import contextlib
import os
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from sqlalchemy import update

from services.demo.memory import FILE, Memory
from shared.capability import Role
from shared.commandline import CommandFailed, operator_name
from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.tier import Tier
from shared.node.pidfile import NAME as PID_FILE
from shared.node.pidfile import held, holder
from shared.node.plan import PlannedNode, plan
from shared.node.topology import Topology, read_topology
from shared.organisation.division import division
from shared.port.contracts import port_named
from shared.staff import repository as staff
from shared.staff.passwords import is_right
from shared.staff.service import add_staff_member, set_password
from shared.startup import open_context
from shared.statistics.expectation import StatisticsEnrolment

FILES = Path(__file__).resolve().parents[2] / "deploy" / "demo"
TOPOLOGY = FILES / "topology.toml"
MAPPING = FILES / "wa_churn.toml"

LOOPBACK, PORTS_AT = "127.0.0.1", 8590
SIMULATOR = "simulator"
"""What the memory calls the port that the simulators listen on."""
CABLE, CABLE_AT = "cable", 8589
"""What the memory calls the port at which a city finds its province, by way of a cable that can be cut."""
BEHIND_CABLE = "310100"
"""That city."""
SIMULATED = ("network", "sms", "card-supplier", "receipt-printer")
"""The systems outside that the cities have in the demo."""

ACCOUNTS: Mapping[Tier, Mapping[str, Role]] = {
    Tier.HQ: {"analyst": Role.HQ_ANALYST, "operator": Role.OPERATOR},
    Tier.PROVINCE: {"coordinator": Role.PROVINCE_COORDINATOR, "operator": Role.OPERATOR},
    Tier.CITY: {"clerk": Role.CLERK, "supervisor": Role.SUPERVISOR, "operator": Role.OPERATOR},
}
"""Who there is at a node of each tier."""


def plan_nodes(home: Path, memory: Memory) -> list[PlannedNode]:
    """Return the demo's nodes, with free ports for those whose own are taken; ``memory`` notes them.

    Raises:
        CommandFailed: if the files of the demo are not there.
    """
    if not TOPOLOGY.is_file():
        raise CommandFailed(
            f"The demo is run from a checkout of the project: there is no {TOPOLOGY}."
        )
    topology = read_topology(TOPOLOGY)
    with contextlib.ExitStack() as stack:
        for code, entry in topology.nodes.items():
            wanted = memory.ports.get(code, entry.port)
            still_ours = holder(home / "nodes" / code / PID_FILE) is not None
            if still_ours:
                continue
            port = _bound(stack, entry.host, wanted) or _bound(stack, entry.host, 0)
            if port and port != entry.port:
                memory.ports[code] = port
        for name, usual in ((SIMULATOR, PORTS_AT), (CABLE, CABLE_AT)):
            wanted = memory.ports.get(name, usual)
            memory.ports[name] = (
                _bound(stack, LOOPBACK, wanted) or _bound(stack, LOOPBACK, 0) or wanted
            )
    return plan(_with_ports(topology, memory.ports), os.environ | {"GUANXI_HOME": str(home)})


def simulator_url(ports: Mapping[str, int]) -> str:
    """Return where the simulated systems outside are."""
    return f"http://{LOOPBACK}:{ports[SIMULATOR]}"


def _bound(stack: contextlib.ExitStack, host: str, port: int) -> int | None:
    """Take a port until ``stack`` closes, so that no two nodes are given the same; ``None`` if it is taken."""
    try:
        listener = stack.enter_context(socket.create_server((host, port)))
    except OSError:
        return None
    taken: int = listener.getsockname()[1]
    return taken


def _with_ports(topology: Topology, ports: Mapping[str, int]) -> Topology:
    outside = simulator_url(ports)
    cable = f"http://{LOOPBACK}:{ports[CABLE]}"
    addresses = {port_named(name).setting: f"{outside}/{name}" for name in SIMULATED}
    nodes = {
        code: entry.model_copy(
            update={
                "listen": f"{entry.host}:{ports.get(code, entry.port)}",
                "settings": entry.settings
                | (addresses if division(code).tier is Tier.CITY else {}),
            }
            | ({"parent_address": cable} if code == BEHIND_CABLE else {})
        )
        for code, entry in topology.nodes.items()
    }
    return topology.model_copy(update={"nodes": nodes})


async def prepare(node: PlannedNode, password: str, founded: date) -> None:
    """See that everybody of ``node`` can sign in with ``password``, and that its nation is as old as it is taken to be.

    Figures are expected of a city from the day on which it joined, and in the demo that was a minute ago: no period
    that is over would be anybody's to report. So it is noted that all who have joined did so at the beginning.
    """
    settings = node.settings()
    async with open_context(settings) as context, context.database.transaction() as session:
        beginning = datetime.combine(founded, time(), BUSINESS_ZONE)
        joined = update(StatisticsEnrolment).where(StatisticsEnrolment.since > beginning)
        await session.execute(joined.values(since=beginning))
        now, by = context.clock.now(), operator_name()
        for username, role in ACCOUNTS[node.tier].items():
            found = await staff.lock_by_name(session, username)
            if found is None:
                await add_staff_member(
                    session,
                    username=username,
                    password=password,
                    role=role,
                    unit_code=node.code,
                    by=by,
                    now=now,
                    tier=node.tier,
                )
            elif not await is_right(password, found.member.password_hash):
                await set_password(session, found.member, password, by=by, now=now)


async def run_command(node: PlannedNode, *arguments: str) -> Any:
    """Run ``guanxi`` with ``arguments`` on ``node``, and return what it prints as JSON.

    Raises:
        CommandFailed: if it fails, with what it says.
    """
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-P",
            "-m",
            "shared.node.command",
            *arguments,
            "--node",
            node.code,
            "--json",
        ),
        env=node.environment(os.environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us
    )
    try:
        printed, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if process.returncode:
        raise CommandFailed(
            f"`guanxi {' '.join(arguments)} --node {node.code}` failed: {said.decode().strip()}"
        )
    return orjson.loads(printed.splitlines()[-1])


def is_there(home: Path) -> bool:
    """Tell whether an earlier demo left something in ``home``.

    Raises:
        CommandFailed: if what is there is no demo's, so that nothing of anybody else's is removed.
    """
    if not home.exists():
        return False
    if not (home / FILE).exists():
        raise CommandFailed(
            f"{home} was not made by the demo ({FILE} is not in it), so it is not removed. Name another directory with --home."
        )
    return True


async def forget(home: Path, nodes: Sequence[PlannedNode]) -> None:
    """Remove everything that an earlier demo left in ``home``.

    Raises:
        AlreadyRunning: if it still runs.
        CommandFailed: if one of its nodes does.
    """
    with held(home / "up.pid", f"The demo in {home}"):
        for node in nodes:
            running = holder(node.directory / PID_FILE)
            if running:
                raise CommandFailed(
                    f"Node {node.name} still runs, as process {running}. Stop it first: kill {running}"
                )
        await _drop_databases(home, nodes)
        for name in ("nodes", "import", SIMULATOR):
            shutil.rmtree(home / name, ignore_errors=True)
        (home / FILE).unlink()


async def _drop_databases(home: Path, nodes: Sequence[PlannedNode]) -> None:
    embedded = (
        EmbeddedPostgres(home / "postgres") if any(node.server is None for node in nodes) else None
    )
    if embedded:
        await asyncio.to_thread(embedded.start)
    try:
        for node in nodes:
            address = node.server or (embedded.database_url("postgres") if embedded else "")
            connection = await asyncpg.connect(address)
            try:
                await connection.execute(
                    f'DROP DATABASE IF EXISTS "guanxi_{node.code}" WITH (FORCE)'
                )
            finally:
                await connection.close()
    finally:
        if embedded:
            await asyncio.to_thread(embedded.release)
