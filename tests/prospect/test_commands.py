"""Searching for prospects from the command line."""

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from shared.node.command import app
from tests.city.drafts import CITY, make_city
from tests.conftest import MakeNode
from tests.prospect.conftest import SEARCHING
from tests.prospect.suitors import suitors
from tests.prospect.test_finding import prospects, settle_people


async def test_the_commands_find_list_show_count_and_try(
    make_node: MakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = await make_city(make_node, SEARCHING)
    await settle_people(city, suitors("commands", 40, fresh=True))
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", CITY)
    monkeypatch.setenv("GUANXI_DATABASE_URL", city.database.url)
    monkeypatch.setenv("LANG", "en_US.UTF-8")

    async def guanxi(*arguments: str, code: int = 0) -> Any:
        result = await asyncio.to_thread(CliRunner().invoke, app, ["prospect", *arguments])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if code == 0 and "--json" in arguments else result

    draft = tmp_path / "draft.json"
    draft.write_bytes(orjson.dumps({"near": {"within_permille": 400}}))
    tried = await guanxi("find", "--dry-run", str(draft), "--json")
    assert sum(line["gained"] for line in tried) > 0
    assert await prospects(city) == {}, "a dry run changes nothing"

    searched = await guanxi("find", "--json")
    assert (
        searched["made"] == len(await prospects(city)) == sum(line["prospects"] for line in tried)
    )
    assert (await guanxi("find", "--changed", "--json"))["made"] == 0
    listed = await guanxi("list", "--json")
    assert len(listed) == searched["made"]
    shown = await guanxi("show", listed[0]["id"], "--json")
    assert shown["explanation"]["zh"].startswith("潜在")
    words = await guanxi("find", "--customer", shown["customer_id"])
    assert shown["explanation"]["en"].split(":")[0] in words.stdout
    counted = await guanxi("statistics", "--by", "target", "--json")
    assert sum(line["found"] for line in counted) == searched["made"]
    await guanxi("show", "019abf6e-0000-7000-8000-000000000000", code=1)
