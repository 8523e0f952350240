"""Repair over REST, through real nodes of three tiers: the documented examples, run as they stand in the page."""

import re
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import text

from shared.capability import Role
from tests.city.two_cities import DOCUMENT, HOME, MSISDN, VISITED, City, add_line
from tests.conftest import Nation, TestNode
from tests.repair.workshop import IMEI, LOANED

OF_LINKS = (
    *("federation_peer", "federation_lane", "federation_outbox", "federation_inbox"),
    *("federation_receipt", "federation_registry", "federation_reconciliation"),
)
OF_REPAIRS = (
    *("service_request", "service_request_event", "repair_ticket", "repair_estimate"),
    *("loan_handset", "handset_loan"),
)
PAGE = Path(__file__).parents[2] / "docs" / "repair.md"
SignIn = Callable[..., Awaitable[dict[str, str]]]


def examples() -> list[str]:
    """Return every command of the page, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


class Shell:
    """Somebody at a terminal who copies commands from the page."""

    def __init__(self, node: TestNode, headers: dict[str, str]) -> None:
        self._node = node
        self._variables = {"NODE": "", "TOKEN": headers["Authorization"].removeprefix("Bearer ")}

    async def run(self, command: str) -> httpx.Response:
        """Do what ``curl`` would."""
        for name, value in self._variables.items():
            command = command.replace(f"${name}", value)
        program, *words = shlex.split(command)
        assert program == "curl"
        given: dict[str, Any] = {"method": "GET", "headers": {}}
        while words:
            match words.pop(0):
                case "-X":
                    given["method"] = words.pop(0)
                case "-H":
                    name, _, value = words.pop(0).partition(": ")
                    given["headers"][name] = value
                case "-d":
                    given["content"] = words.pop(0).encode()
                case url:
                    given["url"] = url
        answer = await self._node.client.request(**given)
        assert answer.status_code in (200, 201), (command, answer.text)
        if answer.status_code == 201:
            self._variables["REPAIR"] = answer.json()["id"]
        return answer


async def back_up(node: TestNode) -> None:
    """Remember what a node's database holds of its links and of repairs."""
    async with node.database.transaction() as session:
        for table in (*OF_LINKS, *OF_REPAIRS):
            await session.execute(text(f"CREATE TABLE backup_{table} AS TABLE {table}"))


