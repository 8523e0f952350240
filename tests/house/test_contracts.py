"""The import contracts of pyproject.toml, each broken on purpose in a copy of the tree."""

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINTER = PROJECT["tool"]["importlinter"]
NAMES = {contract["id"]: contract["name"] for contract in LINTER["contracts"]}


@dataclass(frozen=True)
class Violation:
    contract: str
    file: str
    line: str


VIOLATIONS = [
    Violation("tiers-above-shared", "shared/node/violation.py", "import services.city_node"),
    Violation("layers", "shared/kernel/violation.py", "import shared.federation"),
    Violation("layers", "shared/federation/violation.py", "import shared.organisation"),
    Violation("layers", "shared/staff/violation.py", "import shared.statistics"),
    Violation("layers", "shared/statistics/violation.py", "import shared.node"),
    Violation("layers", "shared/leftovers/__init__.py", ""),
    Violation("tiers-apart", "services/hq_node/violation.py", "import services.city_node"),
    Violation("tiers-apart", "services/city_node/violation.py", "import services.province_node"),
    Violation("rules-know-no-http", "shared/organisation/service.py", "import fastapi"),
    Violation(
        "rules-know-no-http", "services/city_node/repository.py", "import starlette.requests"
    ),
    Violation("history-stands-alone", "migrations/versions/violation.py", "import shared.kernel"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the contracts speak about."""
    for package in LINTER["root_packages"]:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def verdicts(tree: Path) -> tuple[int, dict[str, str], str]:
    """Run the linter in ``tree``; return its exit code, KEPT or BROKEN by contract, and all it said."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-logo", "--no-cache"],
        cwd=tree,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    lines = [line.strip() for line in said.splitlines()]
    found = {
        contract: verdict
        for contract, name in NAMES.items()
        for verdict in ("KEPT", "BROKEN")
        if f"{name} {verdict}" in lines
    }
    return done.returncode, found, said


def test_the_tree_keeps_every_contract(tree: Path) -> None:
    code, found, said = verdicts(tree)

    assert found == dict.fromkeys(NAMES, "KEPT"), said
    assert code == 0, said


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda v: f"{v.contract}:{v.file}")
def test_a_violation_breaks_its_contract(tree: Path, violation: Violation) -> None:
    file = tree / violation.file
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as source:
        source.write(f"\n{violation.line}\n")

    code, found, said = verdicts(tree)

    assert found.get(violation.contract) == "BROKEN", said
    assert code != 0


def test_every_contract_has_a_violation() -> None:
    assert {violation.contract for violation in VIOLATIONS} == set(NAMES)
