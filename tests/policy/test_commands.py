"""``guanxi policy``."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from shared.capability import Capability
from shared.kernel.language import Text
from shared.policy import commands
from tests.policy.conftest import Office
from tests.policy.thresholds import DEFAULT, THRESHOLDS, gold

Run = Callable[..., Result]
LATER = "2099-01-01"


@pytest.fixture
def as_person(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Say who of the machine's users runs the commands."""
    return lambda name: monkeypatch.setattr("getpass.getuser", lambda: name)


@pytest.fixture
def run(
    city: Office,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    as_person: Callable[[str], None],
) -> Run:
    """Run a command on the city, in a thread of its own since it has an event loop of its own."""
    monkeypatch.setenv("DATABASE_URL", city.node.database.url)
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", "440300")
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    as_person("zhang")
    program = (Capability("test", Text("Test", "测试"), policies=(THRESHOLDS,)),)
    return lambda *words: CliRunner().invoke(commands.app, list(words), obj=program)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """Write a draft to a file."""

    def write(document: Any, **more: Any) -> str:
        path = tmp_path / "draft.json"
        body = {"kind": "thresholds", "document": document, "effective_from": LATER, **more}
        path.write_text(json.dumps(body), encoding="utf-8")
        return str(path)

    return write


async def test_from_a_file_to_a_version_by_two_people(
    run: Run, file: Callable[..., str], as_person: Callable[[str], None]
) -> None:
    def act() -> None:
        drafted = run("draft", file(gold(60_000)), "--json")
        assert drafted.exit_code == 0, drafted.output
        draft = json.loads(drafted.stdout)["draft"]
        alone = run("publish", draft)
        assert alone.exit_code == 1
        assert "somebody else" in alone.stderr
        as_person("wang")
        published = run("publish", draft, "--json")
        assert published.exit_code == 0, published.output
        assert json.loads(published.stdout)["number"] == 1

        shown = json.loads(run("show", "thresholds", "--on", LATER, "--json").stdout)
        assert shown["reference"] == "thresholds default + 440300:1"
        assert shown["layers"][-1]["published_by"] == "command:wang"
        table = run("show", "thresholds", "--on", LATER)
        assert "thresholds default + 440300:1 at 440300, since 2099-01-01" in table.stdout
        (place,) = json.loads(run("show", "thresholds", "--places", "--on", LATER, "--json").stdout)
        assert place["published by"] == "command:wang"
        (version,) = json.loads(run("show", "thresholds", "--versions", "--json").stdout)
        assert (version["number"], version["drafted_by"]) == (1, "command:zhang")
        (row,) = json.loads(run("show", "thresholds", "--drafts", "--json").stdout)
        assert row["state"] == "published"

        withdrawn = run("withdraw", "thresholds", "1", "--reason", "a mistake")
        assert withdrawn.exit_code == 0, withdrawn.output
        (row,) = json.loads(run("list", "--json").stdout)
        assert (row["in force"], row["since"]) == ("thresholds default", None)

    await asyncio.to_thread(act)


async def test_a_draft_is_rejected_by_another(
    run: Run, file: Callable[..., str], as_person: Callable[[str], None]
) -> None:
    def act() -> None:
        draft = json.loads(run("draft", file(gold(60_000)), "--json").stdout)["draft"]
        as_person("wang")
        assert run("reject", draft, "--reason", "no need").exit_code == 0
        again = run("publish", draft)
        assert again.exit_code == 1
        assert "rejected" in again.stderr

    await asyncio.to_thread(act)


async def test_a_file_is_checked_and_what_is_wrong_is_pointed_at(
    run: Run, file: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def act() -> None:
        good = run("check", file(gold(60_000)), "--json")
        assert good.exit_code == 0, good.output
        assert json.loads(good.stdout) == {
            "reference": "thresholds default + 440300:draft",
            "differences": [
                {
                    "pointer": "/gold/from_fen",
                    "change": "changed",
                    "before": DEFAULT["gold"]["from_fen"],
                    "after": 60_000,
                }
            ],
            "sets_aside": [],
            "set_aside_from": None,
        }
        assert "/gold/from_fen" in run("check", file(gold(60_000))).stdout
        outside = run("check", file(gold(110_000)))
        assert outside.exit_code == 1
        assert "/document/gold/from_fen: must be at most 100000, given is 110000" in outside.stderr
        monkeypatch.setenv("LANG", "zh_CN.UTF-8")
        malformed = run("check", file({"platinum": 1}))
        assert malformed.exit_code == 1
        assert "/document/platinum: 没有此字段" in malformed.stderr
        misspelt = run("check", file(gold(60_000), notes="x"))
        assert misspelt.exit_code == 1
        assert "/notes:" in misspelt.stderr
        assert run("show", "thresholds", "--drafts", "--json").stdout == "[]\n"

        nothing = tmp_path / "nothing.json"
        nothing.write_text("{")
        assert "is not JSON" in run("check", str(nothing)).stderr
        nothing.write_text("{}")
        assert "of what kind" in run("check", str(nothing)).stderr
        assert run("check", str(tmp_path / "missing.json")).exit_code == 1

    await asyncio.to_thread(act)
