"""``guanxi user``, as it is typed on the node's machine."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from shared.staff.commands import app

PASSWORD = "correct-horse-battery"
User = Callable[..., Result]


@pytest.fixture
async def address(database_url: Callable[..., Awaitable[str]]) -> str:
    return await database_url()


@pytest.fixture
def user(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> User:
    """Run ``guanxi user ...`` on a city that has never been started."""
    monkeypatch.setenv("DATABASE_URL", address)
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", "440300")
    monkeypatch.setenv("LANG", "en_US.UTF-8")

    def user(*arguments: str, given: str | None = None) -> Result:
        return CliRunner().invoke(app, list(arguments), input=given)

    return user


def create(user: User, name: str, *more: str, given: str = PASSWORD + "\n") -> Result:
    return user("create", name, "--password-stdin", *more, given=given)


def listed(user: User, *more: str) -> list[dict[str, Any]]:
    result = user("list", "--json", *more)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_the_first_operator_of_a_node_is_made_before_it_ever_ran(user: User) -> None:
    result = create(user, "Root", "--role", "operator", "--name", "运维员", "--json")
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert (made["username"], made["role"], made["unit_code"]) == ("root", "operator", "440300")
    assert (made["kind"], made["display_name"]) == ("person", "运维员")
    assert PASSWORD not in result.output
    assert "argon2" not in result.output
    shown = create(user, "billing", "--role", "integration", "--unit", "440300", "--service")
    assert shown.exit_code == 0, shown.output
    assert "billing" in shown.stdout
    assert [(one["username"], one["kind"]) for one in listed(user)] == [
        ("billing", "service"),
        ("root", "person"),
    ]
    assert [one["username"] for one in listed(user, "--role", "operator")] == ["root"]


@pytest.mark.parametrize(
    ("arguments", "given", "words"),
    [
        (("root", "--role", "operator"), "short\n", "12 to 200 characters"),
        (("root", "--role", "operator"), "", "12 to 200 characters"),
        (("root", "--role", "hq_analyst"), PASSWORD, "Role hq_analyst has no place in a city"),
        (("root", "--role", "clerk", "--unit", "440100"), PASSWORD, "into unit 440100"),
        (("ro ot", "--role", "clerk"), PASSWORD, "'ro ot' is none"),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_sentence(
    user: User, arguments: tuple[str, ...], given: str, words: str
) -> None:
    result = create(user, *arguments, given=given)
    assert result.exit_code == 1
    assert words in result.stderr
    assert listed(user) == []


def test_without_the_flag_the_password_is_asked_for_twice(user: User) -> None:
    typed = f"{PASSWORD}\n{PASSWORD}\n"
    result = user("create", "root", "--role", "operator", given=typed)
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output


def test_an_account_is_disabled_and_given_a_new_password(user: User) -> None:
    create(user, "root", "--role", "operator")
    changed = user("password", "ROOT", "--password-stdin", given="seven-kites-over-the-harbour\r\n")
    assert changed.exit_code == 0, changed.output
    assert "kites" not in changed.output
    disabled = user("disable", "Root", "--json")
    assert json.loads(disabled.stdout)["active"] is False
    assert [one["username"] for one in listed(user, "--disabled")] == ["root"]
    assert listed(user, "--active") == []


@pytest.mark.parametrize("command", ["disable", "password"])
def test_an_unknown_account_is_named(user: User, command: str) -> None:
    flag = ["--password-stdin"] if command == "password" else []
    result = user(command, "nobody", *flag, given=PASSWORD)
    assert result.exit_code == 1
    assert "nobody" in result.stderr
