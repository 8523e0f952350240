"""Each decision has its page, in its form, where readers look for it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = ROOT / "docs" / "decisions"
PAGES = sorted(DECISIONS.glob("[0-9]*.md"))
PARTS = ["Context", "Decision", "Consequences", "Alternatives"]


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(page.name[:4]) for page in PAGES]

    assert numbers == list(range(1, len(PAGES) + 1))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_decision_has_its_parts_and_is_listed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert re.match(rf"# {page.name[:4]} \S", text)
    assert re.search(r"^(Accepted|Proposed|Replaced by \d{4}), \d{4}-\d{2}\.$", text, re.MULTILINE)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    assert f"]({page.name})" in (DECISIONS / "README.md").read_text(encoding="utf-8")
    assert f": decisions/{page.name}" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
