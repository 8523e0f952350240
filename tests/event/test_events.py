"""Events: all of them, once, in one order, whatever order transactions come and end in."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from shared import event
from shared.capability import Role
from shared.event import service
from shared.event.repository import Wanted
from shared.kernel.ids import new_id
from shared.kernel.settings import Settings
from shared.kernel.tier import Tier
from shared.node.app import Node
from shared.node.command import app
from shared.node.tiers import composition
from tests.addresses import as_node
from tests.city.drafts import CITY, OTHER_TEAM, TEAM, Headers, SignIn, make_city
from tests.conftest import NOON, MakeNode, TestNode
from tests.evaluation.conftest import EVALUATING
from tests.examples import examples

LEVEL = "guanxi.level.changed.v1"
ALL = Wanted("")


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    return await make_city(make_node, (*EVALUATING, event.capability))


@pytest.fixture
async def reader(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.INTEGRATION)


async def move(
    connection: asyncpg.Connection, *, unit: str = CITY, to: str = "gold", days: int = 0
) -> str:
    """Let a customer's level move, and return the customer's path."""
    customer = new_id()
    await connection.execute(
        "INSERT INTO level_migration (customer_id, at, unit_code, from_level, to_level, by, source) "
        "VALUES ($1, $2, $3, 'silver', $4, 'test', 'rest')",
        customer,
        NOON - timedelta(days=days),
        unit,
        to,
    )
    return f"/customers/{customer}"


async def moved(city: TestNode, **given: Any) -> str:
    async with (await city.database.pool()).acquire() as connection:
        return await move(connection, **given)


async def read(city: TestNode, headers: Headers, query: str = "") -> dict[str, Any]:
    answer = await city.client.get(f"/events?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def test_what_happens_is_told_as_a_cloud_event_and_once(
    city: TestNode, reader: Headers
) -> None:
    nothing = await read(city, reader)
    assert (nothing["items"], nothing["more"]) == ([], False)
    whose = await moved(city)
    first = await read(city, reader, f"after={nothing['next']}")
    (told,) = first["items"]
    assert told == {
        "specversion": "1.0",
        "id": told["id"],
        "source": CITY,
        "type": LEVEL,
        "time": told["time"],
        "subject": whose,
        "datacontenttype": "application/json",
        "data": {"from": "silver", "to": "gold", "source": "rest"},
    }
    assert (await read(city, reader, f"after={first['next']}"))["items"] == []
    assert (await read(city, reader, "after=latest"))["next"] == first["next"]


async def test_pages_follow_one_another_and_can_be_narrowed(
    city: TestNode, reader: Headers
) -> None:
    paths = [await moved(city, to="gold" if n % 2 else "diamond") for n in range(7)]
    seen, after, more = [], "0", True
    while more:
        page = await read(city, reader, f"after={after}&limit=3&type={LEVEL}")
        seen += [each["subject"] for each in page["items"]]
        after, more = page["next"], page["more"]
    assert seen == paths
    (one,) = (await read(city, reader, f"subject={paths[3]}"))["items"]
    assert one["subject"] == paths[3]
    other = await read(city, reader, "type=guanxi.credit.changed.v1&limit=2")
    assert (other["items"], other["next"]) == ([], after), "what was skipped is not read again"


async def test_each_sees_what_happened_in_the_own_unit(city: TestNode, sign_in: SignIn) -> None:
    mine, other = await moved(city, unit=TEAM), await moved(city, unit=OTHER_TEAM)
    of_team = await sign_in(city, Role.SUPERVISOR, TEAM)
    assert [each["subject"] for each in (await read(city, of_team))["items"]] == [mine]
    of_city = await sign_in(city, Role.SUPERVISOR)
    assert [each["subject"] for each in (await read(city, of_city))["items"]] == [mine, other]
    clerk = await sign_in(city, Role.CLERK)
    assert (await city.client.get("/events", headers=clerk)).status_code == 403


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0", "type=level", "subject=x"])
async def test_a_wrong_question_is_told_where(city: TestNode, reader: Headers, query: str) -> None:
    refused = await city.client.get(f"/events?{query}", headers=reader)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"].startswith(
        f"query:{query.split('=', maxsplit=1)[0]}"
    )


async def test_a_cursor_that_would_leave_a_gap_is_refused(city: TestNode, reader: Headers) -> None:
    await moved(city, days=40)
    await read(city, reader)
    kept = await moved(city)
    await city.run_job("forget-events")
    gap = await city.client.get("/events?after=0", headers=reader)
    assert (gap.status_code, gap.json()["type"]) == (410, "urn:guanxi:problem:events-forgotten")
    assert "after=1" in gap.json()["detail"]
    assert [each["subject"] for each in (await read(city, reader, "after=1"))["items"]] == [kept]
    ahead = await city.client.get("/events?after=999", headers=reader)
    assert (ahead.status_code, ahead.json()["type"]) == (410, "urn:guanxi:problem:events-unknown")


async def test_positions_go_on_when_everything_was_forgotten(
    city: TestNode, reader: Headers
) -> None:
    await moved(city, days=40)
    await city.run_job("forget-events")
    assert (await read(city, reader))["next"] == "1"
    await moved(city)
    (told,) = (await read(city, reader, "after=1"))["items"]
    assert told["id"] == "2"


LATER_ENDS_FIRST = [
    ("begin", 0), ("begin", 1), ("add", 0), ("add", 1), ("commit", 1), ("read", 0), ("commit", 0),
]  # fmt: skip
ACTS = st.tuples(st.sampled_from(["begin", "add", "commit", "rollback", "read"]), st.integers(0, 2))


@settings(
    max_examples=examples(10),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(ACTS, min_size=5, max_size=40))
@example(steps=LATER_ENDS_FIRST)
async def test_whatever_order_transactions_end_in_each_event_is_read_once(
    city: TestNode, steps: list[tuple[str, int]]
) -> None:
    pool = await city.database.pool()
    cursor = await service.latest(pool)
    open_: dict[int, tuple[asyncpg.Connection, Any, list[str]]] = {}
    committed: list[str] = []
    seen: list[str] = []

    async def go_on() -> None:
        nonlocal cursor
        portion = await service.read_after(pool, CITY, ALL, after=cursor, limit=2)
        seen.extend(json.loads(each)["subject"] for each in portion.events)
        cursor = portion.next

    for act, who in steps:
        if act == "begin" and who not in open_:
            connection = await pool.acquire()
            transaction = connection.transaction()
            await transaction.start()
            open_[who] = (connection, transaction, [])
        elif act == "add" and who in open_:
            open_[who][2].append(await move(open_[who][0]))
        elif act in {"commit", "rollback"} and who in open_:
            connection, transaction, added = open_.pop(who)
            await getattr(transaction, act)()
            await pool.release(connection)
            committed += added if act == "commit" else []
        elif act == "read":
            await go_on()
    for connection, transaction, _ in open_.values():
        await transaction.rollback()
        await pool.release(connection)
    while len(seen) < len(committed):
        before = cursor
        await go_on()
        assert cursor > before, "something that was committed is never told"
    await go_on()
    assert sorted(seen) == sorted(committed)


def test_every_declared_event_has_a_type_of_its_own_and_names_nobody() -> None:
    found = [
        each
        for tier, code in ((Tier.CITY, CITY), (Tier.PROVINCE, "440000"), (Tier.HQ, "000000"))
        for capability in _node(tier, code).capabilities
        for each in capability.events
    ]
    types = {each.type: each for each in found}
    assert len(types) >= 10
    for each in types.values():
        assert each.subject.startswith("'/"), each.type
        assert not {"name", "msisdn", "document", "address"} & set(each.data), each.type


def _node(tier: Tier, code: str) -> Node:
    node: Node = composition(tier)(Settings(code=code))
    return node


async def test_the_command_lists(
    city: TestNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whose = await moved(city)
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", CITY)
    monkeypatch.setenv("GUANXI_DATABASE_URL", as_node(city.database.url))
    result = await asyncio.to_thread(CliRunner().invoke, app, ["event", "list", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["items"][0]["subject"] == whose
    table = await asyncio.to_thread(CliRunner().invoke, app, ["event", "list", "--after", "0"])
    assert "--after 1" in table.stdout
