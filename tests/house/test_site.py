"""The documentation can be read without a network."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FETCHED = re.compile(
    r"""<(?:script|img|iframe)\b[^>]*\bsrc=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|<link\b[^>]*\brel=["']?(?:stylesheet|preconnect|icon)\b[^>]*\bhref=["']?(?:https?:)?//[^"'\s>]+"""
)


def test_no_page_fetches_anything_from_elsewhere(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    pages = list(tmp_path.rglob("*.html"))
    found = {
        fetched for page in pages for fetched in FETCHED.findall(page.read_text(encoding="utf-8"))
    }

    assert tmp_path / "architecture.html" in pages
    assert found == set()


def test_what_is_fetched_is_recognised() -> None:
    page = '<script async src="https://elsewhere.example/a.js"></script>'

    assert FETCHED.findall(page)
