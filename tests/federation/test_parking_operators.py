"""Operators see and mend parked messages over REST and by command."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from shared.capability import Role
from shared.federation.receiver import BEHIND
from shared.kernel.tier import Tier
from shared.node.command import app
from shared.node.tiers import capabilities
from tests.conftest import MakeNode, Nation, enrol
from tests.federation.conftest import (
    COUNTED,
    COUNTING,
    ECHOED,
    numbers_at,
    parked_at,
    post_numbers,
)

SignIn = Callable[..., Awaitable[dict[str, str]]]


@pytest.fixture
async def staffed(make_node: MakeNode, network: Any, clock: Any) -> Nation:
    """A province with HQ above it, where people sign in; one poisoned number is parked at HQ, another waits."""
    nodes = {
        "000000": await make_node("000000", [*capabilities(Tier.HQ), COUNTING]),
        "440000": await make_node("440000", [*capabilities(Tier.PROVINCE), COUNTING]),
    }
    nation = Nation(nodes, network, clock)
    await enrol(nodes["440000"], nodes["000000"])
    await post_numbers(nodes["440000"], "000000", 1, poison=True)
    await post_numbers(nodes["440000"], "000000", 2)
    await nation.settle()
    return nation


async def test_operators_mend_over_rest(staffed: Nation, sign_in: SignIn) -> None:
    hq, province = staffed["000000"], staffed["440000"]
    li, wang = await sign_in(hq, Role.OPERATOR), await sign_in(hq, Role.OPERATOR)
    page = await hq.client.get("/operations/parked", params={"count": True}, headers=li)
    first, behind = page.json()["items"]
    assert page.json()["count"] == 2
    assert first["arrival"] < behind["arrival"]
    assert (first["origin"], first["type"], first["lane"]) == ("440000", COUNTED, "request")
    at = f"/operations/parked/{first['arrival']}"

    retried = await hq.client.post(f"{at}/retry", headers=li)
    unreasoned = await hq.client.post(f"{at}/discard", json={"reason": " "}, headers=li)
    proposed = await hq.client.post(f"{at}/discard", json={"reason": "a mistake"}, headers=li)
    alone = await hq.client.post(f"{at}/discard/approval", headers=li)
    approved = await hq.client.post(f"{at}/discard/approval", headers=wang)
    again = await hq.client.post(f"{at}/discard/approval", headers=wang)
    await staffed.settle()

    assert retried.json() | {"reason": None} == {
        "arrival": first["arrival"],
        "state": "parked",
        "reason": None,
        "settled": 0,
        "parked": 2,
    }
    assert unreasoned.status_code == 422
    assert proposed.json()["discard_reason"] == "a mistake"
    assert (alone.status_code, alone.json()["type"]) == (
        403,
        "urn:guanxi:problem:second-person-needed",
    )
    assert (approved.json()["state"], approved.json()["settled"]) == ("discarded", 1)
    assert again.status_code == 409
    assert await numbers_at(hq) == [2]
    operator = await sign_in(province, Role.OPERATOR)
    told = await province.client.get(
        "/operations/notices", params={"kind": "discarded"}, headers=operator
    )
    (notice,) = told.json()["items"]
    assert (notice["message_id"], notice["node"], notice["reason"]) == (
        first["message_id"],
        "000000",
        "a mistake",
    )


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ({}, 2),
        ({"origin": "440000", "type": COUNTED, "lane": "request"}, 2),
        ({"origin": "440300"}, 0),
        ({"type": ECHOED}, 0),
        ({"lane": "bulk"}, 0),
    ],
)
async def test_parked_messages_are_filtered(
    staffed: Nation, sign_in: SignIn, wanted: dict[str, str], shown: int
) -> None:
    hq = staffed["000000"]
    reader = await sign_in(hq, Role.OPERATOR)
    page = await hq.client.get("/operations/parked", params=wanted, headers=reader)
    assert len(page.json()["items"]) == shown


async def test_who_may_see_and_mend(staffed: Nation, sign_in: SignIn) -> None:
    hq, province = staffed["000000"], staffed["440000"]
    analyst = await sign_in(hq, Role.HQ_ANALYST)
    coordinator = await sign_in(province, Role.PROVINCE_COORDINATOR)
    seeing, mending = (
        ("/operations/parked", "/operations/notices"),
        (
            "/operations/parked/1/retry",
            "/operations/parked/1/discard",
            "/operations/parked/1/discard/approval",
        ),
    )
    for path in seeing:
        assert (await hq.client.get(path)).status_code == 401, path
        assert (await hq.client.get(path, headers=analyst)).status_code == 403, path
        assert (await province.client.get(path, headers=coordinator)).status_code == 200, path
    for path in mending:
        for node, headers in ((hq, analyst), (province, coordinator)):
            answer = await node.client.post(path, json={"reason": "r"}, headers=headers)
            assert answer.status_code == 403, path
        assert (await hq.client.post(path, json={"reason": "r"})).status_code == 401, path
    assert len(await parked_at(hq)) == 2


async def test_operators_mend_by_command(staffed: Nation, monkeypatch: pytest.MonkeyPatch) -> None:
    hq = staffed["000000"]
    monkeypatch.setenv("GUANXI_HOME", str(hq.node.settings.home))
    monkeypatch.setenv("GUANXI_DATABASE_URL", hq.database.url)
    monkeypatch.setenv("LANG", "en_US.UTF-8")

    async def guanxi(user: str, *words: str) -> Any:
        monkeypatch.setenv("LOGNAME", user)
        whole = ["federation", *words, "--node", "000000", "--json"]
        result = await asyncio.to_thread(CliRunner().invoke, app, whole)
        return json.loads(result.stdout) if result.exit_code == 0 else result.stderr

    first, behind = await guanxi("li", "parked")
    arrival = str(first["arrival"])
    retried = await guanxi("li", "retry", arrival)
    blank = await guanxi("li", "discard", arrival, "--reason", " ")
    proposed = await guanxi("li", "discard", arrival, "--reason", "a mistake")
    alone = await guanxi("li", "approve", arrival)
    approved = await guanxi("wang", "approve", arrival)

    assert behind["reason"] == BEHIND
    assert (retried["state"], retried["settled"]) == ("parked", 0)
    assert "Say why" in blank
    assert proposed["discard_proposed_by"] == "command:li"
    assert "somebody else must decide it" in alone
    assert approved["state"] == "discarded"
    # The command's process has the tier's capabilities alone, and nothing that counts: the other stays parked.
    (left,) = await guanxi("li", "parked", "--origin", "440000")
    assert left["arrival"] == behind["arrival"]
    assert "does not understand messages of type test.counted.v1" in left["reason"]
