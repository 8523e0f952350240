"""The root of the command line, and the commands of the node package."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from shared.kernel.migrations import newest_revision
from shared.kernel.settings import load_settings
from shared.node.command import app
from shared.node.serve import PortTaken, listen

ROOT = Path(__file__).parents[2]
Guanxi = Callable[..., Result]
GROUPS = {
    "card",
    "customer",
    "db",
    "demo",
    "federation",
    "generate",
    "node",
    "request",
    "rollup",
    "segment",
    "stats",
    "status",
    "up",
    "user",
    "work",
}
WITHOUT_JSON = {"node run", "simulate", "db revision", "event follow"}
"""One is a server with a log, the other writes a file."""


@pytest.fixture
def guanxi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guanxi:
    """Run ``guanxi ...`` with a home of its own and no settings around it."""
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    for name in ("DATABASE_URL", "GUANXI_DATABASE_URL", "GUANXI_NODE"):
        monkeypatch.delenv(name, raising=False)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


@pytest.fixture
async def address(
    database_url: Callable[..., Awaitable[str]], monkeypatch: pytest.MonkeyPatch
) -> str:
    """A migrated database, which the commands of the test find."""
    address = await database_url()
    monkeypatch.setenv("GUANXI_DATABASE_URL", address)
    return address


def leaves(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its full name."""
    if not hasattr(command, "list_commands"):
        yield name, command
        return
    for each in command.list_commands(None):
        yield from leaves(command.get_command(None, each), f"{name} {each}".strip())


def test_help_lists_the_commands_of_the_program_and_of_every_capability(guanxi: Guanxi) -> None:
    result = guanxi("--help")

    assert result.exit_code == 0
    assert set(re.findall(r"^│ ([a-z]+) ", result.stdout, re.MULTILINE)) >= GROUPS


def test_every_command_can_answer_in_json() -> None:
    without = {
        name
        for name, command in leaves(get_command(app))
        if not any("--json" in parameter.opts for parameter in command.params)
    }

    assert without == WITHOUT_JSON


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")

    assert [name for name, _ in leaves(get_command(app)) if f"`guanxi {name}" not in page] == []


def test_the_programs_own_commands_do_not_wait_for_those_of_the_tiers() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from shared.node.command import app\n"
        "assert CliRunner().invoke(app, ['node', '--help']).exit_code == 0\n"
        "sys.exit([name for name in sys.modules if name.startswith('services')] != [])"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT).returncode == 0


def test_version(guanxi: Guanxi) -> None:
    assert re.fullmatch(r"guanxi \d+\.\d+\.\d+\n", guanxi("--version").stdout)


def test_an_unknown_command_is_a_wrong_use(guanxi: Guanxi) -> None:
    assert guanxi("nod").exit_code == 2


@pytest.mark.parametrize(
    ("variables", "arguments", "words"),
    [
        ({"GUANXI_PORT": "x"}, ("node", "run", "--node", "440300"), "Setting `port` 'x' is wrong"),
        (
            {"GUANXI_PROT": "1"},
            ("status", "--node", "440300"),
            "GUANXI_PROT in the environment names no setting",
        ),
        ({}, ("node", "run", "--node", "990100"), "'990100' is no division of the network"),
        (
            {},
            ("node", "run", "--node", "440300", "--workers", "0"),
            "Setting `workers` '0' is wrong",
        ),
        ({}, ("up", "--topology", "nowhere.toml"), "nowhere.toml cannot be read"),
        ({}, ("node", "invite", "990100", "--node", "440000"), "'990100' is no division"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    guanxi: Guanxi,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    # What an option of `node run` sets is for its workers; the test takes it back.
    for name in ("GUANXI_WORKERS", "GUANXI_NODE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    result = guanxi(*arguments)

    assert result.exit_code == 1, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_a_node_that_is_not_there_is_not_made_by_looking_at_it(
    guanxi: Guanxi, tmp_path: Path
) -> None:
    result = guanxi("status", "--node", "999999")

    assert result.exit_code == 1
    assert f"There is no node 999999 under {tmp_path}" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_node_that_cannot_reach_its_database_says_so_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_DATABASE_URL", "postgresql://u:hidden@127.0.0.1:1/shenzhen")

    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "shared.node.command",
            "node",
            "run",
            "--node",
            "440300",
            "--port",
            "0",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert result.returncode == 1
    assert "Node 440300 cannot use its database shenzhen at 127.0.0.1:1" in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert "hidden" not in result.stdout + result.stderr


def test_a_taken_port_is_named_with_its_node() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Node 440300 cannot listen on 127.0.0.1 port {port}"):
            listen(load_settings(code="440300", port=port))


def test_an_invitation_is_a_code_for_a_child_and_for_nobody_else(
    guanxi: Guanxi, address: str
) -> None:
    invited = guanxi("node", "invite", "440300", "--node", "440000", "--json")
    refused = guanxi("node", "invite", "110100", "--node", "440000")

    assert json.loads(invited.stdout)["child"] == "440300"
    assert re.fullmatch(r"[\w-]+\.\S+", json.loads(invited.stdout)["code"])
    assert refused.exit_code == 1
    assert "110100 does not lie directly below 440000" in refused.stderr


@pytest.mark.parametrize(
    ("code", "words"),
    [("a.b", "http://127.0.0.1:1/"), ("nonsense", "'nonsense' is not a one-time code")],
)
def test_a_node_that_cannot_join_says_why(
    guanxi: Guanxi, address: str, code: str, words: str
) -> None:
    result = guanxi(
        *("node", "enrol", "--node", "440300"),
        *("--parent-url", "http://127.0.0.1:1", "--code", code),
    )

    assert result.exit_code == 1
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_a_node_without_links_has_nothing_to_show(guanxi: Guanxi, address: str) -> None:
    assert json.loads(guanxi("status", "--node", "440300", "--json").stdout) == []
    assert "nothing to show" in guanxi("status", "--node", "440300").stdout


def test_nodes_of_the_home_are_listed(guanxi: Guanxi, tmp_path: Path) -> None:
    (tmp_path / "nodes" / "440300").mkdir(parents=True)
    (tmp_path / "nodes" / "440300" / "node.toml").write_text("port = 8443\n")

    assert json.loads(guanxi("node", "list", "--json").stdout) == [
        {
            "node": "440300",
            "tier": "city",
            "name": "Shenzhen 深圳市",
            "url": "http://127.0.0.1:8443",
            "process": None,
        }
    ]


def test_a_database_goes_back_to_nothing_and_forward_again(guanxi: Guanxi, address: str) -> None:
    back = guanxi("db", "downgrade", "base", "--node", "440300", "--json")
    forward = guanxi("db", "upgrade", "--node", "440300", "--json")

    newest = newest_revision()
    assert newest is not None
    assert json.loads(back.stdout.splitlines()[-1]) == {
        "node": "440300",
        "before": newest,
        "after": None,
    }
    assert json.loads(forward.stdout.splitlines()[-1]) == {
        "node": "440300",
        "before": None,
        "after": newest,
    }


def test_policies_of_every_capability_can_be_handled(guanxi: Guanxi, address: str) -> None:
    listed = guanxi("policy", "list", "--node", "440300", "--json")

    kinds = {each["kind"] for each in json.loads(listed.stdout.splitlines()[-1])}
    assert {"level", "indicator", "reporting"} <= kinds
