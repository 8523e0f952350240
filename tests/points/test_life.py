"""Points through the life of a customer: merged, unmerged, erased; the works, the jobs and the commands."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from services.city_node.points.commands import app
from services.city_node.points.verification import verify
from tests.city.drafts import Headers
from tests.city.erasing import erase
from tests.conftest import NOON, TestNode
from tests.points.city import (
    Somebody,
    add_bill,
    add_customer,
    add_reward,
    balance_of,
    judge,
    lots_of,
    require_right,
    run,
    send,
)


@pytest.fixture
async def two(city: TestNode) -> tuple[Somebody, Somebody]:
    """Customers with 300 points each, those of the second expiring sooner."""
    survivor, merged = [await add_customer(city.database, NOON) for _ in "12"]
    await add_bill(city.database, survivor, 30_000)
    await add_bill(city.database, merged, 30_000, period=_EARLIER)
    await judge(city)
    return survivor, merged


_EARLIER = (NOON - timedelta(days=400)).date().replace(day=1)


async def merge(city: TestNode, headers: Headers, survivor: Somebody, merged: Somebody) -> Any:
    body = {
        "survivor_id": str(survivor.id),
        "merged_id": str(merged.id),
        "survivor_version": 1,
        "merged_version": 1,
    }
    done = await send(city, headers, "/customer-merges", body)
    assert done.status_code == 201, done.text
    return done.json()


async def test_a_merge_brings_both_accounts_together_and_an_undo_parts_them(
    city: TestNode, supervisor: Headers, clerk: Headers, two: tuple[Somebody, Somebody]
) -> None:
    survivor, merged = two
    done = await merge(city, supervisor, survivor, merged)
    assert await balance_of(city, survivor) == 600
    assert await lots_of(city, survivor) == {"2028-01-01": 300, "2029-01-01": 300}
    shown = await city.client.get(f"/customers/{survivor.id}/points", headers=clerk)
    assert shown.json()["balance"] == 600
    # What comes and goes by itself does not stand in the way: a bill of the line that was merged, and expiry.
    await add_bill(city.database, Somebody(survivor.id, merged.line), 5_000)
    await judge(city)
    await city.run_job("expire-points")
    undone = await city.client.post(f"/customer-merges/{done['id']}/undo", headers=supervisor)
    assert undone.status_code == 200, undone.text
    assert await lots_of(city, survivor) == {"2029-01-01": 350}
    assert await lots_of(city, merged) == {"2028-01-01": 300}
    await require_right(city.database)


async def test_points_that_were_used_since_bar_the_undo(
    city: TestNode, supervisor: Headers, clerk: Headers, two: tuple[Somebody, Somebody]
) -> None:
    survivor, merged = two
    await add_reward(city, supervisor)
    done = await merge(city, supervisor, survivor, merged)
    path = f"/customers/{survivor.id}/points/redemptions"
    redeemed = await send(city, clerk, path, {"reward": "umbrella", "quantity": 4})
    assert redeemed.status_code == 201, redeemed.text
    assert await lots_of(city, survivor) == {"2029-01-01": 200}
    refused = await city.client.post(f"/customer-merges/{done['id']}/undo", headers=supervisor)
    assert refused.status_code == 409
    assert any("points_account" in fault["pointer"] for fault in refused.json()["errors"])
    gone = await send(
        city, clerk, f"/customers/{merged.id}/points/redemptions", {"reward": "umbrella"}
    )
    assert gone.status_code == 410
    await require_right(city.database)


async def test_erasure_forfeits_and_keeps_the_figures(
    city: TestNode, supervisor: Headers, clerk: Headers, two: tuple[Somebody, Somebody]
) -> None:
    gone, other = two
    body = {"points": 20, "reason": "张伟投诉"}
    await send(city, supervisor, f"/customers/{gone.id}/points/adjustments", body)
    body = {"receiver_id": str(other.id), "points": 100, "note": "张伟的儿子"}
    await send(city, clerk, f"/customers/{gone.id}/points/transfers", body)
    await run(
        city.database,
        "UPDATE customer SET library = 'retained', left_on = '2010-01-01' WHERE id = :id",
        id=gone.id,
    )
    entries = await run(city.database, "SELECT count(*) FROM points_entry")
    assert await erase(city) == 1
    rows = await run(
        city.database,
        "SELECT kind, points, credit_id FROM points_entry WHERE kind = 'forfeiture'",
    )
    assert [tuple(row) for row in rows] == [("forfeiture", 220, 5)]
    assert await balance_of(city, gone) == 0
    assert await run(city.database, "SELECT count(*) FROM points_entry") == [(entries[0][0] + 1,)]
    for table, column in (("points_adjustment", "reason"), ("points_transfer", "note")):
        left = await run(city.database, f"SELECT {column} FROM {table}")  # noqa: S608 - above
        assert left[0][0] in {"—", None}
    await run(city.database, "UPDATE bill SET charge_fen = charge_fen + 100")
    done = await judge(city, whole_city=True)
    assert done.issued == 1  # the other's
    answer = await send(
        city, supervisor, f"/customers/{gone.id}/points/adjustments", {"points": 5, "reason": "x"}
    )
    assert answer.status_code == 410
    assert await erase(city) == 0
    await require_right(city.database)


async def test_runs_are_asked_for_followed_and_recorded(
    city: TestNode, supervisor: Headers, clerk: Headers, two: tuple[Somebody, Somebody]
) -> None:
    assert (await city.client.post("/points/accrual", json={}, headers=clerk)).status_code == 403
    asked = await city.client.post("/points/accrual", json={"scope": "city"}, headers=supervisor)
    assert asked.status_code == 202, asked.text
    assert await city.run_work("points-accrual")
    work = (await city.client.get(asked.headers["location"], headers=supervisor)).json()
    assert work["state"] == "done"
    assert (work["result"]["judged"], work["result"]["bills"]) == (2, 0)
    await run(city.database, "UPDATE points_lot SET expires_on = '2026-11-23' WHERE expires_on < '2028-06-01'")  # fmt: skip
    asked = await city.client.post("/points/expiry", headers=supervisor)
    assert await city.run_work("points-expiry")
    work = (await city.client.get(asked.headers["location"], headers=supervisor)).json()
    assert (work["state"], work["result"]) == ("done", {"lots": 1, "points": 300})
    await add_bill(city.database, two[0], 1_000, _EARLIER)
    await city.run_job("accrue-points")
    await city.run_job("accrue-points")
    records = await run(
        city.database,
        "SELECT action, detail FROM audit_record WHERE action LIKE 'points.%' ORDER BY id",
    )
    assert [row[0] for row in records] == ["points.accrued", "points.expired", "points.accrued"]
    assert records[2][1]["issued"] == 10


async def test_work_that_was_cancelled_before_it_began_does_nothing(
    city: TestNode, supervisor: Headers, two: tuple[Somebody, Somebody]
) -> None:
    asked = await city.client.post("/points/accrual", json={"scope": "city"}, headers=supervisor)
    cancelled = await city.client.post(f"{asked.headers['location']}/cancel", headers=supervisor)
    assert cancelled.json()["state"] == "cancelled"
    assert not await city.run_work("points-accrual")
    await require_right(city.database)


async def test_the_database_refuses_what_the_ledger_must_never_hold(
    city: TestNode, two: tuple[Somebody, Somebody]
) -> None:
    node = await asyncpg.connect(city.context.database.url)
    try:
        for statement in (
            "UPDATE points_entry SET points = points + 1",
            "DELETE FROM points_entry",
            "TRUNCATE points_entry",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await node.execute(statement)
        entry = "INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on) VALUES (now(), {}, '2028-01-01')"
        for values in (
            "'accrual', 1000, 1, 5",  # the wrong way round
            "'accrual', 1, 2, 5",  # between two of the node's own
            "'redemption', 1000, 3, 5",  # to the wrong one
            "'transfer', 1000, 1000, 5",  # to itself
            "'gift', 1, 1000, 5",
            "'accrual', 1, 1000, 0",
            "'accrual', 1, 1000, -5",
        ):
            with pytest.raises(asyncpg.CheckViolationError):
                await node.execute(entry.format(values))
        for table, column in (("points_balance", "balance"), ("points_lot", "remaining")):
            with pytest.raises(asyncpg.CheckViolationError):
                await node.execute(f"UPDATE {table} SET {column} = -1")  # noqa: S608 - above
    finally:
        await node.close()


@pytest.mark.parametrize(
    ("tampering", "checks"),
    [
        ("UPDATE points_balance SET balance = balance + 1", {"balances"}),
        ("UPDATE points_lot SET remaining = remaining - 1", {"lots"}),
        ("DELETE FROM points_entry WHERE id = (SELECT min(id) FROM points_entry)", {"balances", "lots", "bills"}),
        ("UPDATE points_accrual SET points = points + 1", {"bills"}),
        ("UPDATE points_account SET is_primary = false", {"accounts"}),
    ],
)  # fmt: skip
async def test_verify_finds_what_was_tampered_with(
    city: TestNode, two: tuple[Somebody, Somebody], tampering: str, checks: set[str]
) -> None:
    await require_right(city.database)
    await run(city.database, tampering)
    assert {each.check.code for each in await verify(city.database) if each.breaches} == checks


@pytest.fixture
async def at_machine(
    city: TestNode, two: tuple[Somebody, Somebody], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Somebody, Somebody]:
    """The city is the node that commands work on."""
    await add_bill(city.database, two[0], 2_000, _EARLIER)
    monkeypatch.setenv("DATABASE_URL", city.database.url)
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", "440300")
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    return two


def test_commands(at_machine: tuple[Somebody, Somebody]) -> None:
    def command(*words: str) -> Any:
        done = CliRunner().invoke(app, [*words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    # The system's clock is not the test's: bills of these months still earn.
    assert command("accrue")["issued"] == 20
    assert command("accrue", "--scope", "city")["bills"] == 0
    assert command("expire") == {"lots": 0, "points": 0}
    lines = command("statement", str(at_machine[0].id))
    assert [(one["points"], one["balance"]) for one in lines] == [(20, 320), (300, 300)]
    assert all(each["holds"] for each in command("verify"))
    nobody = CliRunner().invoke(app, ["statement", "no-such"])
    assert nobody.exit_code == 1


def test_verify_ends_with_1_when_something_does_not_hold(
    at_machine: tuple[Somebody, Somebody], city: TestNode
) -> None:
    async def tamper() -> None:
        connection = await asyncpg.connect(city.database.url)
        await connection.execute("UPDATE points_balance SET balance = balance + 1")
        await connection.close()

    asyncio.run(tamper())
    done = CliRunner().invoke(app, ["verify", "--json"])
    assert done.exit_code == 1
    found = {each["check"]: each for each in json.loads(done.stdout)}
    assert (found["balances"]["breaches"], found["lots"]["breaches"]) == (2, 0)
