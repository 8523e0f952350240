"""``guanxi clearing`` and ``guanxi till``."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from shared.capability import Role
from shared.node.command import app
from tests.city.drafts import CITY
from tests.conftest import MakeNode

_ENTRY = """
    INSERT INTO clearing_entry
        (request_id, kind, at, business_day, booked_on, debit, credit, amount_fen, home, visited)
    VALUES (gen_random_uuid(), 'payment', now(), :day, :day, 'cash', '440000', 700, '110100', '440300')"""
_AGREED = """
    INSERT INTO clearing_statement
        (neighbour, day, revision, state, items, net_fen, digest, stated_at)
    VALUES ('440000', :day, 1, 'agreed', 1, -700, '', now())"""


async def test_the_commands_show_state_and_close(
    make_node: MakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sign_in: Any
) -> None:
    city = await make_node(CITY)
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", CITY)
    monkeypatch.setenv("GUANXI_DATABASE_URL", city.database.url)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    day = datetime(2026, 1, 15, tzinfo=UTC).date()
    async with city.database.transaction() as session:
        await session.execute(text(_ENTRY), {"day": day})

    async def guanxi(*arguments: str, code: int = 0) -> Any:
        result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if "--json" in arguments and code == 0 else result

    shown = await guanxi("clearing", "show", "--json")
    assert {each["account"]: each["net_fen"] for each in shown["accounts"]} == {
        "440000": -700,
        "cash": 700,
    }
    assert shown["transfers"] == [{"payer": "cash", "payee": "440000", "amount_fen": 700}]
    none = await guanxi("clearing", "show", "--from", "2026-02-01", "--json")
    assert none["accounts"] == []
    month = ("clearing", "close-month", "2026-01")
    unsettled = await guanxi(*month, "--propose", code=1)
    assert "is not settled: 1 day(s) are not agreed" in unsettled.stderr
    async with city.database.transaction() as session:
        await session.execute(text(_AGREED), {"day": day})
    (stated,) = await guanxi("clearing", "statements", "--state", "agreed", "--json")
    assert (stated["neighbour"], stated["day"]) == ("440000", "2026-01-15")
    assert "not closed" not in (await guanxi(*month, "--propose")).stdout
    assert "somebody else must decide it" in (await guanxi(*month, code=1)).stderr
    assert "is no month" in (await guanxi("clearing", "close-month", "January", code=1)).stderr
    supervisor = await sign_in(city, Role.SUPERVISOR)
    closed = await city.client.post("/clearing/months/2026-01/close", headers=supervisor)
    assert closed.status_code == 200, closed.text
    assert "was closed by" in (await guanxi(*month, code=1)).stderr

    cashier = await sign_in(city, Role.CLERK)
    await city.client.post(
        "/tills/shifts", json={"float_fen": 5}, headers={**cashier, "Idempotency-Key": "x"}
    )
    (shift,) = await guanxi("till", "shifts", "--state", "open", "--json")
    assert (shift["state"], shift["expected_fen"]) == ("open", 5)
