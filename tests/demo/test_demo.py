"""What the demo remembers, where its nodes listen, and how it compares."""

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.demo.figures import Counts, ask, await_slices, compare
from services.demo.memory import FILE, Memory, Moved
from services.demo.nodes import (
    ACCOUNTS,
    BEHIND_CABLE,
    CABLE,
    forget,
    is_there,
    plan_nodes,
    prepare,
    run_command,
)
from services.demo.rest import sign_in
from shared.commandline import CommandFailed
from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.tier import Tier
from shared.node.pidfile import AlreadyRunning, held
from shared.node.plan import PlannedNode
from shared.staff.service import ROLES
from shared.statistics.expectation import StatisticsEnrolment
from tests.conftest import MakeNode

TODAY = date(2026, 11, 23)


@pytest.fixture
def memory() -> Memory:
    return Memory(reference=TODAY)


def test_memory_is_kept_for_its_owner_alone(tmp_path: Path, memory: Memory) -> None:
    home = tmp_path / "demo"
    memory.make_passwords(["440300"])
    memory.ports["440300"] = 12345
    memory.asked = 3
    memory.moving, memory.moved = ["row-1"], {"row-2": Moved(city="440300", on=TODAY)}

    memory.keep(home)
    memory.keep(home)
    again = Memory.of(home, today=date(2027, 1, 5))
    again.make_passwords(["440300", "440100"])

    assert stat.S_IMODE((home / FILE).stat().st_mode) == 0o600
    assert (again.reference, again.ports, again.asked) == (TODAY, {"440300": 12345}, 3)
    assert (again.moving, again.moved) == (memory.moving, memory.moved)
    assert again.passwords["440300"] == memory.passwords["440300"] != again.passwords["440100"]
    assert len(again.passwords["440100"]) >= 12


def test_figures_are_of_the_month_of_the_first_run(memory: Memory) -> None:
    assert memory.period == "2026-11"
    assert memory.parameters == {
        "reference": date(2026, 11, 1),
        "billed": date(2026, 11, 1),
        "left_on": TODAY,
    }


@pytest.mark.parametrize(
    ("reference", "end"),
    [
        (date(2026, 11, 30), date(2026, 12, 1)),
        (date(2026, 12, 1), date(2027, 1, 1)),
        (date(2028, 2, 29), date(2028, 3, 1)),
    ],
)
def test_the_month_of_the_figures_ends(reference: date, end: date) -> None:
    assert Memory(reference=reference).period_end == end


def test_a_memory_of_before_there_were_moves_is_read(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"reference": "2026-11-23", "asked": 2}')

    assert Memory.of(tmp_path, today=TODAY).moved == {}


def test_a_damaged_memory_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"reference": ')

    with pytest.raises(CommandFailed, match="--fresh"):
        Memory.of(tmp_path, today=TODAY)


