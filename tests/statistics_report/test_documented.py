"""The examples of ``docs/statistics.md``, run in order against HQ; and the commands."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from typer.testing import CliRunner

from shared.capability import Role
from shared.node.command import app
from shared.statistics_report.service import KIND
from tests.conftest import TestNode
from tests.curl import Shell, commands
from tests.statistics.registered_cities import Headers
from tests.statistics_report.conftest import SignIn
from tests.statistics_report.kept import PATH, make, runs_of

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"


async def test_every_example_works(hq: TestNode, analyst: Headers, sign_in: SignIn) -> None:
    second = await sign_in(hq, Role.HQ_ANALYST)
    people = {"TOKEN": analyst, "SECOND": second}
    tokens = {name: x["Authorization"].removeprefix("Bearer ") for name, x in people.items()}
    shell = Shell({"HQ": hq.client}, {}, tokens)
    answers = {}
    for command in commands(PAGE):
        answer = await shell.run(command)
        assert answer.is_success, (command, answer.status_code, answer.text)
        answers[command.partition("$HQ")[2].strip('"')] = answer
        if command.startswith("RUN="):
            assert await hq.run_work(KIND)

    assert len(answers) == 18
    withheld = answers[
        "/statistics/values?indicator=customers,arpu_fen&period=2026-10&by=region,level"
    ].json()
    marked = [row["withheld"] for row in withheld["rows"] if row["region"]["code"] == "440000"]
    assert marked[0] == ["customers", "arpu_fen"]
    assert withheld["provenance"][0]["withheld"]["policy"] == "disclosure 1"
    down = shell.variables["DOWN"].replace("{region}", "440000")
    cities = await hq.client.get(f"/statistics/values?{down}", headers=analyst)
    assert [row["region"]["code"] for row in cities.json()["rows"]] == ["440300"]
    compared = answers[
        "/statistics/values?indicator=customers&period=2026-10&by=region&compare=previous,year&share=customers"
    ]
    assert [row["values"]["customers__share"] for row in compared.json()["rows"]] == [70, 30]
    file = answers["/statistics/reports/$REPORT/runs/$RUN/content"].content
    book = openpyxl.load_workbook(io.BytesIO(file))
    assert [row[1] for row in book["values"].iter_rows(values_only=True)] == [
        "region_code",
        "110000",
        "440000",
    ]


async def test_the_commands_list_show_and_run(
    hq: TestNode, analyst: Headers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = await make(hq, analyst)
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", "000000")
    monkeypatch.setenv("GUANXI_DATABASE_URL", hq.database.url)
    monkeypatch.setenv("LANG", "en_US.UTF-8")

    async def guanxi(*arguments: str, code: int = 0) -> Any:
        words = ["stats", "report", *arguments]
        result = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if code == 0 and "--json" in arguments else result

    (listed,) = await guanxi("list", "--json")
    assert (listed["id"], listed["schedule"]) == (report["id"], "manual")
    asked = await guanxi("run", report["id"], "--json")
    assert await hq.run_work(KIND)
    shown = await guanxi("show", report["id"], "--json")
    assert [(run["id"], run["state"]) for run in shown["runs"]] == [(asked["run"], "done")]
    file = Path(shown["directory"]) / f"2026-11-23-{asked['run']}.csv"
    assert await asyncio.to_thread(file.is_file)
    assert (await runs_of(hq, analyst, report))[0]["requested_by"].startswith("command")
    assert (await hq.client.get(PATH, headers=analyst)).json()["items"][0]["id"] == report["id"]
    missing = await guanxi("show", "019abf6e-0000-7000-8000-000000000000", code=1)
    assert "There is no report" in missing.stderr
