"""``guanxi customer erase`` and ``guanxi customer subject-export``."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from services.city_node.erasure.commands import app as erasing
from services.city_node.subject_request.commands import app as exporting
from tests.city.drafts import Headers, fresh
from tests.city.retained import long_gone, post
from tests.conftest import TestNode


@pytest.fixture
async def verified(
    city: TestNode, clerk: Headers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """A person who left long ago and asked to see everything, in the node that commands work on."""
    customer = await long_gone(city, clerk)
    body = {"customer_id": customer["id"], "kind": "access"}
    request = await post(city, "/subject-requests", body, clerk)
    answer = await city.client.post(
        f"/subject-requests/{request['id']}/verify",
        json={"identity_check": "本人持证到厅"},
        headers=fresh(clerk, request),
    )
    assert answer.status_code == 200, answer.text
    monkeypatch.setenv("DATABASE_URL", city.database.url)
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", "440300")
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def export(verified: dict[str, Any], tmp_path: Path) -> Callable[[], Result]:
    """Export for the request."""

    def run() -> Result:
        to = str(tmp_path / "person.json")
        return CliRunner().invoke(exporting, ["subject-export", verified["id"], "--to", to])

    return run


def test_everything_is_written_to_a_file_of_ones_own(
    export: Callable[[], Result], tmp_path: Path
) -> None:
    done = export()
    assert done.exit_code == 0, done.output
    written = tmp_path / "person.json"
    assert written.stat().st_mode & 0o077 == 0
    given = json.loads(written.read_bytes())
    assert given["tables"]["customer"][0]["name"] == "王小明"
    assert given["tables"]["customer"][0]["document_number"]
    (line,) = given["tables"]["subscription"]
    assert line["msisdn"] == "13800000001"
    again = export()
    assert again.exit_code == 1
    assert "exists" in again.stderr


def test_who_is_due_is_counted_and_erased(verified: dict[str, Any]) -> None:
    def erase(*options: str) -> Result:
        return CliRunner().invoke(erasing, ["erase", *options])

    assert erase().exit_code == 1
    waiting = erase("--due", "--dry-run", "--json")
    assert waiting.exit_code == 0, waiting.output
    assert json.loads(waiting.stdout) == {"due": [], "erased": 0, "dry_run": True}
    assert asyncio.run(_settle(verified)) == "fulfilled"
    rehearsed = json.loads(erase("--due", "--dry-run", "--json").stdout)
    assert (rehearsed["due"][0]["customers"], rehearsed["erased"]) == (1, 0)
    done = json.loads(erase("--due", "--json").stdout)
    assert (done["due"][0]["customers"], done["erased"]) == (1, 1)
    after = json.loads(erase("--due", "--json").stdout)
    assert after == {"due": [], "erased": 0, "dry_run": False}


async def _settle(request: dict[str, Any]) -> str:
    """Close the person's request, which keeps the nightly erasure away."""
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    try:
        state: str = await connection.fetchval(
            "UPDATE subject_request SET state = 'fulfilled', ended_at = now() WHERE id = $1 RETURNING state",
            request["id"],
        )
    finally:
        await connection.close()
    return state
