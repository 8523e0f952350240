"""Rules of the house that no tool knows: what files may hold, how they are named, what `make` offers."""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MOST_LINES = 400
NAMES_THAT_TELL_NOTHING = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}
# Written in halves, so that this file does not name them either.
REGISTRY_HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "registry." + "yarnpkg",
    "deb." + "debian.org",
    "proxy." + "golang.org",
]
MACHINE_PATH = re.compile(r"(?<![\w./~-])/(?:root|home|Users|builds|work|farm)/\w[\w./-]*")
TARGETS = {
    *("help", "demo", "run"),
    *("test", "test-thorough", "check", "lint", "migrations-match", "coverage"),
    *("chaos", "fuzz", "bench", "drill"),
    *("fix", "migration", "lock"),
    *("docs", "docs-serve", "clean"),
}
LOCKS = {
    "run": (),
    "demo": ("demo",),
    "dev": ("demo", "dev"),
}


def files() -> list[Path]:
    """Every file of the project: what git knows or would take; without git, all but what is made."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        listing = subprocess.run(
            [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,  # a tree that belongs to somebody else is not read by git
        )
        found = [ROOT / name for name in listing.stdout.split("\0") if name]
        if listing.returncode == 0:
            return [path for path in found if path.is_file()]
    return list(walk())


def walk() -> Iterator[Path]:
    made = {"__pycache__", "build", "dist", "var"}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in made and name[0] != "."]
        yield from (Path(folder) / name for name in names)
    yield ROOT / ".ci" / "run"


def texts() -> Iterator[tuple[str, str]]:
    """The name and text of every file that holds text."""
    for path in files():
        try:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def pins(lock: str) -> dict[str, tuple[str, int]]:
    """The version and the number of hashes of every requirement in a lock file, by canonical name."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    entries = re.findall(
        r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)(?P<rest>.*(?:\n[ \t]+.*)*)",
        text,
        flags=re.MULTILINE,
    )
    return {
        canonicalize_name(name): (version, len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", rest)))
        for name, version, rest in entries
    }


def test_no_file_names_a_registry() -> None:
    found = [(name, host) for name, text in texts() for host in REGISTRY_HOSTS if host in text]

    assert found == []


def test_no_file_carries_a_path_of_somebodys_machine() -> None:
    found = [(name, path) for name, text in texts() for path in MACHINE_PATH.findall(text)]

    assert found == []


@pytest.mark.parametrize("path", ["/home/" + "me/x", "at /ro" + "ot/x", "'/Users/" + "me'"])
def test_a_path_of_a_machine_is_recognised(path: str) -> None:
    assert MACHINE_PATH.search(path)


def test_no_file_of_code_is_too_long() -> None:
    long = {
        name: lines
        for name, text in texts()
        if name.endswith(".py") and not name.startswith("migrations/")
        if (lines := text.count("\n")) > MOST_LINES
    }

    assert long == {}


def test_every_name_tells_something() -> None:
    vague = [
        str(path.relative_to(ROOT))
        for path in files()
        if NAMES_THAT_TELL_NOTHING & {part.split(".")[0] for part in path.relative_to(ROOT).parts}
    ]

    assert vague == []


def test_make_offers_its_targets_each_with_a_line_of_help() -> None:
    helped = re.findall(
        r"^([a-z-]+):.*## \S.*$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    phony = re.findall(
        r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert set(helped) == TARGETS
    assert sorted(phony) == sorted(helped)


def test_what_lands_is_checked_by_the_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert {"make test", "make check", "make demo"} <= set(re.findall(r"make [a-z]+", script))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_requirement_is_hashed(lock: str) -> None:
    locked = pins(lock)
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")

    assert len(locked) == len(re.findall(r"^[^\s#]", text, re.MULTILINE)) > 0
    assert [name for name, (_, hashes) in locked.items() if not hashes] == []
    assert "://" not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_what_the_project_asks_for(lock: str) -> None:
    project = PROJECT["project"]
    asked = [*project["dependencies"], *PROJECT["dependency-groups"]["build"]]
    for extra in LOCKS[lock]:
        asked += project["optional-dependencies"][extra]
    locked = pins(lock)

    wanted = [Requirement(line) for line in asked]
    missing = [
        str(each)
        for each in wanted
        if (pin := locked.get(canonicalize_name(each.name))) is None
        or not each.specifier.contains(pin[0])
    ]

    assert missing == [], "run: make lock"


@pytest.mark.parametrize("lock", ["run", "demo"])
def test_a_smaller_lock_agrees_with_the_development_one(lock: str) -> None:
    whole = pins("dev")

    assert {name: pin for name, pin in pins(lock).items() if whole.get(name) != pin} == {}


def test_what_builds_the_project_is_locked_too() -> None:
    assert PROJECT["dependency-groups"]["build"] == PROJECT["build-system"]["requires"]