async def restore(node: TestNode) -> None:
    """Put back what :func:`back_up` remembered."""
    async with node.database.transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in (*OF_LINKS, *OF_REPAIRS):
            await session.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - a fixed list
            await session.execute(
                text(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM backup_{table}")  # noqa: S608 - as above
            )


@pytest.fixture
async def shell(nation: Nation, sign_in: SignIn) -> Shell:
    """A clerk in Shenzhen, with one handset to lend; the customer's home is Beijing."""
    home, visited = nation[HOME], nation[VISITED]
    await add_line(City(home.context, home.clock), MSISDN)
    pool = await home.database.pool()
    await pool.execute("UPDATE customer SET level = 'gold'")
    await pool.execute("UPDATE subscription SET imei = $1", IMEI)
    supervisor = await sign_in(visited, Role.SUPERVISOR)
    loaded = await visited.client.post(
        "/loan-handsets",
        json={"handsets": [{"imei": LOANED[0], "make": "Huawei", "model": "Enjoy 70"}]},
        headers={**supervisor, "Idempotency-Key": "load"},
    )
    assert loaded.json() == {"unit": VISITED, "loaded": 1, "known": 0}
    clerk = await sign_in(visited, Role.CLERK)
    once = {**clerk, "Idempotency-Key": "shift"}
    opened = await visited.client.post("/tills/shifts", json={"float_fen": 0}, headers=once)
    assert opened.status_code == 201, opened.text
    return Shell(visited, clerk)


async def test_the_documented_examples_repair_a_handset_across_the_country(
    nation: Nation, shell: Shell, sign_in: SignIn
) -> None:
    answers = []
    for command in examples():
        answers.append(await shell.run(command))
        await nation.settle()
    assert len(answers) == 11
    asked, confirmed, estimated, agreed, lent, stock, back, repaired, returned, _, done = [
        answer.json() for answer in answers
    ]
    assert asked["state"] == "asked"
    assert answers[0].headers["location"] == f"/repairs/{asked['id']}"
    assert (confirmed["state"], confirmed["terms"]["level"]) == ("confirmed", "gold")
    assert {line["node"] for line in confirmed["trail"]} == {
        *(VISITED, "440000", "000000", "110000", HOME)
    }
    assert (estimated["state"], agreed["state"]) == ("estimated", "agreed")
    estimate = estimated["estimates"][0]
    assert (estimate["total_fen"], estimate["home_fen"]) == (73_000, 21_900)
    assert lent["loans"][0]["deposit_fen"] == 20_000
    assert [each["request_id"] for each in stock["items"]] == [asked["id"]]
    assert (back["loans"][0]["refunded_fen"], back["loans"][0]["kept_fen"]) == (15_000, 5_000)
    assert repaired["outcome"]["replacement"] == "Huawei Mate 70"
    assert returned["state"] == "returned"
    assert done["state"] == "completed"
    assert done["outcome"]["home_fen"] == 21_900
    assert not done["outcome"]["differs"]

    home = nation[HOME]
    at_home = await sign_in(home, Role.CLERK)
    seen = (await home.client.get(f"/repairs/{asked['id']}", headers=at_home)).json()
    assert (seen["role"], seen["state"], seen["handset"]["imei"][-4:]) == (
        "home",
        "completed",
        IMEI[-4:],
    )
    assert seen["handset"]["imei"].startswith("*")
    assert seen["satisfaction"]["comment"] == "修得很快"
    listed = (await home.client.get("/repairs?role=home&state=completed", headers=at_home)).json()
    assert [item["id"] for item in listed["items"]] == [asked["id"]]
    none = (await home.client.get("/repairs?differs=true", headers=at_home)).json()
    assert none["items"] == []
    customers = (await home.client.get("/customers", headers=at_home)).json()["items"]
    page = await home.client.get(
        f"/customers/{customers[0]['id']}?include=repairs", headers=at_home
    )
    (repair,) = page.json()["repairs"]
    assert (repair["id"], repair["home_fen"], repair["score"]) == (asked["id"], 21_900, 5)
    supervisor = await sign_in(home, Role.SUPERVISOR)
    report = (await home.client.get("/repair-satisfaction", headers=supervisor)).json()
    assert {(line["answers"], line["mean"]) for line in report["items"]} == {(1, 5.0)}


async def test_a_repeated_command_does_nothing_twice(nation: Nation, shell: Shell) -> None:
    ask, _, estimate, agree, lend, *_ = examples()
    for command in (ask, estimate, agree, lend):
        first = await shell.run(command)
        again = await shell.run(command)
        assert orjson.loads(first.content) == orjson.loads(again.content)
        await nation.settle()
    pool = await nation[VISITED].database.pool()
    for table in ("service_request", "repair_estimate", "handset_loan"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 1  # noqa: S608 - a fixed list


async def test_a_cut_link_delays_the_repair_and_nothing_else(nation: Nation, shell: Shell) -> None:
    ask, read, *_ = examples()
    nation.network.cut = {"000000"}
    await shell.run(ask)
    await nation.settle()
    assert (await shell.run(read)).json()["state"] == "asked"
    nation.network.cut = set()
    for _ in range(4):
        await nation.settle()
    pool = await nation[VISITED].database.pool()
    kept = await pool.fetch("SELECT t::text FROM repair_ticket t")
    assert IMEI not in str(kept)
    assert DOCUMENT not in str(kept)


async def test_a_restored_workshop_gets_its_work_back_from_its_province(
    nation: Nation, shell: Shell
) -> None:
    ask, _, estimate, agree, lend, *_ = examples()
    visited = nation[VISITED]
    for command in (ask, estimate):
        await shell.run(command)
        await nation.settle()
    await back_up(visited)
    for command in (agree, lend):
        await shell.run(command)
        await nation.settle()
    pool = await visited.database.pool()
    whole = "SELECT r.state, t::text, e::text, l::text FROM service_request r JOIN repair_ticket t ON t.request_id = r.id JOIN repair_estimate e ON e.request_id = r.id LEFT JOIN handset_loan l ON l.request_id = r.id"
    before = await pool.fetch(whole)
    assert before[0]["state"] == "agreed"
    await restore(visited)
    assert (await pool.fetchval("SELECT state FROM service_request")) == "estimated"
    assert (await pool.fetchval("SELECT state FROM loan_handset")) == "in_stock"
    await visited.node.dialler.reconcile()
    await nation.settle()
    assert await pool.fetch(whole) == before
    assert (await pool.fetchval("SELECT state FROM loan_handset")) == "lent"
