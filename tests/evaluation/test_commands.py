"""Evaluating from the command line."""

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from services.city_node.level.rule import RULE as LEVEL
from shared.capability import Role
from shared.node.command import app
from tests.city.drafts import CITY, SignIn, make_city
from tests.conftest import MakeNode
from tests.evaluation.conftest import EVALUATING
from tests.evaluation.folk import folk
from tests.evaluation.test_evaluation import NUMBER, held, settle


async def test_the_commands_evaluate_try_and_explain(
    make_node: MakeNode, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = await make_city(make_node, EVALUATING)
    people = folk("commands", NUMBER)
    await settle(city, people)
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", CITY)
    monkeypatch.setenv("GUANXI_DATABASE_URL", city.database.url)
    monkeypatch.setenv("LANG", "en_US.UTF-8")

    async def guanxi(*arguments: str, code: int = 0) -> Any:
        result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if code == 0 and "--json" in arguments else result

    whole = await guanxi("evaluate", "level", "--json")
    present = [each for each in people if each.library == "in_network"]
    assert (whole["scope"], whole["customers"]) == ("city", len(present))
    found = await held(city, LEVEL)
    assert found.keys() == {each.id for each in present}
    again = await guanxi("evaluate", "level", "--changed", "--json")
    assert again["changed"] == 0

    one = await guanxi("evaluate", "credit", "--customer", str(present[0].id), "--json")
    assert one["result"]["explanation"]["en"].startswith(f"Rating {one['result']['rating']} ")
    words = await guanxi("evaluate", "level", "--customer", str(present[0].id))
    assert "级别为" in words.stdout or "宽限期" in words.stdout

    draft = tmp_path / "draft.json"
    document = {"thresholds": {"gold_fen": 40_000, "silver_fen": 35_000}}
    draft.write_bytes(orjson.dumps(document))
    tried = await guanxi("evaluate", "level", "--dry-run", str(draft), "--json")
    assert sum(line["customers"] for line in tried) > 0
    assert await held(city, LEVEL) == found, "a dry run changes nothing"
    draft.write_bytes(orjson.dumps({"window_months": 30}))
    refused = await guanxi("evaluate", "level", "--dry-run", str(draft), code=1)
    assert "/window_months" in refused.stderr

    supervisor = await sign_in(city, Role.SUPERVISOR)
    made = await city.client.post(
        "/level-reviews", json={}, headers={**supervisor, "Idempotency-Key": "one"}
    )
    assert made.status_code == 201, made.text
    listed = await guanxi("level", "review", "list", "--json")
    assert listed[0]["line_count"] == made.json()["line_count"] > 0
    lines = await guanxi("level", "review", "show", made.json()["id"], "--limit", "500", "--json")
    assert len(lines) == made.json()["line_count"]
