"""Query, export, segment and work from the command line."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from shared.capability import Role
from shared.node.command import app
from tests.city.drafts import CITY, SignIn, settle
from tests.conftest import MakeNode


async def test_the_commands_work_on_the_nodes_database(
    make_node: MakeNode, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = await make_node(CITY)
    supervisor = await sign_in(city, Role.SUPERVISOR)
    for at in range(3):
        await settle(city, supervisor, at, level="gold" if at else "silver")
    asked = (await city.client.post("/exports", json={}, headers=supervisor)).json()
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", CITY)
    monkeypatch.setenv("GUANXI_DATABASE_URL", city.database.url)
    monkeypatch.setenv("LANG", "en_US.UTF-8")

    async def guanxi(*arguments: str, code: int = 0) -> Any:
        result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if code == 0 and "--json" in arguments else result

    found = await guanxi("customer", "query", "level = gold", "--count", "--json")
    assert (found["count"], len(found["items"])) == (2, 2)
    wrong = await guanxi("customer", "query", "level = platin", code=1)
    assert "line 1, column 9" in wrong.stderr

    made = await guanxi("segment", "create", "Gold", "level = gold", "--json")
    locked = await guanxi("segment", "lock", made["id"], "--json")
    assert (locked["mode"], locked["member_count"]) == ("locked", 2)
    file = tmp_path / "gold.parquet"
    told = await guanxi("customer", "export", str(file), "--segment", made["id"], "--json")
    assert (told["format"], told["rows"]) == ("parquet", 2)
    assert file.stat().st_mode & 0o777 == 0o600
    piped = await guanxi(
        "customer", "export", "-", "--where", "level = silver", "--columns", "name"
    )
    assert list(csv.reader(io.StringIO(piped.stdout))) == [["name"], ["张伟"]]
    assert await asyncio.to_thread(lambda: list(tmp_path.glob("*.part"))) == []

    listed = await guanxi("work", "list", "--json")
    assert [item["id"] for item in listed] == [asked["id"]]
    cancelled = await guanxi("work", "cancel", asked["id"], "--json")
    assert cancelled["state"] == "cancelled"
    assert (await guanxi("work", "show", asked["id"], "--json"))["finished_at"]
