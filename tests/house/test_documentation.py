"""The documentation says what the program does."""

from pathlib import Path

import pytest

from shared.kernel.second_person import SecondPersonNeeded
from shared.node.documentation import pages, problems_by_type

PAGES = pages()
DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_the_program_writes_is_as_the_program_writes_it(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), (
        f"run `make docs` to write docs/{name} anew"
    )


def test_there_is_no_page_of_an_indicator_that_is_gone() -> None:
    written = {f"indicators/{page.name}" for page in (DOCS / "indicators").iterdir()}

    assert written == {name for name in PAGES if name.startswith("indicators/")}


def test_no_two_problems_are_of_one_type() -> None:
    assert problems_by_type()["second-person-needed"] is SecondPersonNeeded