def test_a_port_that_is_taken_is_replaced_and_remembered(tmp_path: Path, memory: Memory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = memory.ports["440300"] = taken.getsockname()[1]
        nodes = {node.code: node for node in plan_nodes(tmp_path, memory)}

    assert nodes["440300"].port == memory.ports["440300"] != port
    assert len({node.port for node in nodes.values()}) == len(nodes)
    assert nodes["440300"].values["parent_url"] == nodes["440000"].url
    again = {node.code: node for node in plan_nodes(tmp_path, memory)}
    assert again["440300"].port == nodes["440300"].port


def test_one_city_finds_its_province_by_way_of_the_cable(tmp_path: Path, memory: Memory) -> None:
    nodes = {node.code: node for node in plan_nodes(tmp_path, memory)}

    by_cable = {
        code: node.values["parent_url"]
        for code, node in nodes.items()
        if node.parent is not None and node.values["parent_url"] != nodes[node.parent].url
    }
    assert by_cable == {BEHIND_CABLE: f"http://127.0.0.1:{memory.ports[CABLE]}"}


def test_a_port_that_our_own_node_still_has_is_kept(tmp_path: Path, memory: Memory) -> None:
    directory = tmp_path / "nodes" / "440300"
    directory.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as taken, held(directory / "node.pid", "x"):
        port = memory.ports["440300"] = taken.getsockname()[1]
        nodes = {node.code: node for node in plan_nodes(tmp_path, memory)}

    assert nodes["440300"].port == port


def test_the_demo_has_the_nodes_that_it_promises(tmp_path: Path, memory: Memory) -> None:
    nodes = plan_nodes(tmp_path, memory)
    tiers = [node.tier for node in nodes]

    assert (tiers.count(Tier.HQ), tiers.count(Tier.PROVINCE), tiers.count(Tier.CITY)) == (1, 3, 4)
    assert {node.home for node in nodes} == {tmp_path}
    assert all(set(ACCOUNTS[tier].values()) <= set(ROLES[tier]) for tier in Tier)


def test_nothing_is_removed_that_is_no_demos(tmp_path: Path) -> None:
    assert not is_there(tmp_path / "nowhere")
    with pytest.raises(CommandFailed, match="was not made by the demo"):
        is_there(tmp_path)


async def test_a_demo_that_runs_is_not_removed(tmp_path: Path, memory: Memory) -> None:
    memory.keep(tmp_path)
    nodes = plan_nodes(tmp_path, memory)

    with held(tmp_path / "up.pid", "x"), pytest.raises(AlreadyRunning):
        await forget(tmp_path, nodes)
    nodes[0].directory.mkdir(parents=True)
    with (
        held(nodes[0].directory / "node.pid", "x"),
        pytest.raises(CommandFailed, match=f"Node {nodes[0].name} still runs"),
    ):
        await forget(tmp_path, nodes)

    assert is_there(tmp_path)


def counts(**national: int) -> Counts:
    return {name: {"440300": 1, "000000": number} for name, number in national.items()}


def test_figures_that_differ_are_all_named() -> None:
    compare(counts(customers=5, retained=2), counts(customers=5, retained=2))

    with pytest.raises(CommandFailed) as refused:
        compare(counts(customers=5, retained=2), counts(customers=6, retained=3))

    assert "customers of 000000: HQ says 5, the table 6" in str(refused.value)
    assert "retained of 000000: HQ says 2, the table 3" in str(refused.value)
    assert "440300" not in str(refused.value)


@pytest.mark.parametrize("where", ["found", "plain"])
def test_a_region_that_one_side_does_not_have_differs(where: str) -> None:
    found, plain = counts(customers=5), counts(customers=5)
    {"found": found, "plain": plain}[where]["customers"]["110100"] = 7

    with pytest.raises(CommandFailed, match="customers of 110100"):
        compare(found, plain)


def hq(*revisions: int) -> httpx.AsyncClient:
    """HQ as it answers one question after another: Shenzhen's slice in these revisions, 0 for none."""
    answers = iter(revisions)

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.params["period"] == "2026-11"
        cities = [
            {"node": "440300", "revision": revision} for revision in (next(answers),) if revision
        ]
        return httpx.Response(200, json={"provenance": [{"dataset": "customer", "cities": cities}]})

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://000000")


async def test_slices_are_awaited_until_hq_has_the_revision_that_was_made() -> None:
    arrived: list[int] = []

    async with hq(0, 1, 2) as client:
        await await_slices(client, "2026-11", {("440300", "customer"): 2}, arrived.append)

    assert arrived == [0, 0, 1]


async def test_slices_that_do_not_come_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.demo.figures.ARRIVAL_SECONDS", 0.05)

    async with hq(*[0] * 1000) as client:
        with pytest.raises(CommandFailed, match="HQ has not got the figures of 440300"):
            await await_slices(client, "2026-11", {("440300", "customer"): 1}, lambda _: None)


async def test_a_refusal_of_hq_is_no_traceback() -> None:
    refusing = httpx.MockTransport(lambda _: httpx.Response(403, text="no"))
    async with httpx.AsyncClient(transport=refusing, base_url="http://000000") as client:
        with pytest.raises(CommandFailed, match="no"):
            await ask(client, "2026-11", ["customers"])


@pytest.fixture
async def planned(database_url: Callable[..., Awaitable[str]], tmp_path: Path) -> PlannedNode:
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 1,
        "workers": 1,
        "database_url": await database_url(),
    }
    return PlannedNode("440300", tmp_path, values)


async def test_a_command_gives_what_it_prints_or_what_it_complains_of(planned: PlannedNode) -> None:
    planned.write_settings("test")

    assert await run_command(planned, "user", "list") == []
    with pytest.raises(CommandFailed, match="'soon' is no period"):
        await run_command(planned, "rollup", "run", "--period", "soon")


def commands_of_this_process() -> list[Path]:
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = directory.joinpath("stat").read_text().rpartition(")")[2].split()[1]
            command = directory.joinpath("cmdline").read_bytes()
            if int(parent) == os.getpid() and b"shared.node.command" in command:
                found.append(directory)
    return found


async def test_a_command_is_ended_with_the_demo(planned: PlannedNode) -> None:
    planned.write_settings("test")
    running = asyncio.ensure_future(run_command(planned, "status"))
    await asyncio.wait([running], timeout=0.3)
    assert len(commands_of_this_process()) == 1

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert commands_of_this_process() == []


async def test_the_demos_cities_have_belonged_to_the_nation_for_long(
    make_node: MakeNode, tmp_path: Path
) -> None:
    node = await make_node("000000")
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 1,
        "workers": 1,
        "database_url": node.database.url,
    }
    async with node.database.transaction() as session:
        session.add(StatisticsEnrolment(node="440300", since=datetime(2026, 11, 23, tzinfo=UTC)))
        session.add(StatisticsEnrolment(node="440100", since=datetime(2020, 1, 1, tzinfo=UTC)))

    for _ in range(2):
        await prepare(PlannedNode("000000", tmp_path, values), "a-long-password", date(2026, 9, 24))

    async with node.database.reading() as session:
        since = dict(
            (
                await session.execute(select(StatisticsEnrolment.node, StatisticsEnrolment.since))
            ).all()
        )
    assert since == {
        "440300": datetime(2026, 9, 24, tzinfo=BUSINESS_ZONE),
        "440100": datetime(2020, 1, 1, tzinfo=UTC),
    }


async def test_accounts_are_made_once_and_follow_the_remembered_password(
    make_node: MakeNode, tmp_path: Path
) -> None:
    node = await make_node("440300")
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 1,
        "workers": 1,
        "database_url": node.database.url,
    }
    city = PlannedNode("440300", tmp_path, values)

    for password in ("the-first-password", "the-first-password", "another-password"):
        await prepare(city, password, TODAY)
        for username in ACCOUNTS[Tier.CITY]:
            node.client.headers.pop("Authorization", None)
            await sign_in(node.client, username, password)
            assert node.client.headers["Authorization"].startswith("Bearer ")

    with pytest.raises(CommandFailed, match="/oauth/token was refused"):
        await sign_in(node.client, "clerk", "the-first-password")
