"""What people decide about calls that were handed over to them, over HTTP and from the command line."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from services.city_node.card_replacement.outside import NOTICE
from services.city_node.personal_data import service
from services.simulator.app import Simulator
from services.simulator.faults import Faults
from shared import port
from shared.audit.models import AuditRecord
from shared.capability import Role
from shared.kernel.ids import new_id
from shared.node.command import app
from shared.port.contracts import sms
from tests.conftest import MakeNode, TestNode
from tests.reachable import Reachable

SignIn = Callable[..., Awaitable[dict[str, str]]]
NUMBER = "13800005678"


@pytest.fixture
async def node(make_node: MakeNode, network: Reachable, clock: Any) -> TestNode:
    node = await make_node("440300", port_sms_url="http://sms")
    simulator = Simulator(sms.PORT, clock=clock)
    network.apps["sms"] = simulator.app
    simulator.faults = Faults(refusal_rate=1)
    node.app.state.simulator = simulator
    return node


async def call(node: TestNode, order: str | None = "line") -> str:
    async with node.context.database.transaction() as session:
        made = await port.call(
            node.context,
            session,
            NOTICE,
            sms.ShortMessage(to=NUMBER, text="hello"),
            cause=new_id(),
            now=node.clock.now(),
            order=order,
        )
    return str(made)


async def work(node: TestNode) -> int:
    attempts = 0
    while await node.node.background.dispatcher.step(sms.PORT):
        attempts += 1
    return attempts


@pytest.fixture
async def refused(node: TestNode) -> str:
    made = await call(node)
    assert await work(node) == 1
    return made


async def test_an_operator_sees_what_was_refused_and_not_what_was_sent(
    node: TestNode, refused: str, sign_in: SignIn
) -> None:
    operator = await sign_in(node, Role.OPERATOR)
    await call(node, order=None)
    listed = await node.client.get("/port-calls?state=handed_over&port=sms", headers=operator)
    (item,) = listed.json()["items"]
    assert (item["id"], item["effect"], item["attempts"]) == (refused, NOTICE.name, 1)
    assert item["refusal"]["title"] == "Refused"
    assert NUMBER not in listed.text
    one = await node.client.get(f"/port-calls/{refused}", headers=operator)
    assert one.json() == item
    ports = {
        each["name"]: each for each in (await node.client.get("/ports", headers=operator)).json()
    }
    assert (ports["sms"]["state"], ports["sms"]["handed_over"], ports["sms"]["waiting"]) == (
        "up", 1, 1,
    )  # fmt: skip
    assert ports["network"]["state"] == "off"
    health = await node.client.get("/health/ready")
    assert health.json()["checks"]["ports"]["sms"] == "up"
    assert health.json()["checks"]["ports"]["billing"] == "off"


async def test_a_call_that_is_tried_again_is_done_once_and_what_waited_follows(
    node: TestNode, refused: str, sign_in: SignIn
) -> None:
    behind = await call(node)
    assert await work(node) == 0
    node.app.state.simulator.faults = Faults()
    operator = await sign_in(node, Role.OPERATOR)
    for _ in range(2):
        answer = await node.client.post(f"/port-calls/{refused}/retry", headers=operator)
        assert (answer.status_code, answer.json()["state"]) == (200, "waiting")
    assert await work(node) == 2
    assert [entry.key for entry in node.app.state.simulator.journal] == [refused, behind]
    late = await node.client.post(f"/port-calls/{refused}/retry", headers=operator)
    assert (late.status_code, late.json()["type"]) == (
        409,
        "urn:guanxi:problem:call-not-handed-over",
    )


async def test_giving_up_takes_two_people_and_is_in_the_audit_log(
    node: TestNode, refused: str, sign_in: SignIn
) -> None:
    behind = await call(node)
    one, other = await sign_in(node, Role.OPERATOR), await sign_in(node, Role.OPERATOR)
    path = f"/port-calls/{refused}/discard"

    unproposed = await node.client.post(f"{path}/approval", headers=other)
    assert unproposed.json()["type"] == "urn:guanxi:problem:call-discard-not-proposed"
    proposed = await node.client.post(path, json={"reason": "told by telephone"}, headers=one)
    assert proposed.json()["state"] == "handed_over"
    alone = await node.client.post(f"{path}/approval", headers=one)
    assert (alone.status_code, alone.json()["type"]) == (
        403,
        "urn:guanxi:problem:second-person-needed",
    )
    approved = await node.client.post(f"{path}/approval", headers=other)
    assert approved.json()["state"] == "discarded"
    assert approved.json()["discard_reason"] == "told by telephone"

    node.app.state.simulator.faults = Faults()
    assert await work(node) == 1
    assert [entry.key for entry in node.app.state.simulator.journal] == [behind]
    async with node.database.transaction() as session:
        actions = await session.scalars(
            select(AuditRecord.action)
            .where(AuditRecord.subject_id == refused)
            .order_by(AuditRecord.id)
        )
        assert list(actions) == ["port_call.discard_proposed", "port_call.discarded"]


async def test_a_supervisor_sees_and_does_not_decide(
    node: TestNode, refused: str, sign_in: SignIn
) -> None:
    supervisor = await sign_in(node, Role.SUPERVISOR)
    assert (await node.client.get("/port-calls", headers=supervisor)).status_code == 200
    answer = await node.client.post(f"/port-calls/{refused}/retry", headers=supervisor)
    assert answer.status_code == 403


async def test_a_call_that_is_not_there_is_not_found(node: TestNode, sign_in: SignIn) -> None:
    operator = await sign_in(node, Role.OPERATOR)
    for method, path in (("GET", ""), ("POST", "/retry"), ("POST", "/discard/approval")):
        answer = await node.client.request(
            method, f"/port-calls/{new_id()}{path}", headers=operator
        )
        assert (answer.status_code, answer.json()["type"]) == (
            404,
            "urn:guanxi:problem:call-not-found",
        )


async def test_metrics_say_what_is_open(node: TestNode, refused: str, sign_in: SignIn) -> None:
    await call(node)
    scraper = await sign_in(node, Role.OPERATOR)
    text = (await node.client.get("/metrics", headers=scraper)).text
    assert 'guanxi_port_calls{port="sms",state="handed_over"} 1.0' in text
    assert 'guanxi_port_calls{port="sms",state="waiting"} 1.0' in text
    assert 'guanxi_port_consecutive_failures{port="network"} 0.0' in text
    assert 'outcome="declined",port="sms"' in text
    assert refused not in text


async def test_ended_calls_are_forgotten_after_ninety_days(node: TestNode, refused: str) -> None:
    node.app.state.simulator.faults = Faults()
    done = await call(node, order=None)
    assert await work(node) == 1
    pool = await node.database.pool()
    for days, left in ((89, 2), (2, 1)):
        node.clock.advance(timedelta(days=days))
        await node.run_job("forget-port-calls")
        assert await pool.fetchval("SELECT count(*) FROM port_call") == left
    assert await pool.fetchval("SELECT count(*) FROM port_call WHERE id = $1", done) == 0


async def test_what_is_sent_is_sealed_anew_when_keys_are_rotated(
    node: TestNode, refused: str
) -> None:
    cipher = node.context.cipher
    await service.begin(node.database, cipher, by="test", now=node.clock.now())
    async for _ in service.seal(node.database, cipher, portion_rows=2):
        pass
    assert await service.end(node.database, now=node.clock.now())
    pool = await node.database.pool()
    sealed = await pool.fetchval("SELECT content_cipher FROM port_call WHERE id = $1", refused)
    assert sealed[0] == cipher.current.id == 2
    assert NUMBER in cipher.decrypt(sealed)


async def test_the_same_from_the_command_line(
    node: TestNode, refused: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = node.node.settings
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("GUANXI_DATABASE_OWNER_URL", settings.database_owner_url or "")
    monkeypatch.setenv("GUANXI_PORT_SMS_URL", "http://sms")

    async def guanxi(*words: str, by: str = "operator", fails: bool = False) -> Any:
        monkeypatch.setattr("getpass.getuser", lambda: by)
        arguments = ["port", *words, "--node", "440300", "--json"]
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        assert result.exit_code == int(fails), result.output
        return result.stderr if fails else json.loads(result.stdout)

    ports = {each["name"]: each for each in await guanxi("list")}
    assert (ports["sms"]["state"], ports["sms"]["handed_over"]) == ("up", 1)
    (listed,) = await guanxi("calls")
    assert listed["id"] == refused
    assert (await guanxi("retry", refused))["state"] == "waiting"
    pool = await node.database.pool()
    await pool.execute("UPDATE port_call SET due_at = created_at")  # the command has its own clock
    assert await work(node) == 1
    await guanxi("discard", refused, "--reason", "told by telephone")
    assert "somebody else must decide it" in await guanxi("approve", refused, fails=True)
    assert (await guanxi("approve", refused, by="another"))["state"] == "discarded"
    assert await guanxi("calls") == []
    assert [each["id"] for each in await guanxi("calls", "--state", "discarded")] == [refused]


async def test_a_running_node_sends_what_a_commit_has_left(
    make_node: MakeNode, network: Reachable, clock: Any
) -> None:
    asked = asyncio.Event()

    async def note(_: float) -> None:
        asked.set()

    simulator = Simulator(sms.PORT, clock=clock, pause=note)
    simulator.faults = Faults(latency_ms=1)
    network.apps["sms"] = simulator.app
    node = await make_node("440300", port_sms_url="http://sms")
    await node.node.serve_background()
    leading = asyncio.create_task(node.node.background.run())
    async with asyncio.timeout(20):
        await call(node)
        await asked.wait()
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
